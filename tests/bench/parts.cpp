#include "actors/ledger.hpp"
#include "crypto/noise.hpp"
#include "net/wire/codec.hpp"
#include "tests/net/random_message.hpp"

#include <benchmark/benchmark.h>

// What the protocol's parts cost by themselves: codec, cipher, ledger. tests/bench/parts runs it.
namespace {

using namespace tessera;

const Identity& self() {
  static const Identity it = Identity::from_seed(Secret<32>{{1}});
  return it;
}
const Codec& codec() {
  static const Codec it{self(), digest_of(view("bench"))};
  return it;
}

// --- Codec. Messages of each kind, as tests make them; sealed ones with their signatures.

template<class Kind>
Message message_of() {
  return RandomMessage{self(), codec(), 7}.of_kind(Message{Kind{}}.index());
}

template<class Kind>
void encode(benchmark::State& state) {
  const auto message = message_of<Kind>();
  std::size_t bytes = 0;
  for (auto _ : state)
    bytes = codec().encode(message).size();
  state.counters["bytes"] = double(bytes);
}
template<class Kind>
void decode(benchmark::State& state) {
  const auto bytes = codec().encode(message_of<Kind>());
  for (auto _ : state) {
    const auto read = codec().decode(self().id(), bytes);
    if (!std::holds_alternative<Message>(read))
      return state.SkipWithError("it was refused");
    benchmark::DoNotOptimize(&read);
  }
  state.counters["bytes"] = double(bytes.size());
}
BENCHMARK(encode<StealAsk>);
BENCHMARK(decode<StealAsk>);
BENCHMARK(encode<Grant>);
BENCHMARK(decode<Grant>);
BENCHMARK(encode<LeaseResult>);
BENCHMARK(decode<LeaseResult>);

// --- Cipher. One frame's plaintext, from small to the largest.

void encrypt(benchmark::State& state) {
  CipherState cipher{Secret<32>{{1}}};
  const Bytes plain(std::size_t(state.range(0)), 7);
  Bytes out;
  for (auto _ : state) {
    out.clear();
    cipher.encrypt({}, plain, out);
  }
  state.SetBytesProcessed(std::int64_t(state.iterations()) * state.range(0));
}
BENCHMARK(encrypt)->Arg(64)->Arg(4096)->Arg(65'000);

void both_ways(benchmark::State& state) {
  CipherState send{Secret<32>{{1}}}, receive{Secret<32>{{1}}};
  const Bytes plain(std::size_t(state.range(0)), 7);
  Bytes wire, read;
  for (auto _ : state) {
    wire.clear(), read.clear();
    send.encrypt({}, plain, wire);
    if (!receive.decrypt({}, wire, read))
      return state.SkipWithError("it was refused");
  }
  state.SetBytesProcessed(std::int64_t(state.iterations()) * state.range(0));
}
BENCHMARK(both_ways)->Arg(64)->Arg(4096)->Arg(65'000);

// --- Ledger. A job of 2^20 leaves in blocks of `range` leaves.

constexpr std::uint64_t leaves = 1 << 20;

void merge_all(Ledger& ledger, const Partial& partial) {
  while (const auto merge = ledger.take_merge())
    ledger.done(merge->block, partial);
}

void run_all(benchmark::State& state) {
  const BlockTree tree{leaves};
  const auto block_leaves = std::uint64_t(state.range(0));
  std::uint64_t blocks = 0;
  for (auto _ : state) {
    Ledger ledger{tree, {tree.root()}};
    while (const auto block = ledger.take_to_run(block_leaves)) {
      ledger.done(*block, {});
      merge_all(ledger, {});
      ++blocks;
    }
    if (!ledger.complete())
      return state.SkipWithError("leaves are left");
  }
  state.SetItemsProcessed(std::int64_t(blocks));
}
BENCHMARK(run_all)->Arg(1 << 14)->Arg(1 << 10)->Unit(benchmark::kMicrosecond);

// Half of what is queued goes to a thief, again and again, and comes back done.
void steal_all(benchmark::State& state) {
  const BlockTree tree{leaves};
  std::uint64_t leases = 0;
  for (auto _ : state) {
    Ledger ledger{tree, {tree.root()}};
    while (ledger.queued_leaves() > 0) {
      const auto half = (ledger.queued_leaves() + 1) / 2;
      for (const auto& block : ledger.take_to_lease(half, 64)) {
        ledger.lease(block, {self().id(), ++leases, 1});
        ledger.done(block, {});
      }
      merge_all(ledger, {});
    }
    if (!ledger.complete())
      return state.SkipWithError("leaves are left");
  }
  state.SetItemsProcessed(std::int64_t(leases));
}
BENCHMARK(steal_all)->Unit(benchmark::kMicrosecond);

} // namespace

BENCHMARK_MAIN();
