#include "node/store/journal.hpp"

#include <algorithm>
#include <sqlite3.h>

namespace tessera {
namespace {

constexpr int schema_version = 1;

constexpr const char* schema = R"sql(
  create table if not exists self (key text primary key, value integer not null);
  create table if not exists jobs (
    id blob primary key, envelope blob not null, state integer not null, ended_ms integer not null default 0,
    code text not null default '', what text not null default '', why text not null default '',
    fix text not null default '', result blob, result_size integer not null default 0, summary blob);
  create table if not exists done (
    job blob not null, level integer not null, idx integer not null, digest blob not null,
    size integer not null, bytes blob, primary key (job, level, idx)) without rowid;
  create table if not exists manifests (
    job blob not null, level integer not null, idx integer not null, holders blob,
    primary key (job, level, idx)) without rowid;
  create table if not exists log (
    job blob not null, number integer not null, at_ms integer not null, text text not null,
    primary key (job, number)) without rowid;
  create table if not exists peers (id blob, host text, port integer);
  create table if not exists expired (
    id blob primary key, state integer not null, ended_ms integer not null, expired_ms integer not null);
  create table if not exists usage (
    span integer not null, at integer not null, submitter blob not null, microtasks integer not null,
    cpu_ns integer not null, bytes integer not null, primary key (span, at, submitter)) without rowid;
  create table if not exists submissions (
    key text primary key, body blob not null, answer text not null, since_ms integer not null);
  create table if not exists pause (since_ms integer not null, until_ms integer);
)sql";

// One prepared statement, bound and stepped in order.
class Statement {
public:
  Statement(sqlite3* db, const char* sql) : db_(db) {
    code_ = sqlite3_prepare_v2(db, sql, -1, &it_, nullptr);
  }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  ~Statement() { sqlite3_finalize(it_); }

  Statement& operator<<(std::int64_t n) { return kept(sqlite3_bind_int64(it_, ++bound_, n)); }
  Statement& operator<<(std::uint64_t n) { return *this << std::int64_t(n); }
  Statement& operator<<(const std::optional<std::int64_t>& n) {
    return n ? *this << *n : kept(sqlite3_bind_null(it_, ++bound_));
  }
  Statement& operator<<(std::string_view text) {
    return kept(sqlite3_bind_text(it_, ++bound_, text.data(), int(text.size()), SQLITE_TRANSIENT));
  }
  Statement& operator<<(ByteView bytes) {
    const auto* data = bytes.empty() ? reinterpret_cast<const std::uint8_t*>("") : bytes.data();
    return kept(sqlite3_bind_blob(it_, ++bound_, data, int(bytes.size()), SQLITE_TRANSIENT));
  }
  Statement& operator<<(const Digest& digest) { return *this << digest.view(); }

  bool row() {
    if (code_ == SQLITE_OK || code_ == SQLITE_ROW)
      code_ = sqlite3_step(it_);
    column_ = 0;
    return code_ == SQLITE_ROW;
  }
  bool done() {
    while (row())
      ;
    return code_ == SQLITE_DONE;
  }
  void again() {
    sqlite3_reset(it_);
    bound_ = 0;
    code_ = SQLITE_OK;
  }

  std::int64_t integer() { return sqlite3_column_int64(it_, column_++); }
  std::optional<std::int64_t> integer_or_null() {
    const bool null = sqlite3_column_type(it_, column_) == SQLITE_NULL;
    const auto n = integer();
    return null ? std::nullopt : std::optional{n};
  }
  std::string text() {
    const auto bytes = blob();
    return std::string(text_of(bytes));
  }
  Bytes blob() {
    const auto* data = static_cast<const std::uint8_t*>(sqlite3_column_blob(it_, column_));
    const auto size = std::size_t(sqlite3_column_bytes(it_, column_++));
    return data ? Bytes{data, data + size} : Bytes{};
  }
  template<class Key>
  Key fixed() {
    Key key{};
    const auto bytes = blob();
    auto& to = array_of(key);
    if (bytes.size() == to.size())
      std::copy(bytes.begin(), bytes.end(), to.begin());
    return key;
  }

private:
  static auto& array_of(Digest& d) { return d.bytes; }
  static auto& array_of(NodeId& n) { return n.key; }
  Statement& kept(int code) {
    if (code_ == SQLITE_OK)
      code_ = code;
    return *this;
  }

