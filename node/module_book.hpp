#pragma once

#include "net/message.hpp"
#include "node/wasm/job.hpp"

#include <map>
#include <set>
#include <string>
#include <vector>

// The modules that this node has seen in jobs, its own and those it took part in: who signed them,
// what they may use and, once their bytes were read, what they export. The oldest seen go first.
namespace tessera {

class ModuleBook {
public:
  static constexpr std::size_t modules_max = 256, submitters_max = 16;

  struct Seen {
    std::string name; // As the latest job calls it.
    std::uint64_t size = 0;
    std::uint64_t jobs = 0;
    wasm::Limits limits; // Of the latest job.
    std::chrono::milliseconds call_time{0};
    std::set<NodeId> signed_by; // At most submitters_max.
    std::optional<std::vector<std::string>> exports;
    std::uint64_t when = 0; // The later the larger.
  };

  void learned(const SignedSpec& job); // Jobs of native kernels are nothing.
  std::vector<BlobId> unread() const;  // Modules whose exports are not known.
  void read(const BlobId& module, ByteView bytes);
  const std::map<BlobId, Seen>& all() const { return modules_; }

private:
  std::map<BlobId, Seen> modules_;
  std::set<JobId> counted_; // Jobs, so that each is counted once; at most jobs_max.
  std::uint64_t next_ = 0;
};

} // namespace tessera
