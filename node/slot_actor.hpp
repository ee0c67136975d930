#pragma once

#include "actors/shell_actor.hpp"
#include "node/call_clock.hpp"
#include "node/store_asks_actor.hpp"
#include "node/wasm/job.hpp"

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>

#include <caf/response_promise.hpp>

#include <deque>
#include <map>

// The shell of one worker process: hands it work, carries its answers, replaces it when it dies.
namespace tessera {

struct SlotSetup {
  std::uint32_t number = 0;
  Zygote* zygote = nullptr; // Outlives the slot.
  asio::io_context* io = nullptr;
  WorkerLimits limits;
};

struct SlotShell {
  static inline const char* name = "slot";
  ~SlotShell(); // Its worker goes with it.

  SlotSetup setup;
  WiringPtr wiring;
  WorkerProcess worker;
  std::shared_ptr<asio::posix::stream_descriptor> watch;

  // One call in the worker's care: a job's work, its opening, or a preparation for the api.
  struct Call {
    SpecPtr spec = {};     // Null of preparations.
    caf::actor owner = {}; // Null: its job was dropped, or nobody waits for this.
    WorkId id = 0;
    bool scheduled = false;
    caf::response_promise prepared = {};
    enum class Kind : std::uint8_t { run, merge, finish, open, prepare } kind = Kind::run;
    Block block = {};        // Of a run.
    std::string module = {}; // Of a preparation: what it is called.
    Prepared as_it_is = {};  // What that answers if its input is its own prepared form.
  };
  std::uint64_t next_call = 1;
  std::map<std::uint64_t, Call> calls; // In the order they were sent.
  CallClock clock;                     // Of those that have a place in the worker's queue.
  std::optional<Time> armed;
  std::deque<WorkerRequest> outbox; // What the socket did not take yet.
  StoreAsks store_asks;
  std::map<std::uint64_t, JobId> fetching; // Whose work waits for blobs, until it is dropped.
  std::uint64_t next_fetch = 1;

  struct Opened {
    std::uint64_t number;
    std::uint64_t used; // The call that used it last.
    std::optional<wasm::Settings> module;
  };
  std::map<JobId, Opened> opened;
  std::uint64_t next_job = 1;
};

caf::behavior slot_actor(caf::stateful_actor<SlotShell>* self, SlotSetup setup, WiringPtr wiring);

} // namespace tessera