  sqlite3* db_;
  sqlite3_stmt* it_ = nullptr;
  int code_ = SQLITE_OK;
  int bound_ = 0, column_ = 0;
};

Bytes joined(const std::vector<NodeId>& nodes) {
  Bytes bytes;
  for (const auto& node : nodes)
    bytes.insert(bytes.end(), node.key.begin(), node.key.end());
  return bytes;
}

std::vector<NodeId> split(ByteView bytes) {
  std::vector<NodeId> nodes(bytes.size() / sizeof(NodeId::key));
  for (std::size_t i = 0; i != nodes.size(); ++i) {
    auto& key = nodes[i].key;
    std::copy_n(bytes.begin() + std::ptrdiff_t(i * key.size()), key.size(), key.begin());
  }
  return nodes;
}

struct Accept : Statement {
  Accept(sqlite3* db, const JobId& id, const Bytes& envelope)
      : Statement(db, "insert into jobs (id, envelope, state) values (?, ?, ?)"
                      " on conflict do nothing") {
    *this << id << ByteView{envelope} << std::int64_t(JobState::running);
  }
};

struct Submit { // A key and its answer; those too old or too many go.
  Submit(sqlite3* db, const Submission& s)
      : add{db, "insert or replace into submissions values (?, ?, ?, ?)"},
        prune{db, "delete from submissions where since_ms <= ? or rowid in (select rowid from "
                  "submissions order by rowid desc limit -1 offset ?)"} {
    const auto keep =
        std::chrono::duration_cast<std::chrono::milliseconds>(Journal::submission_keep);
    add << s.key << s.body << s.answer << s.since_ms;
    prune << std::int64_t(s.since_ms - keep.count()) << std::int64_t(Journal::submissions_max);
  }
  bool done() { return add.done() && prune.done(); }
  Statement add, prune;
};

struct DropBlocks { // What is done of a job.
  DropBlocks(sqlite3* db, const JobId& id)
      : blocks{db, "delete from done where job = ?"}, names{db,
                                                            "delete from manifests where job = ?"} {
    blocks << id;
    names << id;
  }
  bool done() { return blocks.done() && names.done(); }
  Statement blocks, names;
};

// A job, what is done of it and what was said.
struct Forget {
  Forget(sqlite3* db, const JobId& id)
      : blocks{db, id}, job{db, "delete from jobs where id = ?"},
        log{db, "delete from log where job = ?"} {
    job << id;
    log << id;
  }
  bool done() { return blocks.done() && job.done() && log.done(); }
  DropBlocks blocks;
  Statement job, log;
};

// Entries of a job's log; the oldest beyond log_entries_max go.
struct Say {
  Say(sqlite3* db, const JobId& id, const LogEntries& entries)
      : job{id}, entries{entries}, add{db, "insert or replace into log values (?, ?, ?, ?)"},
        prune{db, "delete from log where job = ? and number <= ?"} {}
  bool done() {
    const auto kept = std::all_of(entries.begin(), entries.end(), [&](const LogEntry& e) {
      add.again();
      return (add << job << e.number << e.at_ms << e.text).done();
    });
    if (!kept || entries.empty() || entries.back().number <= log_entries_max)
      return kept;
    return (prune << job << entries.back().number - log_entries_max).done();
  }
  const JobId& job;
  const LogEntries& entries;
  Statement add, prune;
};

bool run(sqlite3* db, const char* sql) {
  return sqlite3_exec(db, sql, nullptr, nullptr, nullptr) == SQLITE_OK;
}

Error fault(sqlite3* db, const std::string& file) {
  const auto code = db ? sqlite3_errcode(db) : SQLITE_NOMEM;
  if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
    return {"E121", "another node runs on " + file, "its journal is locked",
            "stop that node (tessera stop), or give this one its own --data DIR"};
  if (code == SQLITE_FULL)
    return {"E111", "cannot write the journal " + file, "the disk is full",
            "free some space, or point --data at another disk"};
  return {"E120", "cannot use the journal " + file, db ? sqlite3_errmsg(db) : "out of memory",
          "check its owner and mode; a damaged journal can be moved away, jobs in it are lost"};
}

} // namespace

