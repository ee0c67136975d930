#pragma once

#include "net/manifest.hpp"
#include "net/wire/codec.hpp"

#include <random>

// Any message that a well-behaved node might say, from a seed.
namespace tessera {

class RandomMessage {
public:
  RandomMessage(const Identity& self, const Codec& codec, std::uint64_t seed)
      : self_(self), codec_(codec), rng_(seed) {}

  // Of the kind that is number `kind` of the variant.
  Message of_kind(std::size_t kind) {
    Message message;
    pick(message, kind, std::make_index_sequence<std::variant_size_v<Message>>{});
    return message;
  }

  std::uint64_t number() {
    const auto bits = rng_() % 65; // Small and large ones alike.
    return bits == 0 ? 0 : rng_() >> (64 - bits);
  }
  std::uint64_t below(std::uint64_t n) { return rng_() % n; }
  Record record();
  JobSpec spec();

private:
  template<std::size_t... I>
  void pick(Message& message, std::size_t kind, std::index_sequence<I...>) {
    ((I == kind ? make(message.emplace<I>()) : void()), ...);
  }

  bool coin() { return rng_() % 2 == 0; }
  double amount() { return double(rng_() % 1000000) / 64; }
  Bytes bytes(std::size_t n) {
    Bytes b(n);
    for (auto& x : b)
      x = std::uint8_t(rng_());
    return b;
  }
  template<std::size_t N>
  void fill(std::array<std::uint8_t, N>& a) {
    for (auto& x : a)
      x = std::uint8_t(rng_());
  }
  Digest digest() {
    Digest d;
    fill(d.bytes);
    return d;
  }
  NodeId node() {
    NodeId n;
    fill(n.key);
    return n;
  }
  std::string name() {
    std::string s(1 + below(20), ' ');
    for (auto& c : s)
      c = char(0x21 + below(0x5e));
    return s;
  }
  std::string prose() {
    constexpr std::string_view points[]{"a", " ", "~", "\u00e9", "\u20ac", "\U0001f9e9"};
    std::string s;
    for (auto n = below(40); n; --n)
      s += points[below(std::size(points))];
    return s;
  }
  Error error() {
    if (coin())
      return {};
    return {prose(), prose(), prose(), prose()};
  }
  Block block() {
    const auto level = std::uint8_t(below(64));
    return {level, number() & ((std::uint64_t{1} << (63 - level)) - 1)};
  }
  Address address() { return {name(), std::uint16_t(1 + below(65535))}; }
  Bytes manifest() {
    Manifest m;
    m.fuel = number();
    for (auto n = 1 + below(manifest_parts_max); n; --n)
      m.parts.push_back({digest(), 1 + below(1u << 30), coin()});
    return m.encoded();
  }
  Partial partial() {
    if (coin())
      return {digest(), partial_inline_bytes_max + 1 + below(1u << 30), {}};
    const bool rows = coin();
    auto b = rows     ? manifest()
             : coin() ? bytes(below(40))
                      : bytes(below(partial_inline_bytes_max + 1));
    const auto id = blob_id(b);
    const auto size = b.size();
    return {id, size, std::move(b), rows};
  }
  NodeShare share() {
    return {node(), number(), number(), number(), number(), number(), std::uint32_t(number())};
  }
  Reruns reruns() { // Their sum stays in range.
    const auto few = [&] { return number() >> 4; };
    return {few(), few(), few(), few(), few(), few(), few()};
  }
  Worker worker() { return {number(), coin() ? "" : coin() ? "x86_64" : "aarch64"}; }
  Commitment::Ran ran() { return {block(), digest()}; }
  Signed any_seal() {
    Signed s{bytes(1 + below(300)), node(), {}};
    fill(s.signature);
    return s;
  }
  PeerAddress peer() {
    return {node(), some<Address>(addresses_max, [&] { return address(); })};
  }
  template<class T, class One>
  std::vector<T> some(std::size_t max, One one) {
    std::vector<T> list;
    for (auto n = below(std::min<std::size_t>(max, 6) + 1); n; --n)
      list.push_back(one());
    return list;
  }

