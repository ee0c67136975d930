#include "node/store/blobs.hpp"
#include "node/store/journal.hpp"
#include "node/store/usage_book.hpp"

#include <doctest/doctest.h>

#include <ctime>
#include <random>
#include <sys/stat.h>

using namespace tessera;
namespace fs = std::filesystem;

namespace {

constexpr std::int64_t hour = 3'600'000, day = 24 * hour;

NodeId node(std::uint8_t n) {
  NodeId id{};
  id.key.fill(n);
  return id;
}
JobId job(const std::string& name) {
  return digest_of("usage tests", {view(name)});
}

struct Folder {
  fs::path path;
  Folder() {
    auto name = (fs::temp_directory_path() / "tessera-usage-XXXXXX").string();
    path = ::mkdtemp(name.data());
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
};

Journal open(const Folder& folder) {
  auto journal = Journal::open(folder.path / "journal.db");
  REQUIRE(journal.ok());
  return std::move(*journal);
}

} // namespace

TEST_CASE("use is told by submitter since the start, of a day, a week and a year, and by job") {
  UsageBook book;
  const std::int64_t now = 1000 * day + 5 * hour;
  book.add(node(1), job("a"), "spin", {1, 10, 100}, now - 300 * day);
  book.add(node(1), job("a"), "spin", {2, 20, 200}, now - 3 * day);
  book.add(node(1), job("b"), "spin", {3, 30, 300}, now - hour);
  book.add(node(2), job("c"), "wasm", {4, 400, 4}, now);
  const auto told = book.told(now);
  REQUIRE(told.submitters.size() == 2);
  CHECK(told.submitters[0].submitter == node(2)); // It used most of the week.
  const auto& one = told.submitters[1];
  CHECK(one.since_start == Usage{6, 60, 600});
  CHECK(one.year == Usage{6, 60, 600});
  CHECK(one.week == Usage{5, 50, 500});
  CHECK(one.day == Usage{3, 30, 300});
  REQUIRE(told.jobs.size() == 3);
  CHECK(told.jobs[0].job == job("c"));
  CHECK(told.jobs[0].kernel == "wasm");
  CHECK(told.jobs[2].usage == Usage{3, 30, 300});
}

TEST_CASE("the book is as long as it says, whoever comes") {
  UsageBook book;
  const std::int64_t now = 1000 * day;
  std::mt19937 dice{1};
  Usage all;
  for (std::size_t i = 0; i < 2 * UsageBook::submitters_max; ++i) {
    NodeId id{};
    for (auto& byte : id.key)
      byte = std::uint8_t(dice());
    book.add(id, job(std::to_string(i)), "spin", {1, 1, 1}, now);
    all += {1, 1, 1};
  }
  for (std::size_t i = 0; i <= UsageBook::jobs_max; ++i)
    book.add(node(1), job("more" + std::to_string(i)), "spin", {1, 1, 1}, now + std::int64_t(i));
  all += {UsageBook::jobs_max + 1, UsageBook::jobs_max + 1, UsageBook::jobs_max + 1};
  const auto told = book.told(now);
  CHECK(told.submitters.size() == UsageBook::submitters_max + 1); // And all others as one.
  CHECK(told.jobs.size() == UsageBook::jobs_max);
  Usage sum;
  for (const auto& by : told.submitters)
    sum += by.week;
  CHECK(sum == all);
}

TEST_CASE("what was used outlives the process, to the day for a year and to the hour for a week") {
  const Folder folder;
  const std::int64_t now = 1000 * day + hour;
  {
    auto journal = open(folder);
    UsageBook book;
    book.add(node(1), job("a"), "spin", {1, 10, 100}, now - 400 * day);
    book.add(node(1), job("a"), "spin", {2, 20, 200}, now - 30 * day);
    book.add(node(2), job("b"), "spin", {3, 30, 300}, now);
    CHECK(journal.save_usage(book.unsaved(now)).ok());
    CHECK(book.unsaved(now).rows.empty());
    book.add(node(2), job("b"), "spin", {1, 1, 1}, now); // The same rows, once more.
    CHECK(journal.save_usage(book.unsaved(now)).ok());
  }
  auto journal = open(folder);
  const auto rows = journal.usage();
  REQUIRE(rows.ok());
  CHECK(rows->size() == 3); // A day of 30 days ago, and today's and this hour's.
  const auto told = UsageBook{*rows}.told(now);
  REQUIRE(told.submitters.size() == 2);
  CHECK(told.submitters[0].week == Usage{4, 31, 301});
  CHECK(told.submitters[0].since_start == Usage{});
  CHECK(told.submitters[1].year == Usage{2, 20, 200});
  CHECK(told.submitters[1].week == Usage{});
}

TEST_CASE("an ended job expires, one that runs does not, and what it was stays known") {
  const Folder folder;
  {
    auto journal = open(folder);
    for (const auto* name : {"old", "older", "young", "running"})
      CHECK(journal.job_accepted(job(name), to_bytes(view(name))).ok());
    const auto end = [&](const char* name, std::int64_t at) {
      JournaledJob ended;
      ended.id = job(name);
      ended.state = JobState::done;
      ended.ended_ms = at;
      ended.result = job(std::string{"result of "} + name);
      CHECK(journal.job_ended(ended).ok());
    };
    end("old", 2000), end("older", 1000), end("young", 9000);
    const auto first = journal.expire(5000, 10'000, 1); // No more than one at once.
    REQUIRE(first.ok());
    REQUIRE(first->size() == 1);
    CHECK(first->front().id == job("older"));
    CHECK(first->front().result == job("result of older"));
    CHECK(journal.expire(5000, 11'000)->size() == 1);
    CHECK(journal.expire(5000, 12'000)->empty());
    CHECK(journal.jobs()->size() == 2);
    CHECK(journal.is_over(job("old")));
    CHECK_FALSE(journal.is_over(job("running")));
  }
  const auto expired = open(folder).expired();
  REQUIRE(expired.ok());
  REQUIRE(expired->size() == 2);
  CHECK(expired->at(0).id == job("older"));
  CHECK(expired->at(1).ended_ms == 2000);
  CHECK(expired->at(1).expired_ms == 11'000);
}

TEST_CASE("blobs that nobody used go after a while, pinned ones stay, and a use counts") {
  const Folder folder;
  const auto fill = [](std::uint8_t n) { return Bytes(100, n); };
  {
    auto blobs = *Blobs::open(folder.path / "blobs", 1 << 20);
    blobs.at(1000);
    const auto unused = *blobs.put(fill(1)), pinned = *blobs.put(fill(2)),
               read = *blobs.put(fill(3));
    blobs.pin(pinned);
    blobs.at(2000);
    CHECK(blobs.file(read).ok());
    blobs.forget_unused_since(1000);
    CHECK(blobs.has(unused));
    blobs.forget_unused_since(1001);
    CHECK_FALSE(blobs.has(unused));
    CHECK_FALSE(fs::exists(folder.path / "blobs" / to_hex(unused)));
    CHECK(blobs.has(pinned));
    CHECK(blobs.has(read));
    CHECK(blobs.bytes_used() == 200);
  }
  auto blobs = *Blobs::open(folder.path / "blobs", 1 << 20); // As old as their files.
  blobs.forget_unused_since(std::time(nullptr) - 3600);
  CHECK(blobs.bytes_used() == 200);
  blobs.forget_unused_since(std::time(nullptr) + 3600);
  CHECK(blobs.bytes_used() == 0);
}
