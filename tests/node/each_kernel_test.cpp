#include "node/kernels/each_input.hpp"
#include "node/kernels/each_lines.hpp"
#include "tests/support/serial.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <random>
#include <sstream>

using namespace tessera;

namespace {

using Json = nlohmann::json;
using Given = std::map<std::string, std::string>;

Bytes indexed(std::string_view file, std::uint64_t record_bytes = 0) {
  Bytes out;
  REQUIRE(EachInput::index(view(file), record_bytes, out).ok());
  return out;
}

std::vector<std::string> tasks_of(ByteView bytes) {
  const auto input = EachInput::of(bytes);
  REQUIRE(input);
  std::vector<std::string> tasks;
  for (std::uint64_t i = 0; i != input->tasks(); ++i) {
    const auto task = input->task(i);
    REQUIRE(task);
    tasks.emplace_back(text_of(*task));
  }
  CHECK(!input->task(input->tasks()));
  return tasks;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in{text};
  for (std::string line; std::getline(in, line);)
    lines.push_back(line);
  return lines;
}

std::vector<std::string> mapped(const std::string& kernel, const std::string& file,
                                const std::string& with = "{}", std::uint64_t leaf = 0) {
  const auto result =
      serial_job(*find_kernel("each"), {{"kernel", kernel}, {"with", with}}, 0, leaf, view(file));
  REQUIRE(result.ok());
  return lines_of(std::string{text_of(*result)});
}

std::string line_of(ByteView result) {
  Bytes out;
  put_result_line(result, out);
  return std::string{text_of(out)};
}

std::string code_of(const std::string& line) {
  return Json::parse(line).at("error").at("code");
}

} // namespace

TEST_CASE("a file's lines are its tasks, whether or not the last one ends") {
  using Tasks = std::vector<std::string>;
  CHECK(tasks_of(indexed("a\nbb\n")) == Tasks{"a", "bb"});
  CHECK(tasks_of(indexed("a\nbb")) == Tasks{"a", "bb"});
  CHECK(tasks_of(indexed("\n\nx\n\n")) == Tasks{"", "", "x", ""});
  CHECK(tasks_of(indexed("a\r\n")) == Tasks{"a\r"});
  CHECK(tasks_of(indexed("abcdefg", 3)) == Tasks{"abc", "def", "g"});
  CHECK(tasks_of(indexed("a\nb", 2)) == Tasks{"a\n", "b"});
}

TEST_CASE("a file without a task is refused") {
  Bytes out;
  CHECK(EachInput::index({}, 0, out).error().code == "E422");
}

TEST_CASE("an index that lies yields no task, and nothing outside of its file") {
  const auto whole = indexed("one\ntwo\nthree\n");
  std::mt19937_64 rng(11);
  for (int round = 0; round != 20'000; ++round) {
    auto bytes = whole;
    for (auto n = 1 + rng() % 3; n > 0; --n)
      bytes[rng() % bytes.size()] = std::uint8_t(rng());
    bytes.resize(rng() % 4 ? bytes.size() : rng() % bytes.size());
    const auto input = EachInput::of(bytes);
    for (std::uint64_t i = 0; input && i != std::min<std::uint64_t>(input->tasks(), 8); ++i)
      if (const auto task = input->task(i)) {
        CAPTURE(round);
        REQUIRE(task->data() >= bytes.data());
        REQUIRE(task->data() + task->size() <= bytes.data() + bytes.size());
      }
  }
}

TEST_CASE("a result that is JSON stands as it is, other text is quoted, other bytes are base64") {
  CHECK(line_of(view("385")) == "385\n");
  CHECK(line_of(view("{\"a\":\n 1}")) == "{\"a\":  1}\n");
  CHECK(line_of(view("[1] \n")) == "[1]\n");
  CHECK(line_of(view("two words")) == "\"two words\"\n");
  CHECK(line_of(view("two\nlines")) == "\"two\\nlines\"\n");
  CHECK(line_of(view("")) == "\"\"\n");
  CHECK(line_of(Bytes{0xff, 0x00, 0x01}) == "{\"base64\":\"/wAB\"}\n");
  CHECK(code_of(line_of(Bytes(task_result_bytes_max + 1, 'x'))) == "E735");
}

TEST_CASE("each line is a job of its own, with the very result that it has alone") {
  const std::vector<std::string> lines{"10", "items=3", "{\"items\": 1000}", "items=70000"};
  std::string file;
  std::vector<std::string> alone;
  for (const auto& line : lines)
    file += line + "\n";
  for (const std::uint64_t items : {10, 3, 1000, 70'000})
    alone.emplace_back(text_of(*serial_job(*find_kernel("sumsq"), {}, items)));
  CHECK(mapped("sumsq", file) == alone);
  CHECK(mapped("sumsq", file, "{}", 3) == alone);
}

TEST_CASE("a leaf of a task is the one that its kernel would have cut") {
  const std::string alone{text_of(*serial_job(*find_kernel("shape"), {}, 12'345))};
  CHECK(mapped("shape", "12345\n") == std::vector<std::string>{'"' + alone + '"'});
}

TEST_CASE("what a line does not say is what the job says of all") {
  const auto both = mapped("sumsq", "\nitems=2\n", R"({"items": 4})");
  CHECK(both == std::vector<std::string>{"14", "1"});
}

TEST_CASE("a task that fails fails alone, and says why in its line") {
  const auto lines = mapped("sumsq", "3\nthree\n{\"items\": [1]}\n{\nnone=1\n0\nitems=x\n4\n");
  REQUIRE(lines.size() == 8);
  CHECK(lines.front() == "5");
  CHECK(lines.back() == "14");
  const std::vector<std::string> codes{"E420", "E420", "E420", "E420", "E421", "E421"};
  for (std::size_t i = 0; i != codes.size(); ++i) {
    CAPTURE(lines[i + 1]);
    CHECK(code_of(lines[i + 1]) == codes[i]);
  }
}

TEST_CASE("kernels that cannot be mapped are refused at submission") {
  const auto refused = [](const char* kernel) {
    return serial_job(*find_kernel("each"), {{"kernel", kernel}}, 0, 0, view("1\n")).error().code;
  };
  CHECK(refused("filter") == "E422");
  CHECK(refused("each") == "E422");
  CHECK(refused("sumqs") == "E423");
}

TEST_CASE("an input without an index is no list of tasks") {
  const auto params = check_params(find_kernel("each")->info(), {});
  REQUIRE(params.ok());
  CHECK(find_kernel("each")->open(*params, view("1\n2\n"), 2).error().code == "E422");
}
