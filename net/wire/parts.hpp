#pragma once

#include "net/message.hpp"
#include "net/wire/tessera.capnp.h"

#include <cassert>

// Parts of messages as Cap'n Proto and back: to_wire() asserts the bounds that our machines keep,
// from_wire() refuses what breaks them, before it allocates. For net/wire alone.
namespace tessera::wire {

// A peer's fault on its way up to the codec. An exception, because Cap'n Proto throws its own along
// the same way; neither leaves the codec.
struct Refusal {
  std::string why;
};

inline void require(bool fits, const char* why) {
  if (!fits)
    throw Refusal{why};
}

// --- Bytes and text
inline ByteView bytes_of(capnp::Data::Reader data) {
  return {data.begin(), data.size()};
}
inline capnp::Data::Reader data_of(ByteView bytes) {
  return {bytes.data(), bytes.size()};
}
inline capnp::Text::Reader text_of(const std::string& text) {
  return {text.c_str(), text.size()};
}

NodeId node_id(capnp::Data::Reader data);
Digest digest(capnp::Data::Reader data);
double amount(double number);           // Finite and not negative.
std::uint8_t hops(std::uint8_t number); // A ttl: how often a message may be passed on.
std::uint8_t hops_of(std::uint8_t number);

// Kernels and hosts: printable ASCII without spaces.
std::string name(capnp::Text::Reader text);
capnp::Text::Reader name_of(const std::string& text);

// As records and specs name an architecture; empty: none.
std::string arch(capnp::Text::Reader text);
capnp::Text::Reader arch_text(const std::string& arch);

// What people read: UTF-8 without control characters or turns of direction. Ours is cleaned rather
// than refused, as it may quote a user or a library.
std::string prose(capnp::Text::Reader text);
std::string cleaned(std::string_view text);

// --- Lists
template<class T>
unsigned size_of(const std::vector<T>& list, std::size_t max) {
  assert(list.size() <= max);
  (void)max;
  return unsigned(list.size());
}

template<class List, class T>
void all_to_wire(List list, const std::vector<T>& values) {
  for (unsigned i = 0; i != list.size(); ++i)
    to_wire(list[i], values[i]);
}

// Each element of `list` through `one`.
template<class List, class One>
auto all(List list, std::size_t max, One one) {
  require(list.size() <= max, "a list is longer than its bound");
  std::vector<decltype(one(list[0]))> values;
  values.reserve(list.size());
  for (auto element : list)
    values.push_back(one(element));
  return values;
}
template<class List>
auto all_from_wire(List list, std::size_t max) {
  return all(list, max, [](auto element) { return from_wire(element); });
}

using DataList = capnp::List<capnp::Data>;
using TextList = capnp::List<capnp::Text>;
void names_to_wire(TextList::Builder list, const std::vector<std::string>& names);

// --- Parts of several messages
void to_wire(Envelope::Builder to, const Signed& seal);
void to_wire(Address::Builder to, const tessera::Address& address);
void to_wire(PeerAddress::Builder to, const tessera::PeerAddress& peer);
void to_wire(Block::Builder to, const tessera::Block& block);
void to_wire(NodeShare::Builder to, const tessera::NodeShare& share);
void to_wire(Reruns::Builder to, const tessera::Reruns& reruns);
void to_wire(Failure::Builder to, const Error& error);

Signed from_wire(Envelope::Reader from);
tessera::Address from_wire(Address::Reader from);
tessera::PeerAddress from_wire(PeerAddress::Reader from);
tessera::Block from_wire(Block::Reader from);
tessera::NodeShare from_wire(NodeShare::Reader from);
Error from_wire(Failure::Reader from);
tessera::Reruns reruns_of(std::uint64_t all, Reruns::Reader why); // All, and why as far as told.

} // namespace tessera::wire
