#include "node/kernels/native.hpp"
#include "node/kernels/word_counts.hpp"

#include <algorithm>

// The words of a text, counted exactly, the most frequent first. One item is a range of the text;
// a word belongs to the range that it starts in. A partial is the list of all words so far: what is
// seldom here may be frequent elsewhere, so nothing is dropped before the end.
namespace tessera {
namespace {

constexpr std::size_t range_bytes = 64 * 1024;
constexpr std::size_t head_bytes = 8; // Of the prepared input: the text's length, then the text.

Error not_prepared() {
  return {"E422", "the input is not a prepared text",
          "its first 8 bytes do not tell the length of what follows",
          "submit the text itself: it is prepared then"};
}

class WordcountRun : public KernelRun {
public:
  WordcountRun(const Params& params, ByteView text)
      : text_(text), top_(std::uint64_t(param<std::int64_t>(params, "k"))),
        counts_({param<std::string>(params, "fold") == "ascii",
                 std::size_t(param<std::int64_t>(params, "min"))}) {}

  Status run(std::uint64_t begin, std::uint64_t end, Bytes& out) override {
    const auto from = std::size_t(begin) * range_bytes;
    const auto to = std::min<std::uint64_t>(text_.size(), end * range_bytes);
    if (auto counted = counts_.count(text_, from, std::size_t(to)); !counted) {
      Bytes forgotten;
      (void)counts_.list(forgotten);
      return counted;
    }
    return counts_.list(out);
  }

  Status merge(ByteView left, ByteView right, Bytes& out) override {
    out.reserve(out.size() + left.size() + right.size());
    switch (merge_lists(left, right, out)) {
    case Lists::merged:
      return Nothing{};
    case Lists::too_long:
      return too_many_words(word_list_bytes_max);
    case Lists::no_list:
      break;
    }
    return impossible(left.size() + right.size());
  }

  Status finish(ByteView partial, Bytes& out) override {
    struct Row {
      std::uint64_t count;
      ByteView word;
    };
    std::vector<Row> rows;
    WordList list(partial);
    while (list.next())
      rows.push_back({list.count(), list.word()});
    if (list.bad())
      return impossible(partial.size());
    // Words come in the order of their bytes, which equal counts keep.
    std::stable_sort(rows.begin(), rows.end(),
                     [](const Row& a, const Row& b) { return a.count > b.count; });
    if (top_ > 0 && rows.size() > top_)
      rows.resize(std::size_t(top_));
    for (const auto& row : rows) {
      put(out, view(std::to_string(row.count) + "\t"));
      put(out, row.word);
      out.push_back('\n');
    }
    return Nothing{};
  }

private:
  static Error impossible(std::size_t size) {
    return bad_partial("wordcount", size, "words in the order of their bytes, with their counts");
  }

  ByteView text_;
  std::uint64_t top_;
  WordCounts counts_;
};

class Wordcount : public Kernel {
public:
  const KernelInfo& info() const override { return info_; }

  // A leaf is 64 KiB of a short text, and 1 MiB of a long one: so that it repeats its words.
  Result<Plan> plan(const Params&, std::uint64_t items, ByteView input_head) const override {
    if (input_head.size() < head_bytes)
      return not_prepared();
    const auto size = get<std::uint64_t>(input_head, 0);
    if (size == 0 || size > items_max)
      return not_prepared();
    const auto ranges = (size - 1) / range_bytes + 1;
    if (auto checked = check_derived_items("wordcount", items, ranges); !checked)
      return checked.error();
    return Plan{ranges, std::clamp<std::uint64_t>(ranges / 256, 1, 16)};
  }

  Status prepare(const Params&, ByteView input, Bytes& out) const override {
    if (input.empty())
      return Error{"E422", "the text is empty", "it has no words to count",
                   "give a file with some text as --input"};
    out.reserve(out.size() + head_bytes + input.size());
    put(out, std::uint64_t(input.size()));
    put(out, input);
    return Nothing{};
  }

  Result<std::unique_ptr<KernelRun>> open(const Params& params, ByteView input,
                                          std::uint64_t items) const override {
    if (auto planned = plan(params, items, input.first(std::min(input.size(), head_bytes)));
        !planned)
      return planned.error();
    const auto text = input.subspan(head_bytes);
    if (text.size() != get<std::uint64_t>(input, 0))
      return not_prepared();
    return std::unique_ptr<KernelRun>(std::make_unique<WordcountRun>(params, text));
  }

private:
  KernelInfo info_{
      .name = "wordcount",
      .help = "counts the words of a text (ASCII letters and digits, and letters beyond ASCII as "
              "they are), and lists the most frequent",
      .params =
          {{"k", std::int64_t{20}, "words to list; 0: all of them", 0, 1e9, {}},
           {"min", std::int64_t{1}, "characters of the shortest word that counts", 1, 1e6, {}},
           {"fold",
            std::string("ascii"),
            "whether A to Z count as a to z; other alphabets are not folded",
            0,
            0,
            {"ascii", "no"}}},
      .wants_input = true,
      .wants_items = false,
      .result = "text/plain"};
};

} // namespace

const Kernel& wordcount_kernel() {
  static const Wordcount kernel;
  return kernel;
}

} // namespace tessera