struct Journal::Database {
  std::string file;
  sqlite3* db = nullptr;

  ~Database() { sqlite3_close(db); }
  Error fault() const { return tessera::fault(db, file); }

  // All of what `write()` says or nothing. Its statements outlive it: their end would take the
  // fault along.
  template<class Write>
  Status at_once(Write write) {
    if (!run(db, "begin"))
      return fault();
    if (write() && run(db, "commit"))
      return Nothing{};
    const auto why = fault();
    run(db, "rollback");
    return why;
  }
};

Journal::Journal(std::unique_ptr<Database> db) : db_(std::move(db)) {}
Journal::Journal(Journal&&) noexcept = default;
Journal& Journal::operator=(Journal&&) noexcept = default;
Journal::~Journal() = default;

Result<Journal> Journal::open(const std::filesystem::path& file) {
  auto db = std::make_unique<Database>();
  db->file = file.string();
  std::error_code failed;
  std::filesystem::create_directories(file.parent_path(), failed);
  const auto flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX;
  if (sqlite3_open_v2(file.c_str(), &db->db, flags, nullptr) != SQLITE_OK)
    return db->fault();
  // Exclusive: the lock is the one guard against two nodes on one folder. Full: a commit is on the
  // disk. A checkpoint is rather a call of its own than a part of somebody's commit.
  if (!run(db->db,
           "pragma locking_mode=exclusive; pragma journal_mode=wal; pragma synchronous=full;"
           "pragma wal_autocheckpoint=4096;" // A guess: 16 MiB.
           "begin exclusive; commit;") ||
      !run(db->db, schema))
    return db->fault();
  Statement version{db->db, "insert into self values ('schema', ?) on conflict do nothing"};
  if (!(version << std::int64_t{schema_version}).done())
    return db->fault();
  return Journal{std::move(db)};
}

Result<std::uint64_t> Journal::next_boot() {
  Statement next{db_->db, "insert into self values ('boot', 1) on conflict (key) do update "
                          "set value = value + 1 returning value"};
  if (!next.row())
    return db_->fault();
  const auto boot = std::uint64_t(next.integer());
  if (!next.done())
    return db_->fault();
  return boot;
}

Status Journal::job_accepted(const JobId& id, const Bytes& envelope, const Submission* submission) {
  Accept accept{db_->db, id, envelope};
  if (submission) {
    Submit submit{db_->db, *submission};
    return db_->at_once([&] { return accept.done() && submit.done(); });
  }
  if (!accept.done())
    return db_->fault();
  return Nothing{};
}

Result<std::vector<Submission>> Journal::submissions() {
  std::vector<Submission> all;
  Statement kept{db_->db, "select key, body, answer, since_ms from submissions order by rowid"};
  while (kept.row()) {
    Submission s;
    s.key = kept.text();
    s.body = kept.fixed<Digest>();
    s.answer = kept.text();
    s.since_ms = kept.integer();
    all.push_back(std::move(s));
  }
  if (!kept.done())
    return db_->fault();
  return all;
}

