#include "net/manifest.hpp"

#include "crypto/little_endian.hpp"

#include <cassert>
#include <limits>

namespace tessera {
namespace {

constexpr std::size_t row_bytes = 1 + 8 + 32;

} // namespace

std::uint64_t Manifest::size() const {
  std::uint64_t sum = 0;
  for (const auto& part : parts)
    sum += part.size;
  return sum;
}

Bytes Manifest::encoded() const {
  Bytes out;
  out.reserve(ordered_head_bytes + parts.size() * row_bytes);
  out.push_back(std::uint8_t(OrderedForm::manifest));
  put(out, fuel);
  for (const auto& part : parts) {
    out.push_back(part.manifest);
    put(out, part.size);
    put(out, part.blob.view());
  }
  return out;
}

std::optional<Manifest> Manifest::of(ByteView bytes) {
  if (bytes.size() < ordered_head_bytes || bytes[0] != std::uint8_t(OrderedForm::manifest))
    return std::nullopt;
  Manifest m;
  m.fuel = get<std::uint64_t>(bytes, 1);
  const auto rows = bytes.subspan(ordered_head_bytes);
  const auto count = rows.size() / row_bytes;
  if (count == 0 || count > manifest_parts_max || rows.size() % row_bytes)
    return std::nullopt;
  std::uint64_t sum = 0;
  for (std::size_t at = 0; at != rows.size(); at += row_bytes) {
    Part part{{}, get<std::uint64_t>(rows, at + 1), rows[at] == 1};
    const auto id = rows.subspan(at + 9, part.blob.bytes.size());
    std::copy(id.begin(), id.end(), part.blob.bytes.begin());
    if (rows[at] > 1 || part.size == 0 ||
        part.size > std::numeric_limits<std::uint64_t>::max() - sum)
      return std::nullopt;
    sum += part.size;
    m.parts.push_back(part);
  }
  return m;
}

ManifestWalk::ManifestWalk(const Manifest& top) {
  push(top);
}

std::optional<Manifest::Part> ManifestWalk::next() const {
  if (ahead_.empty())
    return std::nullopt;
  return ahead_.back();
}

void ManifestWalk::pass() {
  assert(!ahead_.empty());
  ahead_.pop_back();
}

bool ManifestWalk::enter(ByteView bytes) {
  assert(!ahead_.empty() && ahead_.back().manifest);
  const auto manifest = Manifest::of(bytes);
  if (!manifest || manifest->size() != ahead_.back().size)
    return false;
  ahead_.pop_back();
  push(*manifest);
  return true;
}

void ManifestWalk::push(const Manifest& manifest) {
  ahead_.insert(ahead_.end(), manifest.parts.rbegin(), manifest.parts.rend());
}

} // namespace tessera
