#pragma once

#include "net/wire/codec.hpp"

#include <capnp/any.h>
#include <capnp/message.h>
#include <capnp/serialize.h>

#include <cstring>
#include <functional>

// Messages as a stranger might write them: Cap'n Proto by offsets, without our schema's code.
namespace tessera::raw {

using Any = capnp::AnyStruct::Builder;

// Numbers of Packet's union that carry an envelope.
inline constexpr std::uint16_t grant_tag = 9, result_tag = 11, receipt_tag = 12, cancel_tag = 15;

inline Bytes flat(capnp::MessageBuilder& message) {
  const auto words = capnp::messageToFlatArray(message);
  const auto bytes = words.asBytes();
  return {bytes.begin(), bytes.end()};
}

// A message with its root changed by `edit`.
inline Bytes edited(ByteView bytes, const std::function<void(Any)>& edit) {
  kj::Array<capnp::word> words = kj::heapArray<capnp::word>(bytes.size() / sizeof(capnp::word));
  std::memcpy(words.begin(), bytes.data(), bytes.size());
  capnp::FlatArrayMessageReader reader{words};
  capnp::MallocMessageBuilder builder;
  builder.setRoot(reader.getRoot<capnp::AnyPointer>());
  edit(builder.getRoot<capnp::AnyPointer>().getAs<capnp::AnyStruct>());
  return flat(builder);
}

template<class T>
void set(Any to, std::size_t byte, T value) {
  auto data = to.getDataSection();
  assert(byte + sizeof value <= data.size());
  std::memcpy(data.begin() + byte, &value, sizeof value);
}
inline capnp::AnyPointer::Builder pointer(Any to, unsigned index) {
  return to.getPointerSection()[index];
}
inline Any child(Any to, unsigned index) {
  return pointer(to, index).getAs<capnp::AnyStruct>();
}
inline Any element(Any to, unsigned index, unsigned at) {
  return pointer(to, index).getAs<capnp::AnyList>().as<capnp::List<capnp::AnyStruct>>()[at];
}
inline void set_data(Any to, unsigned index, ByteView bytes) {
  pointer(to, index).setAs<capnp::Data>({bytes.data(), bytes.size()});
}
inline void set_text(Any to, unsigned index, std::string_view text) {
  pointer(to, index).setAs<capnp::Text>({text.data(), text.size()});
}

inline void set_envelope(Any to, const Signed& seal) {
  set_data(to, 0, seal.body);
  set_data(to, 1, seal.key.view());
  set_data(to, 2, seal.signature);
}

inline Any new_packet(capnp::MallocMessageBuilder& builder, std::uint16_t tag) {
  auto packet = builder.getRoot<capnp::AnyPointer>().initAsAnyStruct(1, 1);
  set(packet, 0, std::uint16_t{1});
  set(packet, 2, tag);
  return packet;
}

// A packet around one envelope.
inline Bytes packet_of(std::uint16_t tag, const Signed& seal) {
  capnp::MallocMessageBuilder builder;
  set_envelope(pointer(new_packet(builder, tag), 0).initAsAnyStruct(0, 3), seal);
  return flat(builder);
}
// A packet of records, each envelope as it is.
inline Bytes records_packet(const std::vector<Signed>& seals) {
  capnp::MallocMessageBuilder builder;
  auto list =
      pointer(new_packet(builder, 0), 0).initAsListOfAnyStruct(0, 3, unsigned(seals.size()));
  for (unsigned i = 0; i != seals.size(); ++i)
    set_envelope(list[i], seals[i]);
  return flat(builder);
}

} // namespace tessera::raw
