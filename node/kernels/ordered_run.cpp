#include "node/kernels/ordered_run.hpp"

#include "crypto/little_endian.hpp"

namespace tessera {

namespace {

struct Side {
  std::uint64_t fuel = 0;
  ByteView bytes; // When it is no manifest.
  std::optional<Manifest> manifest;
};

std::optional<Side> side_of(ByteView partial) {
  if (partial.size() < ordered_head_bytes)
    return std::nullopt;
  if (partial[0] == std::uint8_t(OrderedForm::bytes))
    return Side{get<std::uint64_t>(partial, 1), partial.subspan(ordered_head_bytes), {}};
  auto manifest = Manifest::of(partial);
  if (!manifest)
    return std::nullopt;
  const auto fuel = manifest->fuel;
  return Side{fuel, {}, std::move(manifest)};
}

Error bad_partial(std::size_t size) {
  return {"E711", "a partial does not fit the job",
          "ordered output is bytes or a manifest, and these " + std::to_string(size) +
              " bytes are neither",
          "a peer may run another version; compare: tessera peers --json"};
}

void head(OrderedForm form, std::uint64_t fuel, Bytes& out) {
  out.push_back(std::uint8_t(form));
  put(out, fuel);
}

} // namespace

Status OrderedRun::run(std::uint64_t begin, std::uint64_t end, Bytes& out) {
  const auto at = out.size();
  const auto fuel_before = inner_->usage().fuel;
  pieces_.manifest = false;
  head(OrderedForm::bytes, 0, out);
  if (auto ran = inner_->run(begin, end, out); !ran)
    return ran;
  const auto fuel = inner_->usage().fuel - fuel_before;
  const auto bytes = ByteView{out}.subspan(at + ordered_head_bytes);
  if (bytes.size() > ordered_bytes_max) {
    const auto rows = rows_of(fuel, bytes);
    out.resize(at);
    answer(rows, out);
    return Nothing{};
  }
  for (std::size_t i = 0; i != sizeof fuel; ++i)
    out[at + 1 + i] = std::uint8_t(fuel >> (8 * i));
  return Nothing{};
}

Status OrderedRun::merge(ByteView left, ByteView right, Bytes& out) {
  auto l = side_of(left), r = side_of(right);
  if (!l || !r)
    return bad_partial(l ? right.size() : left.size());
  pieces_.manifest = false;
  if (!l->manifest && !r->manifest && l->bytes.size() + r->bytes.size() <= ordered_bytes_max) {
    head(OrderedForm::bytes, l->fuel + r->fuel, out);
    put(out, l->bytes);
    put(out, r->bytes);
    return Nothing{};
  }
  const auto rows = [&](Side& side) {
    return side.manifest ? std::move(*side.manifest) : rows_of(side.fuel, side.bytes);
  };
  auto first = rows(*l), second = rows(*r);
  answer(Manifest::joined(std::move(first), std::move(second),
                          [&](ByteView bytes) { return put_aside(bytes); }),
         out);
  return Nothing{};
}

Status OrderedRun::finish(ByteView partial, Bytes& out) {
  const auto side = side_of(partial);
  if (!side)
    return bad_partial(partial.size());
  finished_ += side->fuel;
  pieces_.manifest = side->manifest.has_value();
  put(out, side->manifest ? partial : side->bytes);
  return Nothing{};
}

KernelRun::Usage OrderedRun::usage() {
  auto usage = inner_->usage();
  usage.fuel += finished_;
  return usage;
}

KernelRun::Pieces OrderedRun::take_pieces() {
  const bool manifest = pieces_.manifest;
  auto taken = std::exchange(pieces_, {});
  pieces_.manifest = manifest;
  return taken;
}

BlobId OrderedRun::put_aside(ByteView bytes) {
  const auto id = blob_id(bytes);
  put(pieces_.bytes, bytes);
  put(pieces_.rows, id.view());
  put(pieces_.rows, std::uint64_t{bytes.size()});
  return id;
}

// Nothing at all has no rows.
Manifest OrderedRun::rows_of(std::uint64_t fuel, ByteView bytes) {
  Manifest m{fuel, {}};
  if (!bytes.empty())
    m.parts.push_back({put_aside(bytes), bytes.size(), false});
  return m;
}

void OrderedRun::answer(const Manifest& manifest, Bytes& out) {
  pieces_.manifest = true;
  put(out, manifest.encoded());
}

} // namespace tessera
