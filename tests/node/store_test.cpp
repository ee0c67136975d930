#include "node/store/blobs.hpp"
#include "node/store/journal.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <sqlite3.h>
#include <stdlib.h>

using namespace tessera;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

struct Folder {
  fs::path path;
  Folder() {
    char name[] = "/tmp/tessera-store-XXXXXX";
    path = mkdtemp(name);
  }
  ~Folder() { fs::remove_all(path); }
};

Bytes some(std::size_t size, std::uint8_t first) {
  Bytes bytes(size);
  for (std::size_t i = 0; i != size; ++i)
    bytes[i] = std::uint8_t(first + i * 7 + i / 251);
  return bytes;
}

BlockResult result(std::uint8_t level, std::uint64_t index, std::uint8_t value) {
  const Bytes bytes{value};
  return {{level, index}, {blob_id(bytes), 1, bytes}};
}

} // namespace

TEST_CASE("a blob comes back as it was put, whole and by proven chunks, after a restart too") {
  Folder folder;
  const auto bytes = some(200'000, 3);
  const auto id = blob_id(bytes);
  {
    auto blobs = Blobs::open(folder.path, 1'000'000);
    REQUIRE(blobs);
    REQUIRE(*blobs->put(bytes) == id);
  }
  auto blobs = Blobs::open(folder.path, 1'000'000);
  REQUIRE(blobs->has(id));
  CHECK(to_bytes(blobs->bytes(id)->bytes()) == bytes);
  for (std::uint64_t i = 0; i < chunk_count(bytes.size()); ++i) {
    const auto chunk = blobs->chunk(id, i);
    REQUIRE(chunk);
    CHECK(chunk_proves(id, chunk->size, i, chunk->bytes, chunk->proof));
  }
  CHECK_FALSE(blobs->chunk(id, chunk_count(bytes.size())));
  CHECK(blobs->file(digest_of(view("another"))).error().code == "E112");
}

TEST_CASE("over the quota the blob used longest ago goes, and a pinned one never") {
  Folder folder;
  auto blobs = Blobs::open(folder.path, 2'500);
  const auto a = *blobs->put(some(1'000, 1)), b = *blobs->put(some(1'000, 2));
  blobs->pin(a);
  REQUIRE(blobs->file(b));
  const auto c = *blobs->put(some(1'000, 3));
  CHECK(blobs->has(a));
  CHECK_FALSE(blobs->has(b));
  blobs->pin(c);
  CHECK(blobs->put(some(1'000, 4)).error().code == "E111");
  blobs->unpin(a);
  CHECK(blobs->put(some(1'000, 4)));
  CHECK_FALSE(blobs->has(a));
  CHECK(blobs->bytes_used() == 2'000);
}

TEST_CASE("what is not pinned makes room, the oldest first, and no more of it than is needed") {
  Folder folder;
  auto blobs = Blobs::open(folder.path, 10'000);
  const auto a = *blobs->put(some(1'000, 1)), b = *blobs->put(some(1'000, 2)),
             c = *blobs->put(some(1'000, 3)), d = *blobs->put(some(1'000, 4));
  blobs->pin(a);
  CHECK(blobs->forget(1'500));
  CHECK(blobs->has(a));
  CHECK_FALSE(blobs->has(b));
  CHECK_FALSE(blobs->has(c));
  CHECK(blobs->has(d));
  CHECK(blobs->forget(5'000));
  CHECK(blobs->bytes_used() == 1'000);
  CHECK_FALSE(blobs->forget(1));
}

TEST_CASE("what is dropped is gone, unless somebody else has it pinned") {
  Folder folder;
  auto blobs = Blobs::open(folder.path, 10'000);
  const auto a = *blobs->put(some(1'000, 1)), b = *blobs->put(some(1'000, 2));
  for (const auto& id : {a, a, b})
    blobs->pin(id);
  blobs->drop(a);
  blobs->drop(b);
  CHECK(blobs->has(a));
  CHECK_FALSE(blobs->has(b));
  CHECK_FALSE(std::filesystem::exists(folder.path / to_hex(b)));
  blobs->drop(a);
  CHECK_FALSE(blobs->has(a));
  CHECK(blobs->bytes_used() == 0);
}

TEST_CASE("a blob that the disk changed is not given out, and is gone") {
  Folder folder;
  auto blobs = Blobs::open(folder.path, 1'000'000);
  const auto id = *blobs->put(some(70'000, 1));
  std::fstream{folder.path / to_hex(id), std::ios::in | std::ios::out}.put('!');
  CHECK_FALSE(blobs->chunk(id, 0));
  CHECK_FALSE(blobs->has(id));
}

TEST_CASE("the journal counts boots for ever and refuses a second node") {
  Folder folder;
  const auto file = folder.path / "journal.db";
  for (std::uint64_t boot = 1; boot < 4; ++boot) {
    auto journal = Journal::open(file);
    REQUIRE(journal);
    CHECK(*journal->next_boot() == boot);
    CHECK(Journal::open(file).error().code == "E121");
  }
}

TEST_CASE("a pause is known after a restart, until it is over") {
  const Folder folder;
  const auto file = folder.path / "journal.db";
  CHECK(Journal::open(file)->pause()->has_value() == false);
  for (const std::optional<Pause>& pause :
       {std::optional<Pause>{{1'800'000'000'000, 1'800'003'600'000}},
        std::optional<Pause>{{1'800'000'000'001, {}}}, std::optional<Pause>{}}) {
    CHECK(Journal::open(file)->save_pause(pause).ok());
    const auto again = Journal::open(file)->pause();
    REQUIRE(again.ok());
    CHECK(*again == pause);
  }
}

TEST_CASE("the journal keeps a job's done blocks, each replacing what it contains") {
  Folder folder;
  const auto id = digest_of(view("job"));
  {
    auto journal = Journal::open(folder.path / "journal.db");
    REQUIRE(journal->job_accepted(id, {1, 2, 3}));
    REQUIRE(journal->blocks_done(id, {result(0, 4, 1), result(1, 0, 2), result(1, 1, 3)}));
    REQUIRE(journal->blocks_done(id, {result(2, 0, 4)}));
  }
  auto journal = Journal::open(folder.path / "journal.db");
  auto jobs = journal->jobs();
  REQUIRE(jobs->size() == 1);
  auto& job = jobs->front();
  CHECK(job.envelope == Bytes{1, 2, 3});
  CHECK(job.done == std::vector{result(0, 4, 1), result(2, 0, 4)});
  job.state = JobState::failed;
  job.error = {"E700", "what", "why", "fix"};
  REQUIRE(journal->job_ended(job));
  const auto ended = journal->jobs()->front();
  CHECK(ended.state == JobState::failed);
  CHECK(ended.error == job.error);
  CHECK(ended.done.empty());
  REQUIRE(journal->forget(id));
  CHECK(journal->jobs()->empty());
}

TEST_CASE("a job's log is kept with what is done, its newest entries alone, and goes with it") {
  const Folder folder;
  const auto file = folder.path / "journal.db";
  const auto id = digest_of(view("job")), other = digest_of(view("other"));
  const auto said = [](std::uint64_t from, std::uint64_t to) {
    LogEntries log;
    for (auto n = from; n <= to; ++n)
      log.push_back({n, std::int64_t(1000 * n), "entry " + std::to_string(n)});
    return log;
  };
  {
    auto journal = Journal::open(file);
    for (const auto& job : {id, other})
      REQUIRE(journal->job_accepted(job, {1}));
    REQUIRE(journal->blocks_done(id, {result(0, 4, 1)}, {}, said(1, 3)));
    REQUIRE(journal->blocks_done(id, {result(0, 5, 1)}, {}, said(4, 4)));
    REQUIRE(journal->blocks_done(other, {result(0, 5, 1)}, {}, said(1, 1)));
  }
  auto journal = Journal::open(file);
  CHECK(journal->jobs()->front().log == said(1, 4));
  JournaledJob end;
  end.id = id;
  end.state = JobState::done;
  end.ended_ms = 1;
  end.result = blob_id(view("result"));
  end.log = said(2, log_entries_max + 7);
  REQUIRE(journal->job_ended(end));
  CHECK(*journal->log(id) == said(8, log_entries_max + 7));
  CHECK(journal->jobs()->front().log.empty()); // Read when somebody asks.
  CHECK(*journal->result_of(id) == end.result);
  CHECK_FALSE(journal->result_of(other)->has_value());
  REQUIRE(journal->forget(id));
  CHECK(journal->log(id)->empty());
  CHECK(*journal->log(other) == said(1, 1));
}

TEST_CASE("a job's end, or its being forgotten, is written whole or not at all") {
  Folder folder;
  const auto file = folder.path / "journal.db";
  const auto id = digest_of(view("job"));
  REQUIRE(Journal::open(file)->job_accepted(id, {1}));
  sqlite3* db = nullptr;
  sqlite3_open(file.c_str(), &db);
  const auto* broken = "create trigger broken before delete on done begin"
                       " select raise(fail, 'this row stays'); end";
  CHECK(sqlite3_exec(db, broken, nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(db);
  auto journal = Journal::open(file);
  REQUIRE(journal->blocks_done(id, {result(0, 4, 1)}));
  JournaledJob end;
  end.id = id;
  end.state = JobState::failed;
  end.ended_ms = 1;
  CHECK(journal->job_ended(end).error().why == "this row stays");
  CHECK(journal->forget(id).error().code == "E120");
  const auto jobs = *journal->jobs();
  REQUIRE(jobs.size() == 1);
  CHECK(jobs[0].state == JobState::running);
  CHECK(jobs[0].ended_ms == 0);
  CHECK(jobs[0].done.size() == 1);
}

TEST_CASE("a key is kept with the job that it brought, for a day, and of many the last") {
  const Folder folder;
  const auto file = folder.path / "journal.db";
  const auto body = digest_of(view("body"));
  const auto submit = [&](Journal& journal, std::uint64_t i, std::int64_t since_ms) {
    const auto key = "key " + std::to_string(i);
    const Submission submission{key, body, "answer to " + key, since_ms};
    REQUIRE(journal.job_accepted(digest_of(view(key)), {1}, &submission));
  };
  const auto kept = [&] {
    std::vector<std::string> keys;
    auto journal = Journal::open(file);
    const auto submissions = *journal->submissions();
    for (const auto& s : submissions) {
      CHECK(s.body == body);
      CHECK(s.answer == "answer to " + s.key);
      keys.push_back(s.key);
    }
    return keys;
  };
  constexpr std::int64_t day_ms = 24 * 3600 * 1000;
  {
    auto journal = Journal::open(file);
    REQUIRE(journal->job_accepted(digest_of(view("without")), {1}));
    submit(*journal, 1, 1000);
    submit(*journal, 2, 2000);
  }
  CHECK(kept() == std::vector<std::string>{"key 1", "key 2"});
  {
    auto journal = Journal::open(file);
    REQUIRE(journal->forget(digest_of(view("key 2")))); // The key says what it was.
    submit(*journal, 3, 1000 + day_ms);
  }
  CHECK(kept() == std::vector<std::string>{"key 2", "key 3"});
  sqlite3* db = nullptr;
  sqlite3_open(file.c_str(), &db);
  const auto* fill =
      "with recursive n(i) as (select 1 union all select i + 1 from n where i < 5000)"
      " insert into submissions select 'old ' || i, x'00', '', 86403000 from n";
  CHECK(sqlite3_exec(db, fill, nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(db);
  auto journal = Journal::open(file);
  submit(*journal, 4, 1500 + day_ms);
  const auto all = *journal->submissions();
  CHECK(all.size() == Journal::submissions_max);
  CHECK(all.back().key == "key 4");
}

TEST_CASE("a job whose key cannot be written is not accepted") {
  const Folder folder;
  const auto file = folder.path / "journal.db";
  CHECK(Journal::open(file).ok());
  sqlite3* db = nullptr;
  sqlite3_open(file.c_str(), &db);
  const auto* broken = "create trigger broken before insert on submissions begin"
                       " select raise(fail, 'no more keys'); end";
  CHECK(sqlite3_exec(db, broken, nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(db);
  auto journal = Journal::open(file);
  const Submission submission{"k", digest_of(view("body")), "job", 1};
  CHECK(journal->job_accepted(digest_of(view("job")), {1}, &submission).error().why ==
        "no more keys");
  CHECK(journal->jobs()->empty());
}

TEST_CASE("after a checkpoint the file alone tells what was written, in a hurry or not") {
  const Folder folder, copy;
  const auto id = digest_of(view("job"));
  auto journal = Journal::open(folder.path / "journal.db");
  REQUIRE(journal->job_accepted(id, {1}));
  REQUIRE(journal->blocks_done(id, {result(0, 4, 1)}));
  const auto in_the_file = [&] {
    const auto to = copy.path / "journal.db";
    fs::copy_file(folder.path / "journal.db", to, fs::copy_options::overwrite_existing);
    return *Journal::open(to)->jobs();
  };
  CHECK(in_the_file().empty());
  REQUIRE(journal->checkpoint());
  REQUIRE(in_the_file().size() == 1);
  CHECK(in_the_file()[0].done == std::vector{result(0, 4, 1)});
  JournaledJob end;
  end.id = id;
  end.state = JobState::done;
  end.ended_ms = 1;
  REQUIRE(journal->job_ended(end));
  CHECK(in_the_file()[0].state == JobState::running);
  REQUIRE(journal->checkpoint());
  CHECK(in_the_file()[0].state == JobState::done);
}

TEST_CASE("a file that is no journal is named, not overwritten") {
  Folder folder;
  std::ofstream{folder.path / "journal.db"} << std::string(5'000, 'x');
  CHECK(Journal::open(folder.path / "journal.db").error().code == "E120");
  CHECK(fs::file_size(folder.path / "journal.db") == 5'000);
}