namespace {

// Of what a power cut may take: it is in the file, and on the disk with the next commit that waits
// for it, or with a checkpoint. Done blocks' and results' bytes lie in blobs, which nobody waits
// for either; what is lost is computed again. A killed process loses nothing.
class Unhurried {
public:
  explicit Unhurried(sqlite3* db) : db_(db) { run(db_, "pragma synchronous=normal"); }
  Unhurried(const Unhurried&) = delete;
  ~Unhurried() { run(db_, "pragma synchronous=full"); }

private:
  sqlite3* db_;
};

} // namespace

Status Journal::blocks_done(const JobId& id, const std::vector<BlockResult>& done,
                            const Holders& holders, const LogEntries& log) {
  Say say{db_->db, id, log};
  Statement names{db_->db, "delete from manifests where job = ?1 and level <= ?2 and "
                           "(idx >> (?2 - level)) = ?3"};
  Statement inside{db_->db,
                   "delete from done where job = ?1 and level < ?2 and (idx >> (?2 - level)) = ?3"};
  Statement add{db_->db, "insert or replace into done values (?, ?, ?, ?, ?, ?)"};
  Statement name{db_->db, "insert into manifests values (?, ?, ?, ?)"};
  const Unhurried unhurried{db_->db};
  return db_->at_once([&] {
    return say.done() && std::all_of(done.begin(), done.end(), [&](const BlockResult& result) {
             const auto& [block, partial] = result;
             for (auto* s : {&names, &inside, &add, &name})
               s->again();
             for (auto* s : {&names, &inside})
               *s << id << std::int64_t{block.level} << block.index;
             add << id << std::int64_t{block.level} << block.index << partial.digest << partial.size
                 << ByteView{partial.bytes};
             if (!names.done() || !inside.done() || !add.done())
               return false;
             if (!partial.manifest)
               return true;
             const auto who = holders.find(partial.digest);
             const auto nodes = who == holders.end() ? Bytes{} : joined(who->second);
             return (name << id << std::int64_t{block.level} << block.index << ByteView{nodes})
                 .done();
           });
  });
}

Status Journal::round_begun(const JobId& job, const Bytes& summary, const JobId& round,
                            const Bytes& envelope, const JobId& before, const LogEntries& log) {
  Say say{db_->db, job, log};
  Statement tell{db_->db, "update jobs set summary = ? where id = ?"};
  tell << ByteView{summary} << job;
  Accept accept{db_->db, round, envelope};
  Forget forget{db_->db, before};
  return db_->at_once([&] { return tell.done() && accept.done() && forget.done() && say.done(); });
}

Status Journal::job_ended(const JournaledJob& job, const JobId& round) {
  Statement end{db_->db,
                "update jobs set state = ?, ended_ms = ?, code = ?, what = ?, why = ?, fix = ?,"
                " result = ?, result_size = ?, summary = ? where id = ?"};
  end << std::int64_t(job.state) << job.ended_ms << job.error.code << job.error.what
      << job.error.why << job.error.fix << job.result << job.result_size << ByteView{job.summary}
      << job.id;
  DropBlocks clear{db_->db, job.id};
  Forget forget{db_->db, round};
  Say say{db_->db, job.id, job.log};
  std::optional<Unhurried> unhurried;
  if (job.state == JobState::done)
    unhurried.emplace(db_->db);
  return db_->at_once([&] { return end.done() && clear.done() && forget.done() && say.done(); });
}

bool Journal::is_over(const JobId& id) const {
  Statement over{db_->db, "select not exists (select 1 from jobs where id = ? and ended_ms = 0)"};
  return (over << id).row() && over.integer() == 1;
}

Status Journal::forget(const JobId& id) {
  Forget forget{db_->db, id};
  return db_->at_once([&] { return forget.done(); });
}

