#pragma once

#include "actors/pause.hpp"
#include "net/message.hpp"
#include "node/kernels/kernel.hpp"
#include "node/module_book.hpp"
#include "node/wasm/job.hpp"
#include "node/wishes.hpp"

#include <nlohmann/json.hpp>

#include <functional>
#include <map>
#include <optional>
#include <string>

// The API's objects, as node/http/API.md lists them.
namespace tessera {

using Json = nlohmann::json;
using NameOf = std::function<std::string(const NodeId&)>; // Empty where no record tells it.

std::string_view to_text(JobState state);
std::string to_text(const Address& address); // "10.0.0.5:7700", "[::1]:7700".

std::string type_of_result(const JobSpec& spec); // "image/png"
Json job_json(const JobStatus& status, const NameOf& name);

// Of the nodes in a job's shares.
struct JobSummary {
  std::uint64_t cpu_ns = 0;
  std::uint64_t moved_bytes = 0;    // Partials, inputs and copies, counted where they arrived.
  std::optional<double> efficiency; // CPU time of leaves / (time * slots of those who ran some).
};
JobSummary summary_of(const JobStatus& status);
Json kernels_json(const std::map<BlobId, ModuleBook::Seen>& modules);

struct PeerView {
  Record record;
  bool self = false, direct = false;
  std::optional<double> rtt_ms;
};
Json peer_json(const PeerView& peer);
std::uint32_t running_of(const Record& record); // Slots at work, as far as a record tells.
Json pause_json(const std::optional<Pause>& pause);

// What POST /v1/jobs says. Parameters are checked; items, leaf and input are not yet.
struct JobRequest {
  const Kernel* kernel = nullptr; // Null: a module, which has settings and blobs of its own.
  Params params;
  std::uint64_t items = 0; // 0: not said.
  std::uint64_t leaf = 0;  // 0: the kernel's own.
  bool auto_leaf = false;
  std::optional<BlobId> input;
  wasm::Settings settings;
  BlobId module;
  std::optional<BlobId> module_params;
  std::uint32_t rounds = 0;    // At most; 0: it is no job of rounds.
  bool tree = false;           // Of tasks that spawn tasks; `state` is the first.
  std::uint32_t budget = 0;    // Of a tree job: tasks that a lane runs; 0: as time tells.
  std::optional<BlobId> state; // The first.
  bool each = false;           // A module's: `input` is a list of tasks, not indexed yet.
  Wishes wishes;
};

inline constexpr std::size_t job_body_bytes_max = 1 << 20;

// E400: not this JSON, or a key that is not known. E423: no such kernel, with the nearest. E420:
// parameters. E421: items, leaf or rounds. E422: an input or a module is missing, or is not
// wanted. E426: no such merge. E461: a wish that cannot be.
Result<JobRequest> job_request(ByteView body);

// What POST /v1/pause says: for how long, or until it is resumed. E400: not this JSON, or a time
// that is none.
Result<std::optional<std::chrono::seconds>> pause_request(ByteView body);

} // namespace tessera
