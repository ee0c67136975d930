#pragma once

#include "node/kernels/kernel.hpp"
#include "node/worker/worker.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

// Real workers under test: waits that end, and kernels that misbehave on order.
namespace tessera::rig {

inline constexpr int patience_ms = 120'000;

inline bool readable(int fd) {
  pollfd p{fd, POLLIN, 0};
  return ::poll(&p, 1, patience_ms) > 0;
}

// Readable once the process is gone, reaped or not.
inline Fd watch(pid_t pid) {
  return Fd{int(::syscall(SYS_pidfd_open, pid, 0))};
}

// What came back: a done call, or the error of the call or of the line.
struct Answer {
  Error error; // Its code is empty where the call is done.
  CallDone done;
};

inline Answer answer(const Fd& socket) {
  REQUIRE(readable(socket.get()));
  auto reply = receive(socket);
  if (!reply)
    return {reply.error(), {}};
  REQUIRE(reply->has_value());
  if (auto* failed = std::get_if<CallFailed>(&**reply))
    return {failed->error, {}};
  return {{}, std::move(std::get<CallDone>(**reply))};
}

inline Bytes output_of(Answer answer) {
  INFO(to_text(answer.error));
  REQUIRE(answer.error.code == "");
  auto contents = Contents::of(std::move(answer.done.output));
  REQUIRE(contents.ok());
  CHECK(answer.done.digest == blob_id(contents->bytes()));
  return to_bytes(contents->bytes());
}

class TestKernel : public Kernel {
public:
  using Run = std::function<Status(std::uint64_t begin, std::uint64_t end, Bytes& out)>;

  TestKernel(const std::string& name, Run run) : run_(std::move(run)) { info_.name = name; }
  const KernelInfo& info() const override { return info_; }
  Result<Plan> plan(const Params&, std::uint64_t items, ByteView) const override {
    return Plan{items, 1};
  }
  Result<std::unique_ptr<KernelRun>> open(const Params&, ByteView input,
                                          std::uint64_t) const override {
    return std::unique_ptr<KernelRun>(std::make_unique<Opened>(run_, input));
  }

private:
  // Merges by "(" left right ")", so that the result shows its own tree; finishes with the input.
  class Opened : public KernelRun {
  public:
    Opened(const Run& run, ByteView input) : run_(run), input_(input) {}
    Status run(std::uint64_t begin, std::uint64_t end, Bytes& out) override {
      return run_(begin, end, out);
    }
    Status merge(ByteView left, ByteView right, Bytes& out) override {
      out.push_back('(');
      out.insert(out.end(), left.begin(), left.end());
      out.insert(out.end(), right.begin(), right.end());
      out.push_back(')');
      return Nothing{};
    }
    Status finish(ByteView partial, Bytes& out) override {
      out.insert(out.end(), partial.begin(), partial.end());
      out.insert(out.end(), input_.begin(), input_.end());
      return Nothing{};
    }

  private:
    const Run& run_;
    ByteView input_;
  };

  KernelInfo info_;
  Run run_;
};

inline OpenJob open_job(std::uint64_t job, const std::string& kernel, std::uint64_t items,
                        std::uint64_t leaf_items = 1) {
  OpenJob open;
  open.job = job;
  open.kernel = kernel;
  open.params = encode_params({});
  open.items = items;
  open.leaf_items = leaf_items;
  return open;
}

} // namespace tessera::rig