Result<std::vector<JournaledJob>> Journal::jobs() {
  std::vector<JournaledJob> all;
  Statement jobs{db_->db,
                 "select id, envelope, state, ended_ms, code, what, why, fix, result, result_size,"
                 " summary from jobs order by rowid"};
  while (jobs.row()) {
    JournaledJob job;
    job.id = jobs.fixed<Digest>();
    job.envelope = jobs.blob();
    job.state = JobState(jobs.integer());
    job.ended_ms = jobs.integer();
    job.error = {jobs.text(), jobs.text(), jobs.text(), jobs.text()};
    job.result = jobs.fixed<Digest>();
    job.result_size = std::uint64_t(jobs.integer());
    job.summary = jobs.blob();
    all.push_back(std::move(job));
  }
  if (!jobs.done())
    return db_->fault();
  for (auto& job : all) {
    if (job.ended_ms == 0) {
      auto said = log(job.id);
      if (!said)
        return said.error();
      job.log = std::move(*said);
    }
    Statement done{db_->db,
                   "select level, idx, digest, size, bytes, m.job is not null, holders from done "
                   "d left join manifests m using (job, level, idx) where job = ?"};
    done << job.id;
    while (done.row()) {
      BlockResult result;
      result.block.level = std::uint8_t(done.integer());
      result.block.index = std::uint64_t(done.integer());
      result.partial.digest = done.fixed<Digest>();
      result.partial.size = std::uint64_t(done.integer());
      result.partial.bytes = done.blob();
      if ((result.partial.manifest = done.integer() != 0)) {
        const auto nodes = done.blob();
        if (!nodes.empty())
          job.holders[result.partial.digest] = split(nodes);
      }
      job.done.push_back(std::move(result));
    }
    if (!done.done())
      return db_->fault();
  }
  return all;
}

Result<LogEntries> Journal::log(const JobId& id) {
  LogEntries log;
  Statement said{db_->db, "select number, at_ms, text from log where job = ? order by number"};
  said << id;
  while (said.row()) {
    LogEntry entry;
    entry.number = std::uint64_t(said.integer());
    entry.at_ms = said.integer();
    entry.text = said.text();
    log.push_back(std::move(entry));
  }
  if (!said.done())
    return db_->fault();
  return log;
}

Result<std::optional<BlobId>> Journal::result_of(const JobId& id) {
  std::optional<BlobId> result;
  Statement done{db_->db, "select result from jobs where id = ? and state = ?"};
  done << id << std::int64_t(JobState::done);
  while (done.row())
    result = done.fixed<Digest>();
  if (!done.done())
    return db_->fault();
  return result;
}

Result<std::vector<ExpiredJob>> Journal::expire(std::int64_t ended_before_ms, std::int64_t now_ms,
                                                std::int64_t at_once) {
  std::vector<ExpiredJob> old;
  Statement ended{db_->db, "select id, state, result, ended_ms from jobs where ended_ms > 0 and "
                           "ended_ms < ? order by ended_ms limit ?"};
  ended << ended_before_ms << at_once;
  while (ended.row()) {
    ExpiredJob job;
    job.id = ended.fixed<Digest>();
    job.state = JobState(ended.integer());
    job.result = ended.fixed<Digest>();
    job.ended_ms = ended.integer();
    job.expired_ms = now_ms;
    old.push_back(job);
  }
  if (!ended.done())
    return db_->fault();
  if (old.empty())
    return old;
  Statement remember{db_->db, "insert or replace into expired values (?, ?, ?, ?)"};
  Statement prune{db_->db, "delete from expired where id in (select id from expired order by "
                           "expired_ms desc, ended_ms desc limit -1 offset ?)"};
  prune << expired_max;
  const auto forgotten = db_->at_once([&] {
    return std::all_of(old.begin(), old.end(),
                       [&](const ExpiredJob& job) {
                         remember.again();
                         remember << job.id << std::int64_t(job.state) << job.ended_ms
                                  << job.expired_ms;
                         return remember.done() && Forget{db_->db, job.id}.done();
                       }) &&
           prune.done();
  });
  if (!forgotten)
    return forgotten.error();
  return old;
}

