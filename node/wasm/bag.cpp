#include "node/wasm/bag.hpp"

#include "crypto/little_endian.hpp"

namespace tessera::wasm {
namespace {

class Reader {
public:
  explicit Reader(ByteView bytes) : left_(bytes) {}

  template<class T>
  T number() {
    const auto bytes = take(sizeof(T));
    return bytes.empty() ? T{0} : get<T>(bytes, 0);
  }
  ByteView take(std::uint64_t n) {
    sane_ = sane_ && n <= left_.size();
    if (!sane_)
      return {};
    const auto front = left_.first(std::size_t(n));
    left_ = left_.subspan(std::size_t(n));
    return front;
  }
  bool sane() const { return sane_; }
  bool more() const { return sane_ && !left_.empty(); }

private:
  ByteView left_;
  bool sane_ = true;
};

} // namespace

std::optional<Bag> Bag::of(ByteView bytes) {
  Reader r{bytes};
  Bag bag;
  bag.run = r.number<std::uint64_t>();
  bag.fuel = r.number<std::uint64_t>();
  const auto contributed = r.number<std::uint8_t>();
  const auto contribution = r.take(r.number<std::uint64_t>());
  if (contributed > 1 || (contributed == 0 && !contribution.empty()))
    return std::nullopt;
  if (contributed)
    bag.contribution = contribution;
  while (r.more())
    bag.tasks.push_back(r.take(r.number<std::uint32_t>()));
  return r.sane() ? std::optional{std::move(bag)} : std::nullopt;
}

void Bag::append_to(Bytes& out) const {
  put(out, run);
  put(out, fuel);
  out.push_back(contribution.has_value());
  put(out, std::uint64_t{contribution ? contribution->size() : 0});
  if (contribution)
    put(out, *contribution);
  for (const auto& task : tasks) {
    put(out, std::uint32_t(task.size()));
    put(out, task);
  }
}

} // namespace tessera::wasm
