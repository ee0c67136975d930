#include "node/kernels/word_counts.hpp"
#include "tests/support/serial.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <sstream>

using namespace tessera;

namespace {

using Given = std::map<std::string, std::string>;
using Counts = std::map<std::string, std::uint64_t>;

// The oracle: one character after another, from a decoder that the kernel does not have.
struct Character {
  std::string bytes;
  bool letter;
};

Character character_at(const std::string& text, std::size_t at) {
  const auto c = [&](std::size_t i) {
    return at + i < text.size() ? std::uint8_t(text[at + i]) : std::uint8_t(0);
  };
  const auto more = [&](std::size_t i) { return (c(i) & 0xc0) == 0x80; };
  std::size_t size = 1;
  std::uint32_t point = c(0);
  if (c(0) >= 0xc2 && c(0) < 0xe0 && more(1))
    size = 2, point = (c(0) & 0x1fu) << 6 | (c(1) & 0x3fu);
  else if (c(0) >= 0xe0 && c(0) < 0xf0 && more(1) && more(2))
    size = 3, point = (c(0) & 0xfu) << 12 | (c(1) & 0x3fu) << 6 | (c(2) & 0x3fu);
  else if (c(0) >= 0xf0 && c(0) < 0xf8 && more(1) && more(2) && more(3))
    size = 4, point = 0x10000;
  if (size == 1)
    return {text.substr(at, 1), c(0) >= 0x80 || std::isalnum(c(0))};
  const bool sign = (point <= 0xbf && point != 0xaa && point != 0xb5 && point != 0xba) ||
                    (point >= 0x2000 && point <= 0x206f);
  return {text.substr(at, size), !sign};
}

Counts slow_counts(const std::string& text, bool fold = true, std::size_t min = 1) {
  Counts counts;
  std::string word;
  std::size_t characters = 0;
  for (std::size_t at = 0; at <= text.size();) {
    const auto c = at < text.size() ? character_at(text, at) : Character{" ", false};
    if (c.letter) {
      for (const char b : c.bytes)
        word += fold && b >= 'A' && b <= 'Z' ? char(b + 32) : b;
      ++characters;
    } else {
      if (!word.empty() && characters >= min)
        ++counts[word];
      word.clear();
      characters = 0;
    }
    at += c.bytes.size();
  }
  return counts;
}

std::string listed(const Counts& counts, std::size_t k = 0) {
  std::vector<std::pair<std::string, std::uint64_t>> rows(counts.begin(), counts.end());
  std::stable_sort(rows.begin(), rows.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  std::string out;
  for (std::size_t i = 0; i < rows.size() && (k == 0 || i < k); ++i)
    out += std::to_string(rows[i].second) + "\t" + rows[i].first + "\n";
  return out;
}

std::string counted(const std::string& text, Given given, std::uint64_t leaf = 0) {
  given.try_emplace("k", "0");
  const auto result = serial_job(*find_kernel("wordcount"), given, 0, leaf, view(text));
  INFO((result.ok() ? std::string() : to_text(result.error())));
  REQUIRE(result.ok());
  return std::string(text_of(*result));
}

// Words of few letters, so that they repeat, between separators and signs of all kinds.
std::string random_text(std::mt19937_64& rng, std::size_t bytes) {
  static const std::vector<std::string> pieces{"a",
                                               "B",
                                               "c",
                                               "7",
                                               "\xc3\xa9",
                                               "\xd0\xb4",
                                               "\xe2\x82\xac",
                                               " ",
                                               "\n",
                                               ", ",
                                               "\xe2\x80\x99",
                                               "\xc2\xa0",
                                               "\xc2\xb5",
                                               "\xe2\x81\xaf",
                                               "\xe2\x81\xb0",
                                               "\xf0\x9f\x99\x82"};
  std::string text;
  while (text.size() < bytes)
    text += pieces[rng() % pieces.size()];
  return text;
}

std::string licences() {
  std::string text;
  std::error_code none;
  for (const auto& entry :
       std::filesystem::directory_iterator("/usr/share/common-licenses", none)) {
    std::ifstream in(entry.path(), std::ios::binary);
    text.append(std::istreambuf_iterator<char>(in), {});
  }
  return text;
}

Bytes list_of(const Counts& counts) {
  Bytes list;
  for (const auto& [word, count] : counts)
    put_word(list, view(word), count);
  return list;
}

} // namespace

TEST_CASE("words are counted, most frequent first, equals in the order of their bytes") {
  const std::string text = "The cat, the dog; THE end.\nA cat's tail-end";
  CHECK(counted(text, {}) == "3\tthe\n2\tcat\n2\tend\n1\ta\n1\tdog\n1\ts\n1\ttail\n");
  CHECK(counted(text, {{"k", "2"}}) == "3\tthe\n2\tcat\n");
  CHECK(counted(text, {{"fold", "no"}, {"k", "3"}}) == "2\tcat\n2\tend\n1\tA\n");
  CHECK(counted(text, {{"min", "4"}}) == "1\ttail\n");
  CHECK(counted(" .,;\n", {}) == "");
}

TEST_CASE("beyond ASCII letters are letters, and curly quotes, dashes and hard spaces are not") {
  CHECK(counted("\xe2\x80\x9cStra\xc3\x9f"
                "e\xe2\x80\x9d\xe2\x80\x94Stra\xc3\x9f"
                "e\xc2\xa0na\xc3\xafve",
                {}) == "2\tstra\xc3\x9f"
                       "e\n1\tna\xc3\xafve\n");
  CHECK(counted("\xc3\x89t\xc3\xa9 \xc3\xa9t\xc3\xa9", {}) ==
        "1\t\xc3\x89t\xc3\xa9\n1\t\xc3\xa9t\xc3\xa9\n"); // Not folded, and said so.
  CHECK(counted("d\xc3\xa9j\xc3\xa0", {{"min", "4"}}) == "1\td\xc3\xa9j\xc3\xa0\n");
  CHECK(counted("d\xc3\xa9j\xc3\xa0", {{"min", "5"}}) == "");
}

TEST_CASE("any text at any cut between ranges has the counts of a slow decoder") {
  const std::uint64_t seed = 51;
  std::mt19937_64 rng(seed);
  for (int round = 0; round < 300; ++round) {
    const auto text = random_text(rng, 1 + rng() % 400);
    const WordRules rules{rng() % 2 == 0, 1 + rng() % 3};
    WordCounts counts(rules);
    std::size_t at = 0;
    Bytes all;
    while (at < text.size()) { // Ranges of a few bytes, some of them within a character.
      const auto end = std::min(text.size(), at + 1 + rng() % 9);
      REQUIRE(counts.count(view(text), at, end).ok());
      Bytes some, merged;
      REQUIRE(counts.list(some).ok());
      REQUIRE(merge_lists(all, some, merged) == Lists::merged);
      all = merged;
      at = end;
    }
    INFO("seed " << seed << " round " << round << ": " << text);
    CHECK(all == list_of(slow_counts(text, rules.fold, rules.characters_min)));
  }
}

TEST_CASE("bytes that are no UTF-8 are counted the same at any cut") {
  const std::uint64_t seed = 52;
  std::mt19937_64 rng(seed);
  static const std::string bytes = "aZ \xc2\xe2\x80\x81\x99\xaf\xb5\xf0\xff";
  for (int round = 0; round < 500; ++round) {
    std::string text;
    for (std::size_t i = 0; i < 1 + rng() % 40; ++i)
      text += bytes[rng() % bytes.size()];
    WordCounts counts(WordRules{});
    Bytes whole, parts;
    REQUIRE(counts.count(view(text), 0, text.size()).ok());
    REQUIRE(counts.list(whole).ok());
    for (std::size_t at = 0; at < text.size(); ++at)
      REQUIRE(counts.count(view(text), at, at + 1).ok());
    REQUIRE(counts.list(parts).ok());
    INFO("seed " << seed << " round " << round);
    CHECK(whole == parts);
  }
}

TEST_CASE("a long text has the same list whatever a leaf holds, also where one word is long") {
  const std::uint64_t seed = 53;
  std::mt19937_64 rng(seed);
  auto text = random_text(rng, 300'000) + " " + std::string(200'000, 'x') + " ";
  text += random_text(rng, 100'000);
  const auto expected = listed(slow_counts(text));
  for (const std::uint64_t leaf : {0, 1, 2, 3, 100})
    CHECK(counted(text, {}, leaf) == expected);
  CHECK(counted(text, {{"k", "5"}}) == listed(slow_counts(text), 5));
}

TEST_CASE("the licences of this machine have the counts of the slow decoder") {
  const auto text = licences();
  if (text.empty()) {
    MESSAGE(std::string("SKIPPED: no /usr/share/common-licenses here"));
    return;
  }
  CHECK(counted(text, {}) == listed(slow_counts(text)));
  CHECK(counted(text, {{"fold", "no"}, {"min", "12"}}) == listed(slow_counts(text, false, 12)));
}

TEST_CASE("more words than a list may hold are E443, in a leaf and in a merge") {
  const std::string text = "one two three four five";
  for (std::size_t most = 1; most < 40; ++most) {
    WordCounts counts({}, most);
    Bytes out;
    auto status = counts.count(view(text), 0, text.size());
    if (status.ok())
      status = counts.list(out);
    CHECK(status.ok() == (most >= 29)); // 19 letters, and two bytes for each word.
    CHECK((status.ok() || status.error().code == "E443"));
  }
  const auto a = list_of({{"a", 1}, {"b", 300}}), b = list_of({{"b", 1}, {"c", 1}});
  Bytes both;
  CHECK(merge_lists(a, b, both, 10) == Lists::merged);
  CHECK(both == list_of({{"a", 1}, {"b", 301}, {"c", 1}}));
  both.clear();
  CHECK(merge_lists(a, b, both, 9) == Lists::too_long);
}

TEST_CASE("only lists are merged and finished: anything else is E711, and read no further") {
  auto run = *find_kernel("wordcount")
                  ->open(*check_params(find_kernel("wordcount")->info(), {}),
                         view(std::string("\1\0\0\0\0\0\0\0x", 9)), 1);
  const auto good = list_of({{"b", 2}});
  const auto refused = [&](const Bytes& bad) {
    Bytes out;
    for (const auto& status :
         {run->merge(good, bad, out), run->merge(bad, good, out), run->finish(bad, out)})
      if (status.ok() || status.error().code != "E711")
        return false;
    return true;
  };
  CHECK_FALSE(refused(good));
  CHECK_FALSE(refused({}));
  const auto bytes = [](std::initializer_list<int> list) {
    Bytes b;
    for (const int i : list)
      b.push_back(std::uint8_t(i));
    return b;
  };
  for (const auto& bad :
       {bytes({1}), bytes({1, 'a'}), bytes({2, 'a', 1}), bytes({0, 1}), bytes({1, 'a', 0}),
        bytes({1, 'a', 0x81}), bytes({1, 'a', 0x81, 0}), bytes({0x81, 0, 'a', 1}),
        bytes({1, 'b', 1, 1, 'a', 1}), bytes({1, 'a', 1, 1, 'a', 1}), bytes({1, 'a', 1, 1}),
        bytes({1, 'a', 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}),
        bytes({1, 'a', 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}),
        bytes({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 'a', 1})}) {
    INFO(to_hex(bad));
    CHECK(refused(bad));
  }
  // Counts that would run over.
  const auto many = list_of({{"b", std::uint64_t{1} << 63}});
  Bytes out;
  CHECK(run->merge(many, good, out).error().code == "E711");
}

TEST_CASE(
    "lists with any byte changed or cut off never crash, and merge only where they are lists") {
  const std::uint64_t seed = 54;
  std::mt19937_64 rng(seed);
  const auto list = list_of(slow_counts(random_text(rng, 300)));
  for (int round = 0; round < 20'000; ++round) {
    auto other = list;
    if (rng() % 4 == 0)
      other.resize(rng() % (list.size() + 1));
    for (auto edits = 1 + rng() % 2; edits > 0 && !other.empty(); --edits)
      other[rng() % other.size()] = std::uint8_t(rng());
    Bytes merged, again;
    if (merge_lists(other, {}, merged) == Lists::merged) {
      INFO("seed " << seed << " round " << round);
      CHECK(merged == other); // One list, one spelling.
    }
    (void)merge_lists(list, other, again);
  }
}

TEST_CASE("an empty text is E422, and so is an input that was not prepared") {
  const auto& kernel = *find_kernel("wordcount");
  const auto params = *check_params(kernel.info(), {});
  CHECK(serial_job(kernel, {}, 0, 0, {}).error().code == "E422");
  CHECK(serial_job(kernel, {}, 7, 0, view("some text")).error().code == "E421");
  for (const auto& input : {std::string(), std::string("1234567"), std::string(8, '\0'),
                            std::string("\2\0\0\0\0\0\0\0x", 9)})
    CHECK(kernel.open(params, view(input), 1).error().code == "E422");
}