Result<std::vector<ExpiredJob>> Journal::expired() {
  std::vector<ExpiredJob> all;
  Statement known{db_->db,
                  "select id, state, ended_ms, expired_ms from expired order by expired_ms"};
  while (known.row()) {
    ExpiredJob job;
    job.id = known.fixed<Digest>();
    job.state = JobState(known.integer());
    job.ended_ms = known.integer();
    job.expired_ms = known.integer();
    all.push_back(job);
  }
  if (!known.done())
    return db_->fault();
  return all;
}

Status Journal::save_usage(const UsageBook::Unsaved& usage) {
  Statement put{db_->db, "insert or replace into usage values (?, ?, ?, ?, ?, ?)"};
  Statement drop{db_->db, "delete from usage where (span = 0 and at < ?) or (span = 1 and at < ?)"};
  drop << usage.first_hour << usage.first_day;
  return db_->at_once([&] {
    return drop.done() && std::all_of(usage.rows.begin(), usage.rows.end(), [&](const auto& row) {
             put.again();
             put << std::int64_t(row.span) << row.at << row.submitter.view() << row.usage.microtasks
                 << row.usage.cpu_ns << row.usage.bytes;
             return put.done();
           });
  });
}

Result<std::vector<UsageRow>> Journal::usage() {
  std::vector<UsageRow> rows;
  Statement saved{db_->db, "select span, at, submitter, microtasks, cpu_ns, bytes from usage order "
                           "by at desc"};
  while (saved.row()) {
    UsageRow row;
    row.span = UsageRow::Span(saved.integer());
    row.at = saved.integer();
    row.submitter = saved.fixed<NodeId>();
    row.usage.microtasks = std::uint64_t(saved.integer());
    row.usage.cpu_ns = std::uint64_t(saved.integer());
    row.usage.bytes = std::uint64_t(saved.integer());
    rows.push_back(row);
  }
  if (!saved.done())
    return db_->fault();
  return rows;
}

Status Journal::checkpoint() {
  if (sqlite3_wal_checkpoint_v2(db_->db, nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr) !=
      SQLITE_OK)
    return db_->fault();
  return Nothing{};
}

Status Journal::save_peers(const std::vector<PeerAddress>& peers) {
  Statement clear{db_->db, "delete from peers"};
  Statement add{db_->db, "insert into peers values (?, ?, ?)"};
  const auto added = [&](const PeerAddress& peer) {
    return std::all_of(peer.addresses.begin(), peer.addresses.end(), [&](const Address& address) {
      add.again();
      return (add << peer.id.view() << address.host << std::int64_t{address.port}).done();
    });
  };
  return db_->at_once(
      [&] { return clear.done() && std::all_of(peers.begin(), peers.end(), added); });
}

Result<std::vector<PeerAddress>> Journal::peers() {
  std::vector<PeerAddress> all;
  Statement peers{db_->db, "select id, host, port from peers order by rowid"};
  while (peers.row()) {
    const auto id = peers.fixed<NodeId>();
    if (all.empty() || all.back().id != id)
      all.push_back({id, {}});
    auto host = peers.text();
    all.back().addresses.push_back({std::move(host), std::uint16_t(peers.integer())});
  }
  if (!peers.done())
    return db_->fault();
  return all;
}

Status Journal::save_pause(const std::optional<Pause>& pause) {
  Statement clear{db_->db, "delete from pause"};
  Statement add{db_->db, "insert into pause values (?, ?)"};
  return db_->at_once([&] {
    return clear.done() && (!pause || (add << pause->since_ms << pause->until_ms).done());
  });
}

Result<std::optional<Pause>> Journal::pause() {
  Statement saved{db_->db, "select since_ms, until_ms from pause"};
  std::optional<Pause> pause;
  while (saved.row()) {
    const auto since_ms = saved.integer();
    pause = Pause{since_ms, saved.integer_or_null()};
  }
  if (!saved.done())
    return db_->fault();
  return pause;
}

} // namespace tessera
