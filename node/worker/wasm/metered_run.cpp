#include "node/worker/wasm/metered_run.hpp"

#include "crypto/little_endian.hpp"

namespace tessera::wasm {

namespace {

constexpr std::size_t fuel_bytes = 8;

Error bad_partial(std::size_t size) {
  return {"E711", "a partial does not fit the job",
          "it is of " + std::to_string(size) + " bytes, and ends with 8 of fuel",
          "a peer may run another version; compare: tessera peers --json"};
}

std::uint64_t fuel_of(ByteView partial) {
  return get<std::uint64_t>(partial, partial.size() - fuel_bytes);
}
ByteView bytes_of(ByteView partial) {
  return partial.first(partial.size() - fuel_bytes);
}

} // namespace

Status MeteredRun::metered(std::uint64_t before, Status status, Bytes& out) {
  if (status)
    put(out, before + inner_.last_fuel());
  return status;
}

Status MeteredRun::run(std::uint64_t begin, std::uint64_t end, Bytes& out) {
  return metered(0, inner_.run(begin, end, out), out);
}

Status MeteredRun::merge(ByteView left, ByteView right, Bytes& out) {
  for (const auto& side : {left, right})
    if (side.size() < fuel_bytes)
      return bad_partial(side.size());
  auto merged = inner_.merge(bytes_of(left), bytes_of(right), out);
  return metered(fuel_of(left) + fuel_of(right), std::move(merged), out);
}

Status MeteredRun::finish(ByteView partial, Bytes& out) {
  if (partial.size() < fuel_bytes)
    return bad_partial(partial.size());
  finished_ += fuel_of(partial);
  return inner_.finish(bytes_of(partial), out);
}

KernelRun::Usage MeteredRun::usage() {
  auto usage = inner_.usage();
  usage.fuel += finished_;
  return usage;
}

} // namespace tessera::wasm
