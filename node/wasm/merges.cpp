#include "node/wasm/merges.hpp"

#include "crypto/little_endian.hpp"
#include "node/wasm/text.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <optional>
#include <tuple>

namespace tessera::wasm {

namespace {

using Kind = Merge::Kind;

constexpr std::string_view names[] = {"concat",  "none",     "count",   "sum_i64",
                                      "min_i64", "max_i64",  "sum_f64", "min_f64",
                                      "max_f64", "topk_f64", "topk_i64"};
constexpr std::uint64_t canonical_nan = 0x7ff8000000000000, sign = std::uint64_t{1} << 63;

bool is_nan(std::uint64_t bits) {
  return (bits & ~sign) > 0x7ff0000000000000;
}

// f64 bits as an integer that orders as the numbers do, -0 below 0; all NaNs are 0, below all.
std::uint64_t rank_f64(std::uint64_t bits) {
  if (is_nan(bits))
    return 0;
  return bits & sign ? ~bits : bits | sign;
}

std::uint64_t rank_i64(std::uint64_t bits) {
  return bits ^ sign;
}

std::uint64_t sum_f64(std::uint64_t left, std::uint64_t right) {
  const auto sum = std::bit_cast<double>(left) + std::bit_cast<double>(right);
  return sum == sum ? std::bit_cast<std::uint64_t>(sum) : canonical_nan;
}

template<bool larger>
std::uint64_t extreme_f64(std::uint64_t left, std::uint64_t right) {
  if (is_nan(left) || is_nan(right))
    return canonical_nan;
  return (rank_f64(left) < rank_f64(right)) == larger ? right : left;
}

template<bool larger>
std::uint64_t extreme_i64(std::uint64_t left, std::uint64_t right) {
  return (rank_i64(left) < rank_i64(right)) == larger ? right : left;
}

std::uint64_t sum_i64(std::uint64_t left, std::uint64_t right) {
  return left + right;
}

using Combine = std::uint64_t (*)(std::uint64_t, std::uint64_t);

Combine combine(Kind kind) {
  switch (kind) {
  case Kind::min_i64:
    return extreme_i64<false>;
  case Kind::max_i64:
    return extreme_i64<true>;
  case Kind::sum_f64:
    return sum_f64;
  case Kind::min_f64:
    return extreme_f64<false>;
  case Kind::max_f64:
    return extreme_f64<true>;
  default:
    return sum_i64;
  }
}

Error misfit(std::string_view merge, std::size_t size, const std::string& expected) {
  return {"E711", "a partial does not fit the job",
          "merge " + std::string{merge} + " expects " + expected + ", and got " +
              std::to_string(size) + " bytes",
          "make each leaf write that much, or name another merge"};
}

struct Record {
  std::uint64_t score, id;
};

void records(ByteView partial, std::vector<Record>& all) {
  for (std::size_t at = 0; at != partial.size(); at += 16)
    all.push_back({get<std::uint64_t>(partial, at), get<std::uint64_t>(partial, at + 8)});
}

// The best `k` of both sides, best first; NaNs of one id are told apart by their bits.
void best(ByteView left, ByteView right, std::uint32_t k, std::uint64_t (*rank)(std::uint64_t),
          Bytes& out) {
  std::vector<Record> all;
  all.reserve((left.size() + right.size()) / 16);
  records(left, all);
  records(right, all);
  std::ranges::sort(all, [&](const Record& a, const Record& b) {
    return std::tuple{~rank(a.score), a.id, a.score} < std::tuple{~rank(b.score), b.id, b.score};
  });
  all.resize(std::min<std::size_t>(all.size(), k));
  for (const auto& r : all) {
    put(out, r.score);
    put(out, r.id);
  }
}

std::optional<std::uint32_t> count_in(std::string_view text) {
  std::uint32_t k = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), k);
  if (error != std::errc{} || end != text.data() + text.size() || k == 0)
    return std::nullopt;
  return k;
}

} // namespace

Result<Merge> Merge::named(std::string_view name) {
  const auto colon = name.find(':');
  const auto at = std::ranges::find(names, name.substr(0, colon));
  const auto kind = Kind(at - std::begin(names));
  const bool counts = at != std::end(names) && kind >= Kind::topk_f64;
  const auto k = colon == name.npos ? std::nullopt : count_in(name.substr(colon + 1));
  if (at != std::end(names) && (counts ? k.has_value() : colon == name.npos))
    return Merge{kind, k.value_or(0)};
  return Error{
      "E426", "no merge is called " + plain_text(view(name), 64),
      "there are concat, none, count, sum_i64, min_i64, max_i64, sum_f64, min_f64, max_f64, "
      "topk_f64:K and topk_i64:K",
      "name one of these, or export merge from the module"};
}

std::string Merge::name() const {
  const std::string name{names[std::size_t(kind_)]};
  return kind_ < Kind::topk_f64 ? name : name + ":" + std::to_string(k_);
}

Status Merge::merge(ByteView left, ByteView right, Bytes& out) const {
  const std::size_t unit = kind_ >= Kind::topk_f64 ? 16 : kind_ >= Kind::count ? 8 : 1;
  for (const auto& side : {left, right})
    if (side.size() % unit != 0 || (kind_ == Kind::count && side.size() > 8))
      return misfit(name(), side.size(),
                    kind_ == Kind::count ? "8" : "a multiple of " + std::to_string(unit));
  if (kind_ == Kind::none)
    return Nothing{};
  if (kind_ == Kind::topk_f64 || kind_ == Kind::topk_i64) {
    best(left, right, k_, kind_ == Kind::topk_f64 ? rank_f64 : rank_i64, out);
    return Nothing{};
  }
  if (kind_ == Kind::concat || left.empty() || right.empty()) {
    put(out, left);
    put(out, right);
    return Nothing{};
  }
  if (left.size() != right.size())
    return misfit(name(), right.size(), "both sides alike, " + std::to_string(left.size()));
  const auto of_two = combine(kind_);
  for (std::size_t at = 0; at != left.size(); at += 8)
    put(out, of_two(get<std::uint64_t>(left, at), get<std::uint64_t>(right, at)));
  return Nothing{};
}

Status Merge::finish(ByteView partial, Bytes& out) const {
  return merge(partial, {}, out);
}

} // namespace tessera::wasm
