#pragma once

#include "actors/job_log.hpp"
#include "actors/pause.hpp"
#include "crypto/result.hpp"
#include "net/message.hpp"
#include "node/idempotency.hpp"
#include "node/store/usage_book.hpp"

#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

// What must outlive the process: the boot counter, the jobs rooted here with what of them is done,
// peers worth remembering, and whether the owner has paused the node. SQLite in WAL mode; what a
// call has returned from is on the disk, but where it says otherwise.
namespace tessera {

// A rooted job as the journal knows it.
struct JournaledJob {
  JobId id;
  Bytes envelope; // The signed spec, as the codec writes it.
  JobState state = JobState::running;
  std::int64_t ended_ms = 0; // Unix time; 0 while it runs.
  std::vector<BlockResult> done;
  Holders holders; // Of the manifests in it.
  Error error;
  BlobId result;
  std::uint64_t result_size = 0;
  Bytes summary;  // What the node wants to tell about it afterwards, or to go on from; opaque here.
  LogEntries log; // jobs() tells those of jobs that run.
};

// One that had ended, and was forgotten since.
struct ExpiredJob {
  JobId id;
  JobState state = JobState::done;
  BlobId result;
  std::int64_t ended_ms = 0, expired_ms = 0;
};

class Journal {
public:
  // E120: cannot be opened or is damaged. E121: another node runs on this folder (it is locked).
  static Result<Journal> open(const std::filesystem::path& file);
  Journal(Journal&&) noexcept;
  Journal& operator=(Journal&&) noexcept;
  ~Journal();

  Result<std::uint64_t> next_boot(); // 1, 2, 3...: one higher at each call, for ever.

  // All of these: E111 when the disk is full, E120 else. Nothing is half-written.
  // With the key that it came with, if any: of the last submissions_max, each for submission_keep.
  static constexpr std::size_t submissions_max = IdempotencyConfig{}.keys_max;
  static constexpr Duration submission_keep = IdempotencyConfig{}.keep;
  Status job_accepted(const JobId& id, const Bytes& envelope,
                      const Submission* submission = nullptr);
  Result<std::vector<Submission>> submissions(); // The oldest first.
  // Each replaces what it contains. A power cut may take the latest; a killed process loses none.
  Status blocks_done(const JobId& id, const std::vector<BlockResult>& done,
                     const Holders& holders = {}, const LogEntries& log = {});
  // In a job of rounds: the job of its next one is accepted, the one before forgotten.
  Status round_begun(const JobId& job, const Bytes& summary, const JobId& round,
                     const Bytes& envelope, const JobId& before, const LogEntries& log = {});
  // state, ended_ms, error, result, summary, log. The job of its last round, if it has such, is
  // forgotten. A power cut may take that a job is done: it is computed again, to the same bytes.
  Status job_ended(const JournaledJob& job, const JobId& round = {});
  bool is_over(const JobId& id) const; // Ended or forgotten, as far as can be read.
  Status forget(const JobId& id);
  Result<LogEntries> log(const JobId& id);                  // Empty: of no such job, too.
  Result<std::optional<BlobId>> result_of(const JobId& id); // Nothing: it is not done.
  Result<std::vector<JournaledJob>> jobs();

  // Jobs that ended before then are forgotten, the oldest first, at most so many at once; which.
  // What they were is remembered, of the last expired_max.
  static constexpr std::int64_t expired_max = 4096;
  Result<std::vector<ExpiredJob>> expire(std::int64_t ended_before_ms, std::int64_t now_ms,
                                         std::int64_t at_once = 64);
  Result<std::vector<ExpiredJob>> expired();

  Status save_peers(const std::vector<PeerAddress>& peers);
  Result<std::vector<PeerAddress>> peers();

  Status save_usage(const UsageBook::Unsaved& usage); // And drops what nobody wants.
  Result<std::vector<UsageRow>> usage();

  // All that was written is on the disk, and in the file itself. Now and then.
  Status checkpoint();

  Status save_pause(const std::optional<Pause>& pause);
  Result<std::optional<Pause>> pause();

private:
  struct Database;
  explicit Journal(std::unique_ptr<Database> db);
  std::unique_ptr<Database> db_;
};

} // namespace tessera
