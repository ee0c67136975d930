#include "net/wire/parts.hpp"

#include "net/wire/codec.hpp"

#include <algorithm>
#include <cmath>

namespace tessera::wire {

namespace {

template<std::size_t N>
std::array<std::uint8_t, N> exactly(capnp::Data::Reader data, const char* why) {
  require(data.size() == N, why);
  std::array<std::uint8_t, N> bytes;
  std::copy_n(data.begin(), N, bytes.begin());
  return bytes;
}

bool graphic(char c) {
  return c > 0x20 && c < 0x7f;
}

// The bytes of the code point that `text` begins with, if it is well-formed UTF-8 (RFC 3629) and
// harmless on a terminal; else 0.
std::size_t harmless_point(std::string_view text) {
  const auto byte = [&](std::size_t i) { return std::uint32_t(std::uint8_t(text[i])); };
  const auto head = byte(0);
  if (head < 0x80)
    return head >= 0x20 && head != 0x7f;
  const std::size_t size = head >= 0xf0 ? 4 : head >= 0xe0 ? 3 : 2;
  if (head < 0xc2 || head > 0xf4 || text.size() < size)
    return 0;
  std::uint32_t point = head & (0xff >> (size + 1));
  for (std::size_t i = 1; i != size; ++i) {
    if ((byte(i) & 0xc0) != 0x80)
      return 0;
    point = point << 6 | (byte(i) & 0x3f);
  }
  constexpr std::uint32_t least[]{0x80, 0x800, 0x10000};
  const bool surrogate = point >= 0xd800 && point <= 0xdfff;
  const bool control = point < 0xa0;
  const bool turns = (point >= 0x2028 && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069);
  const bool fits = point >= least[size - 2] && point <= 0x10ffff;
  return fits && !surrogate && !control && !turns ? size : 0;
}

bool harmless(std::string_view text) {
  while (!text.empty()) {
    const auto size = harmless_point(text);
    if (size == 0)
      return false;
    text.remove_prefix(size);
  }
  return true;
}

std::string bounded(capnp::Text::Reader text) {
  require(text.size() <= text_bytes_max, "a text is longer than its bound");
  return {text.begin(), text.size()};
}

} // namespace

NodeId node_id(capnp::Data::Reader data) {
  return {exactly<32>(data, "a node id is not of 32 bytes")};
}

Digest digest(capnp::Data::Reader data) {
  return {exactly<32>(data, "a digest is not of 32 bytes")};
}

double amount(double number) {
  require(std::isfinite(number) && number >= 0, "a number is negative or not finite");
  return number;
}

std::uint8_t hops_of(std::uint8_t hops) {
  assert(hops <= hops_max);
  return hops;
}

std::uint8_t hops(std::uint8_t number) {
  require(number <= hops_max, "a message may be passed on too often");
  return number;
}

std::string name(capnp::Text::Reader text) {
  auto name = bounded(text);
  require(!name.empty() && std::ranges::all_of(name, graphic), "a name is not printable");
  return name;
}

capnp::Text::Reader name_of(const std::string& text) {
  assert(!text.empty() && text.size() <= text_bytes_max && std::ranges::all_of(text, graphic));
  return text_of(text);
}

std::string prose(capnp::Text::Reader text) {
  auto prose = bounded(text);
  require(harmless(prose), "a text has control characters or is not UTF-8");
  return prose;
}

std::string cleaned(std::string_view text) {
  std::string clean;
  while (!text.empty()) {
    const auto size = harmless_point(text);
    const auto point = size ? text.substr(0, size) : std::string_view{"?"};
    if (clean.size() + point.size() > text_bytes_max)
      break;
    clean += point;
    text.remove_prefix(std::max<std::size_t>(size, 1));
  }
  return clean;
}

void names_to_wire(TextList::Builder list, const std::vector<std::string>& names) {
  for (unsigned i = 0; i != list.size(); ++i)
    list.set(i, name_of(names[i]));
}

void to_wire(Envelope::Builder to, const Signed& seal) {
  to.setBody(data_of(seal.body));
  to.setKey(data_of(seal.key.view()));
  to.setSignature(data_of(seal.signature));
}

Signed from_wire(Envelope::Reader from) {
  const auto body = from.getBody();
  require(body.size() != 0, "an envelope is empty");
  const auto key = node_id(from.getKey());
  return {to_bytes(bytes_of(body)), key,
          exactly<64>(from.getSignature(), "a signature is not of 64 bytes")};
}

void to_wire(Address::Builder to, const tessera::Address& address) {
  assert(address.port != 0);
  to.setHost(name_of(address.host));
  to.setPort(address.port);
}

tessera::Address from_wire(Address::Reader from) {
  tessera::Address address{name(from.getHost()), from.getPort()};
  require(address.port != 0, "an address has port 0");
  return address;
}

void to_wire(PeerAddress::Builder to, const tessera::PeerAddress& peer) {
  to.setId(data_of(peer.id.view()));
  all_to_wire(to.initAddresses(size_of(peer.addresses, addresses_max)), peer.addresses);
}

tessera::PeerAddress from_wire(PeerAddress::Reader from) {
  return {node_id(from.getId()), all_from_wire(from.getAddresses(), addresses_max)};
}

void to_wire(Block::Builder to, const tessera::Block& block) {
  to.setLevel(block.level);
  to.setIndex(block.index);
}

tessera::Block from_wire(Block::Reader from) {
  const tessera::Block block{from.getLevel(), from.getIndex()};
  require(block.level <= 63 && block.index < std::uint64_t{1} << (63 - block.level),
          "a block lies past the last leaf of any job");
  return block;
}

void to_wire(NodeShare::Builder to, const tessera::NodeShare& share) {
  to.setNode(data_of(share.node.view()));
  to.setLeaves(share.leaves);
  to.setSteals(share.steals);
  to.setMerges(share.merges);
  to.setCpuNs(share.cpu_ns);
  to.setReceivedBytes(share.received_bytes);
  to.setSlots(share.slots);
}

tessera::NodeShare from_wire(NodeShare::Reader from) {
  return {node_id(from.getNode()), from.getLeaves(),        from.getSteals(), from.getMerges(),
          from.getCpuNs(),         from.getReceivedBytes(), from.getSlots()};
}

void to_wire(Reruns::Builder to, const tessera::Reruns& reruns) {
  to.setPeerGone(reruns.peer_gone);
  to.setSilent(reruns.silent);
  to.setCrashed(reruns.crashed);
  to.setFailed(reruns.failed);
  to.setDuplicated(reruns.duplicated);
  to.setLost(reruns.lost);
}

tessera::Reruns reruns_of(std::uint64_t all, Reruns::Reader why) {
  tessera::Reruns reruns{why.getPeerGone(), why.getSilent(),     why.getCrashed(),
                         why.getFailed(),   why.getDuplicated(), why.getLost()};
  const auto told = reruns.sum();
  reruns.untold = all - std::min(all, told);
  return reruns;
}

std::string arch(capnp::Text::Reader text) {
  auto arch = bounded(text);
  require(arch_of(arch) == arch, "an architecture is none");
  return arch;
}

capnp::Text::Reader arch_text(const std::string& arch) {
  assert(arch_of(arch) == arch);
  return text_of(arch);
}

void to_wire(Failure::Builder to, const Error& error) {
  to.setCode(text_of(cleaned(error.code)));
  to.setWhat(text_of(cleaned(error.what)));
  to.setWhy(text_of(cleaned(error.why)));
  to.setFix(text_of(cleaned(error.fix)));
}

Error from_wire(Failure::Reader from) {
  return {prose(from.getCode()), prose(from.getWhat()), prose(from.getWhy()), prose(from.getFix())};
}

} // namespace tessera::wire
