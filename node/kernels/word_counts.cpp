#include "node/kernels/word_counts.hpp"

#include <algorithm>
#include <cstring>

namespace tessera {
namespace {

constexpr std::size_t slots_min = 4096;
constexpr std::uint64_t count_max = std::uint64_t{1} << 63;

bool is_letter(std::uint8_t c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// In UTF-8, of the middle or the end of a character.
bool continues(std::uint8_t c) {
  return (c & 0xc0) == 0x80;
}

// How many bytes the sign that starts here has; 0: none does.
std::size_t sign_bytes(ByteView text, std::size_t at) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() - at ? text[at + i] : std::uint8_t{0};
  };
  if (byte(0) == 0xc2) // Not the ordinals and the micro sign: they are letters.
    return continues(byte(1)) && byte(1) != 0xaa && byte(1) != 0xb5 && byte(1) != 0xba ? 2 : 0;
  const bool general = byte(0) == 0xe2 && continues(byte(2)) &&
                       (byte(1) == 0x80 || (byte(1) == 0x81 && byte(2) <= 0xaf));
  return general ? 3 : 0;
}

bool starts_sign(ByteView text, std::size_t at) {
  return (text[at] == 0xc2 || text[at] == 0xe2) && sign_bytes(text, at) > 0;
}

bool before(ByteView a, ByteView b) {
  const auto order = std::memcmp(a.data(), b.data(), std::min(a.size(), b.size()));
  return order != 0 ? order < 0 : a.size() < b.size();
}

// The first eight bytes as a number: most words are told apart by one comparison.
std::uint64_t head_of(ByteView word) {
  std::uint64_t head = 0;
  for (std::size_t i = 0; i < 8; ++i)
    head = head << 8 | (i < word.size() ? word[i] : 0);
  return head;
}

void put_number(Bytes& out, std::uint64_t number) {
  for (; number >= 0x80; number >>= 7)
    out.push_back(std::uint8_t(number | 0x80));
  out.push_back(std::uint8_t(number));
}

} // namespace

bool in_word(ByteView text, std::size_t at) {
  if (text[at] < 0x80)
    return is_letter(text[at]);
  for (std::size_t back = 0; back < 3 && back <= at; ++back)
    if (!continues(text[at - back]))
      return sign_bytes(text, at - back) <= back;
  return true;
}

Error too_many_words(std::size_t bytes_max) {
  return {"E443", "the text has too many different words",
          "with their counts they take more than the " + std::to_string(bytes_max) +
              " bytes that a list may have",
          "count longer words only, for example -p min=5, or cut the text into several"};
}

