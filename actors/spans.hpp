#pragma once

#include <cstdint>
#include <iterator>
#include <map>

// A set of leaves as spans [begin, end), joined where they touch.
namespace tessera {

class Spans {
public:
  void add(std::uint64_t begin, std::uint64_t end) {
    auto it = spans_.upper_bound(begin);
    if (it != spans_.begin() && std::prev(it)->second >= begin)
      --it;
    while (it != spans_.end() && it->first <= end) {
      begin = it->first < begin ? it->first : begin;
      end = it->second > end ? it->second : end;
      it = spans_.erase(it);
    }
    spans_[begin] = end;
  }
  void remove(std::uint64_t begin, std::uint64_t end) {
    auto it = spans_.upper_bound(begin);
    if (it != spans_.begin() && std::prev(it)->second > begin)
      --it;
    while (it != spans_.end() && it->first < end) {
      const auto [b, e] = *it;
      it = spans_.erase(it);
      if (b < begin)
        spans_[b] = begin;
      if (e > end)
        spans_[end] = e;
    }
  }
  bool contains(std::uint64_t begin, std::uint64_t end) const {
    const auto it = spans_.upper_bound(begin);
    return it != spans_.begin() && std::prev(it)->second >= end;
  }
  bool meets(std::uint64_t begin, std::uint64_t end) const {
    const auto it = spans_.lower_bound(end);
    return it != spans_.begin() && std::prev(it)->second > begin;
  }
  bool empty() const { return spans_.empty(); }
  void clear() { spans_.clear(); }

private:
  std::map<std::uint64_t, std::uint64_t> spans_;
};

} // namespace tessera
