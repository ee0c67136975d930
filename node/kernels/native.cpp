#include "node/kernels/native.hpp"

#include <algorithm>

namespace tessera {

Status check_items(const std::string& kernel, std::uint64_t items) {
  if (items >= 1 && items <= items_max)
    return Nothing{};
  if (items == 0)
    return Error{"E421", kernel + " has no items to work on",
                 "its items are counted by --items, which is 0 or not given",
                 "add --items N, with N from 1 to 9223372036854775808"};
  return Error{"E421", kernel + " cannot take " + std::to_string(items) + " items",
               "a job has at most 9223372036854775808 (2^63)", "give a smaller --items"};
}

Result<Plan> plan_of_samples(const std::string& kernel, std::uint64_t items,
                             std::uint64_t leaf_most) {
  if (auto checked = check_items(kernel, items); !checked)
    return checked.error();
  return Plan{items, std::min(items / 1024 + (items % 1024 != 0), leaf_most)};
}

ParamSpec seed_param() {
  constexpr double most = 0x1p53 - 1; // What every JSON reader keeps.
  return {"seed", std::int64_t{1}, "of the random numbers: another one, another sample", 0, most,
          {}};
}

Status check_derived_items(const std::string& kernel, std::uint64_t asked, std::uint64_t derived) {
  if (asked == 0 || asked == derived)
    return Nothing{};
  return Error{"E421", kernel + " cannot take " + std::to_string(asked) + " items",
               "its parameters and input make " + std::to_string(derived),
               "leave --items out: " + kernel + " counts its own"};
}

Error bad_partial(const std::string& kernel, std::size_t size, const std::string& expected) {
  return {"E711", "a partial does not fit the job",
          kernel + " expects " + expected + ", and got " + std::to_string(size) + " bytes",
          "a peer may run another version; compare: tessera peers --json"};
}

Status CountingRun::merge(ByteView left, ByteView right, Bytes& out) {
  for (const auto& side : {left, right})
    if (side.size() != 8)
      return bad_partial(kernel_, side.size(), "8 bytes");
  put(out, get<std::uint64_t>(left, 0) + get<std::uint64_t>(right, 0));
  return Nothing{};
}

Status CountingRun::finish(ByteView partial, Bytes& out) {
  if (partial.size() != 8)
    return bad_partial(kernel_, partial.size(), "8 bytes");
  put(out, view(std::to_string(get<std::uint64_t>(partial, 0))));
  return Nothing{};
}

} // namespace tessera