WordCounts::WordCounts(WordRules rules, std::size_t bytes_max)
    : rules_(rules), bytes_max_(bytes_max), table_(slots_min) {
  for (unsigned c = 0; c < 256; ++c)
    if (c >= 0x80 || is_letter(std::uint8_t(c)))
      folded_[c] = std::uint8_t(rules.fold && c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

Status WordCounts::count(ByteView text, std::size_t begin, std::size_t end) {
  auto at = begin;
  if (at > 0 && at < end && in_word(text, at - 1)) // It started before.
    at = end_of_word(text.first(end), at);
  while (at < end) {
    if (!folded_[text[at]] || (text[at] >= 0x80 && !in_word(text, at))) {
      ++at;
      continue;
    }
    const auto stop = end_of_word(text, at);
    if (auto added = add(text.subspan(at, stop - at)); !added)
      return added;
    at = stop;
  }
  return Nothing{};
}

// What continues a character continues the word, too: its start was no sign's.
std::size_t WordCounts::end_of_word(ByteView text, std::size_t at) const {
  while (at < text.size() && folded_[text[at]] && !starts_sign(text, at))
    ++at;
  return at;
}

Status WordCounts::add(ByteView word) {
  if (word.size() > bytes_max_ - letters_.size())
    return too_many_words(bytes_max_);
  const auto size = letters_.size();
  letters_.resize(size + word.size());
  auto* to = letters_.data() + size;
  std::uint64_t hash = 0xcbf29ce484222325; // FNV-1a.
  std::size_t characters = 0;
  for (const auto c : word) {
    *to = folded_[c];
    hash = (hash ^ *to++) * 0x100000001b3;
    characters += !continues(c);
  }
  if (characters >= rules_.characters_min) {
    auto& found = slot(hash, ByteView(letters_).subspan(size));
    ++found.count;
    if (found.size == 0) {
      found = {hash, 1, size, word.size()};
      if (++words_ > table_.size() / 2)
        grow();
      return Nothing{};
    }
  }
  letters_.resize(size);
  return Nothing{};
}

// Where the word is, or would be.
WordCounts::Word& WordCounts::slot(std::uint64_t hash, ByteView folded) {
  const auto mask = table_.size() - 1;
  for (auto i = (hash ^ hash >> 32) & mask;; i = (i + 1) & mask) {
    auto& w = table_[i];
    if (w.size == 0 || (w.hash == hash && w.size == folded.size() &&
                        std::memcmp(letters_.data() + w.at, folded.data(), w.size) == 0))
      return w;
  }
}

void WordCounts::grow() {
  auto old = std::exchange(table_, std::vector<Word>(table_.size() * 2));
  for (const auto& w : old)
    if (w.size > 0)
      slot(w.hash, letters(w)) = w;
}

Status WordCounts::list(Bytes& out) {
  struct Row {
    std::uint64_t head;
    const Word* word;
  };
  std::vector<Row> rows;
  rows.reserve(words_);
  for (const auto& w : table_)
    if (w.size > 0)
      rows.push_back({head_of(letters(w)), &w});
  std::sort(rows.begin(), rows.end(), [&](const Row& a, const Row& b) {
    return a.head != b.head ? a.head < b.head : before(letters(*a.word), letters(*b.word));
  });
  const auto start = out.size();
  for (const auto& row : rows)
    put_word(out, letters(*row.word), row.word->count);
  table_.assign(slots_min, Word{});
  letters_.clear();
  words_ = 0;
  if (out.size() - start > bytes_max_)
    return too_many_words(bytes_max_);
  return Nothing{};
}

bool WordList::next() {
  if (bad_ || rest_.empty())
    return false;
  bad_ = !read();
  return !bad_;
}

bool WordList::read() {
  std::uint64_t size = 0;
  if (!number(size) || size > rest_.size())
    return false;
  const auto word = rest_.first(std::size_t(size));
  if (!word_.empty() && !before(word_, word))
    return false;
  word_ = word;
  rest_ = rest_.subspan(word.size());
  return number(count_);
}

bool WordList::number(std::uint64_t& to) {
  to = 0;
  for (std::size_t i = 0; i < rest_.size() && i < 10; ++i) {
    const std::uint64_t digit = rest_[i] & 0x7f;
    if (i == 9 && digit > 1)
      return false;
    to |= digit << (7 * i);
    if (rest_[i] < 0x80) {
      const bool shortest = digit > 0 || i == 0;
      rest_ = rest_.subspan(i + 1);
      return shortest && to >= 1 && to <= count_max;
    }
  }
  return false;
}

void put_word(Bytes& out, ByteView word, std::uint64_t count) {
  put_number(out, word.size());
  out.insert(out.end(), word.begin(), word.end());
  put_number(out, count);
}

Lists merge_lists(ByteView left, ByteView right, Bytes& out, std::size_t bytes_max) {
  const auto start = out.size();
  WordList a(left), b(right);
  std::uint64_t words = 0; // That were counted, both together.
  const auto put = [&](ByteView word, std::uint64_t count) {
    put_word(out, word, count);
    words += count;
    return words <= count_max && out.size() - start <= bytes_max;
  };
  bool more_a = a.next(), more_b = b.next();
  while (more_a || more_b) {
    const bool from_a = more_a && (!more_b || !before(b.word(), a.word()));
    const bool from_b = more_b && (!more_a || !before(a.word(), b.word()));
    if (!put(from_a ? a.word() : b.word(), (from_a ? a.count() : 0) + (from_b ? b.count() : 0)))
      return words > count_max ? Lists::no_list : Lists::too_long;
    more_a = from_a ? a.next() : more_a;
    more_b = from_b ? b.next() : more_b;
  }
  return a.bad() || b.bad() ? Lists::no_list : Lists::merged;
}

} // namespace tessera
