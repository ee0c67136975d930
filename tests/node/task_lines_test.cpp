#include "node/cli/task_lines.hpp"

#include "node/cli/failed.hpp"

#include <doctest/doctest.h>

using namespace tessera::cli;

namespace {

const std::string
    good = "385\n",
    bad =
        R"({"error":{"code":"E420","fix":"f","what":"sumsq has no parameter x","why":"it has none"}})"
        "\n";

} // namespace

TEST_CASE("tasks that failed are counted, however their lines are cut") {
  const auto text = good + bad + good + "{\"error\":3}\n" + bad;
  for (std::size_t size = 1; size != text.size() + 1; ++size) {
    TaskLines lines;
    for (std::size_t at = 0; at < text.size(); at += size)
      lines.pass(std::string_view{text}.substr(at, size));
    CAPTURE(size);
    CHECK(lines.tasks() == 5);
    CHECK(lines.failed() == 2);
  }
}

TEST_CASE("the first that failed is named, and the exit code says: in part") {
  TaskLines lines;
  lines.pass(good + bad);
  try {
    lines.check();
    FAIL("it must throw");
  } catch (const Failed& failed) {
    CHECK(failed.exit() == Exit::partial);
    CHECK(failed.error().code == "E603");
    CHECK(failed.error().what == "1 of 2 tasks failed");
    CHECK(failed.error().why == "the first is task 2: E420 sumsq has no parameter x; it has none");
  }
}

TEST_CASE("a list without a failure is fine") {
  TaskLines lines;
  lines.pass(good + good);
  CHECK_NOTHROW(lines.check());
}
