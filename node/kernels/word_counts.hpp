#pragma once

#include "crypto/bytes.hpp"
#include "crypto/result.hpp"

#include <array>
#include <vector>

// How often each word occurs: counted in a hash table, carried as a sorted list, merged list by
// list.
//
// A word is a run of ASCII letters and digits and of characters beyond ASCII; but not of the signs
// of Latin-1 (U+0080 to U+00BF without the letters among them) and of general punctuation (U+2000
// to U+206F). Bytes that are no UTF-8 count as letters.
namespace tessera {

bool in_word(ByteView text, std::size_t at);

struct WordRules {
  bool fold = true;               // A to Z count as a to z. Beyond ASCII nothing is folded.
  std::size_t characters_min = 1; // Shorter words do not count.
};

// A list is {varint length, the word, varint count} of each word, in the order of their bytes. None
// is longer than this, so that a merge of two fits a worker: E443 where it would be.
inline constexpr std::size_t word_list_bytes_max = std::size_t{64} << 20;
Error too_many_words(std::size_t bytes_max); // E443

class WordCounts {
public:
  explicit WordCounts(WordRules rules, std::size_t bytes_max = word_list_bytes_max);

  // Counts the words that start in [begin, end); the last may go on beyond. So ranges that are
  // side by side count each word once.
  Status count(ByteView text, std::size_t begin, std::size_t end);
  Status list(Bytes& out); // Appends what was counted, and forgets it.

private:
  struct Word {
    std::uint64_t hash = 0, count = 0;
    std::size_t at = 0, size = 0; // In letters_; size 0: none is here.
  };

  std::size_t end_of_word(ByteView text, std::size_t at) const;
  Status add(ByteView word);
  Word& slot(std::uint64_t hash, ByteView folded);
  void grow();
  ByteView letters(const Word& w) const { return ByteView(letters_).subspan(w.at, w.size); }

  WordRules rules_;
  std::size_t bytes_max_;
  std::array<std::uint8_t, 256> folded_{}; // What a byte counts as; 0: it is between words.
  std::vector<Word> table_;                // Open addressing; its size is a power of 2.
  std::size_t words_ = 0;
  Bytes letters_;
};

// Reads a list, wary of what a peer may have sent.
class WordList {
public:
  explicit WordList(ByteView list) : rest_(list) {}

  bool next(); // False at the end, and where it is no list.
  bool bad() const { return bad_; }
  ByteView word() const { return word_; }
  std::uint64_t count() const { return count_; }

private:
  bool number(std::uint64_t& to); // From 1 to 2^63, in its shortest form.
  bool read();

  ByteView rest_, word_;
  std::uint64_t count_ = 0;
  bool bad_ = false;
};

void put_word(Bytes& out, ByteView word, std::uint64_t count);

// Appends the list of both; `out` is unspecified unless they are merged.
enum class Lists { merged, no_list, too_long };
Lists merge_lists(ByteView left, ByteView right, Bytes& out,
                  std::size_t bytes_max = word_list_bytes_max);

} // namespace tessera
