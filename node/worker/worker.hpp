#pragma once

#include "crypto/digest.hpp"
#include "crypto/result.hpp"
#include "net/block.hpp"
#include "node/worker/modules.hpp"

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <sys/types.h>
#include <utility>
#include <variant>

// Worker processes: where task code runs. A single-threaded zygote, forked before the node has any
// thread, forks them on request. A worker has one socket to its node (SOCK_SEQPACKET; bulk bytes
// through memfd), nice 10, rlimits, no new privileges and a seccomp allow-list: no socket, no open,
// no exec. It dies with the node.
namespace tessera {

// An owned file descriptor.
class Fd {
public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~Fd() { reset(); }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset(int fd = -1); // Closes what was held.

private:
  int fd_ = -1;
};

// Bytes that travel with a message: inline when short, else in a sealed memfd that the receiver
// maps. All bounds here are guesses.
inline constexpr std::size_t inline_bytes_max = 16 * 1024;
inline constexpr std::size_t kernel_name_bytes_max = 256;
inline constexpr std::size_t call_params_bytes_max = 64 * 1024;
inline constexpr std::uint64_t payload_bytes_max = 4ull << 30;
inline constexpr std::size_t open_jobs_max = 64; // In one worker; calls of one more fail with E705.
inline constexpr std::size_t workers_max = 1024; // Of one zygote.

// Sealed against every change. E707: no memory or no descriptor for it.
Result<Fd> memfd_of(ByteView bytes);

// A read-only mapping of a whole memfd or file; empty for an empty one. E707: it cannot be mapped.
class Mapping {
public:
  static Result<Mapping> of(const Fd& fd);
  Mapping() = default;
  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&& other) noexcept;
  ~Mapping();
  ByteView bytes() const { return {data_, size_}; }

private:
  const std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
};

struct Payload {
  Bytes bytes; // Used when fd is not.
  Fd fd;       // memfd holding all of it.
  std::uint64_t size = 0;

  static Result<Payload> of(ByteView bytes); // Chooses by inline_bytes_max.
  static Result<Payload> take(Bytes bytes);  // The same, without a copy where it stays inline.
};

// A payload, opened for reading.
class Contents {
public:
  static Result<Contents> of(Payload payload);
  ByteView bytes() const { return mapping_.bytes().empty() ? ByteView{bytes_} : mapping_.bytes(); }

private:
  Bytes bytes_;
  Mapping mapping_;
};

// Node to worker. `job` is the node's own short number for an opened job; `call` is echoed in the
// answer.
struct OpenJob {
  std::uint64_t job = 0;
  std::string kernel;
  Bytes params; // encode_params
  std::uint64_t items = 0, leaf_items = 1;
  Payload input, module, module_params; // By their roles.
  bool leaf_digests = false;            // Whether Ran.leaves is wanted (job policy above `trust`).
  Payload state = {};                   // An input, too.
  std::uint32_t round = 0;  // Which: leaves read the state, and finish makes the next of it.
  std::uint32_t budget = 0; // Of a round of a tree job.
};
struct CloseJob {
  std::uint64_t job = 0;
};
struct OpenedCall { // Answered with nothing, once the job is open: its module has been compiled.
  std::uint64_t call = 0, job = 0;
};
struct RunCall { // Run the leaves of `block` and merge them, dyadic cuts, up to one partial.
  std::uint64_t call = 0, job = 0;
  Block block;
};
struct MergeCall {
  std::uint64_t call = 0, job = 0;
  Payload left, right;
};
struct FinishCall {
  std::uint64_t call = 0, job = 0;
  Payload partial;
};
struct PrepareCall { // At submission; needs no opened job. A module is compiled, and yields
                     // nothing.
  std::uint64_t call = 0;
  std::string kernel;
  Bytes params;
  Payload input;
};
using WorkerRequest =
    std::variant<OpenJob, CloseJob, RunCall, MergeCall, FinishCall, PrepareCall, OpenedCall>;

// Worker to node, one for each call, in order. OpenJob and CloseJob are not answered: a failed open
// fails its calls.
struct PieceRow {
  BlobId id;
  std::uint64_t size = 0;
};
struct CallDone {
  std::uint64_t call = 0;
  Payload output;
  BlobId digest; // blob_id(output), hashed in the worker.
  Digest leaves; // Merkle root over the leaves that this call ran (block_run.hpp), when wanted.
  std::uint64_t cpu_ns = 0; // Thread CPU time of this call.
  std::uint64_t wall_ns = 0;
  std::uint64_t fuel = 0;         // Of a module that counts it; of a FinishCall: the whole job's.
  std::uint64_t memory_bytes = 0; // A module's memory at its largest, as far as it was seen.
  bool manifest = false;          // The output is one, of ordered output (net/manifest.hpp).
  Payload pieces;                 // Blobs that it or a later one names, one behind the other.
  Payload piece_rows;             // Of each {32 bytes id, u64 size}.
  bool over = false;              // Of a FinishCall of a round: the output is the job's result.
  std::uint64_t tasks_run = 0, tasks_left = 0; // Of a round of a tree job: in it, and after it.
  bool as_it_is = false; // Of a PrepareCall: the input is its own prepared form; no output.
  std::uint64_t module_calls = 0; // Since its job was opened...
  std::uint64_t calls_again = 0;  // ...and how many of them ran again for a NaN.
};
// The rows of a CallDone. E703: they do not fit its pieces.
Result<std::vector<PieceRow>> rows_of(CallDone& done);
struct CallFailed {
  std::uint64_t call = 0;
  Error error;
};
using WorkerReply = std::variant<CallDone, CallFailed>;

struct WorkerLimits {
  std::uint64_t memory_bytes = 1ull << 30; // RLIMIT_AS; RLIMIT_DATA where it runs modules.
  int nice = 10;
  std::uint32_t cpu_percent = 100; // Of one processor.
  bool modules = false; // Whether it runs modules, so may make code and reserve address space.
};

struct WorkerProcess {
  pid_t pid = -1;
  Fd socket; // Non-blocking SOCK_SEQPACKET. End of file: the worker is dead.
};

class Kernel;
using FindKernel = const Kernel* (*)(const std::string& name);

// Its calls may come from any thread. It and all its workers go with this object.
class Zygote {
public:
  // Forks. Call in main before any thread. The zygote and all its workers die when this process
  // does. E704: the machine refuses.
  static Result<Zygote> start();
  // With other kernels than this build's.
  static Result<Zygote> start(FindKernel find, MakeModules modules = nullptr);
  Zygote(Zygote&& other) noexcept;
  Zygote& operator=(Zygote&& other) noexcept;
  ~Zygote();

  // About a millisecond; blocks, for seconds at worst. The worker is in its sandbox when this
  // returns. E704: none can be had.
  Result<WorkerProcess> spawn(const WorkerLimits& limits);
  void kill(pid_t worker); // SIGKILL; reaped by the zygote. Only its own children.
  pid_t pid() const { return pid_; }

private:
  Zygote(pid_t pid, Fd control);
  void end();

  pid_t pid_ = -1;
  Fd control_;
  std::unique_ptr<std::mutex> turn_; // One spawn at a time.
  std::uint64_t orders_ = 0;
};

// E701 when the worker is gone; E702 when the socket is full (ask again when writable); E708 when
// the request is past a bound. The request stays the caller's: send it again, or to many workers.
Status send(const Fd& socket, const WorkerRequest& request);
// Nothing yet: empty optional. Error E701: the worker is gone; E703: it speaks nonsense (treat it
// as dead).
Result<std::optional<WorkerReply>> receive(const Fd& socket);

} // namespace tessera