  void make(Records& m) {
    m.records = some<std::shared_ptr<const SignedRecord>>(
        records_max, [&] { return codec_.seal_record(record()); });
  }
  void make(Join&) {}
  void make(ForwardJoin& m) {
    const auto p = peer();
    m = {p.id, p.addresses, std::uint8_t(below(hops_max + 1))};
  }
  void make(Neighbor& m) { m.high = coin(); }
  void make(NeighborReply& m) { m.accepted = coin(); }
  void make(DialBackAsk& m) { m.address = address(); }
  void make(DialBackAnswer& m) { m = {DialBackAnswer::Outcome(below(3)), prose()}; }
  void make(Disconnect& m) { m.leaving = coin(); }
  void make(Shuffle& m) {
    const auto p = peer();
    m = {p.id, p.addresses, std::uint8_t(below(hops_max + 1)),
         some<PeerAddress>(sample_max, [&] { return peer(); })};
  }
  void make(ShuffleReply& m) {
    m.sample = some<PeerAddress>(sample_max, [&] { return peer(); });
  }
  void make(StealAsk& m) {
    m = {number(),
         std::uint32_t(number()),
         amount(),
         some<std::string>(kernels_max, [&] { return name(); }),
         std::uint32_t(number()),
         worker()};
  }
  void make(Grant& m) {
    m.ask = number();
    if (coin())
      return;
    do
      m.spec = codec_.seal_spec(spec());
    while (m.spec->spec.shape != Shape::range); // Others are never leased.
    for (auto n = 1 + below(3); n; --n) {
      Lease lease{m.spec->id, number(), std::uint32_t(number()),
                  some<Block>(lease_blocks_max, [&] { return block(); }),
                  some<NodeId>(lease_path_max, [&] { return node(); })};
      lease.blocks.push_back(block());
      lease.path.push_back(self_.id());
      m.leases.push_back(lease);
    }
  }
  void make(LeaseRefused& m) { m = {digest(), number(), prose()}; }
  void make(LeaseResult& m) {
    m.job = digest();
    m.lease = number();
    m.attempt = std::uint32_t(number());
    m.sequence = number();
    m.done = some<BlockResult>(result_blocks_max, [&] { return BlockResult{block(), partial()}; });
    m.undone = some<Block>(lease_blocks_max, [&] { return block(); });
    m.failed = some<Block>(lease_blocks_max, [&] { return block(); });
    m.reason = error();
    m.last = coin();
    m.holder = node();
    m.ran = some<Commitment::Ran>(ran_max, [&] { return ran(); });
    m.commitments = some<Signed>(commitments_max, [&] { return any_seal(); });
    m.cpu_ns = number();
    m.shares = some<NodeShare>(shares_max, [&] { return share(); });
    m.reruns = reruns();
  }
  void make(Receipt& m) { m = {digest(), number(), number(), coin()}; }
  void make(LeaseBeat& m) { m = {digest(), digest()}; }
  void make(LeaseTable& m) {
    m.job = digest();
    m.rows = some<LeaseTable::Row>(table_rows_max, [&] {
      return LeaseTable::Row{number(), std::uint32_t(number()), coin(), number()};
    });
  }
  void make(CancelJob& m) { m.cancel = codec_.seal_cancel(digest()); }
  void make(JobOver& m) { m = {digest(), coin()}; }
  void make(KeepAsk& m) { m = {digest(), manifest(), node()}; }
  void make(KeepAnswer& m) { m = {digest(), digest(), coin()}; }
  void make(JobQuery& m) {
    m = {number(), node(), to_hex(digest()).substr(0, below(65)),
         std::uint8_t(below(hops_max + 1))};
  }
  void make(JobAnswer& m) {
    m = {number(), node(), some<JobStatus>(statuses_max, [&] {
           return JobStatus{codec_.seal_spec(spec()),
                            node(),
                            JobState(below(5)),
                            number(),
                            reruns(),
                            number(),
                            std::uint32_t(number()),
                            error(),
                            digest(),
                            number(),
                            coin(),
                            some<NodeShare>(shares_max, [&] { return share(); }),
                            number(),
                            std::uint32_t(number()),
                            number(),
                            number(),
                            std::uint32_t(number())};
         })};
  }
  void make(DetailAsk& m) {
    m = {number(), digest(), coin() ? DetailAsk::What::log : DetailAsk::What::why, number()};
  }
  void make(Detail& m) { m = {number(), digest(), prose()}; }
  void make(BlobAsk& m) { m = {digest(), number(), std::uint32_t(1 + below(blob_ask_chunks_max))}; }
  void make(BlobChunk& m) {
    m = {digest(), number(), 0, bytes(coin() ? below(100) : below(blob_chunk_bytes + 1)),
         some<Digest>(proof_max, [&] { return digest(); })};
    m.chunk = below(chunk_count(m.size));
  }
  void make(BlobMissing& m) { m.blob = digest(); }

  const Identity& self_;
  const Codec& codec_;
  std::mt19937_64 rng_;
};

inline Record RandomMessage::record() {
  Record r;
  r.subject = self_.id();
  r.boot = number();
  r.sequence = number();
  r.expires_ms = std::int64_t(number());
  r.name = prose();
  r.version = prose();
  r.addresses = some<Address>(addresses_max, [&] { return address(); });
  r.cores = std::uint32_t(number());
  r.slots = std::uint32_t(number());
  r.slots_free = std::uint32_t(number());
  r.speed = amount();
  r.load = amount();
  r.stealable_ns = number();
  r.kernels = some<std::string>(kernels_max, [&] { return name(); });
  r.leaving = coin();
  r.paused = coin();
  r.worker = worker();
  return r;
}

inline JobSpec RandomMessage::spec() {
  JobSpec s;
  s.submitter = self_.id();
  fill(s.nonce);
  s.submitted_ms = std::int64_t(number());
  s.kernel = name();
  s.kernel_version = std::uint32_t(number());
  s.params = bytes(below(200));
  s.items = 1 + (number() >> 1);
  s.leaf_items = 1 + (number() >> 1);
  for (const auto role :
       {Input::Role::data, Input::Role::module, Input::Role::params, Input::Role::state})
    if (below(2))
      s.inputs.push_back({digest(), number(), role});
  s.ttl_ms = number();
  s.retries = std::uint32_t(number());
  s.trust = Trust(below(3));
  s.shape = Shape(below(3));
  if (s.shape != Shape::range)
    s.rounds = std::uint32_t(1 + (number() >> 32));
  if (s.shape == Shape::range && coin()) {
    s.parent = digest();
    s.round = std::uint32_t(1 + (number() >> 32));
  }
  if ((s.shape == Shape::tree || s.round != 0) && coin())
    s.budget = std::uint32_t(number());
  s.priority = std::int8_t(int(below(21)) - 10);
  const auto w = worker();
  s.require = {w.memory_bytes, w.arch};
  s.deadline_ms = std::int64_t(number() >> 1);
  return s;
}

} // namespace tessera
