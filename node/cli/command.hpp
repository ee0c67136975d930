#pragma once

#include "node/cli/cli.hpp"
#include "node/cli/settings.hpp"

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

// What was typed, read and checked, before anything is done about it.
namespace tessera::cli {

enum class Colour { automatic, always, never };

// Which node is meant, and how to talk to the person. On every verb.
struct Common {
  std::optional<std::string> data; // --data or TESSERA_DATA.
  std::string api;                 // A node reached through a tunnel...
  std::string token_file;          // ...and its token.
  bool json = false;
  Colour colour = Colour::automatic;

  Paths paths() const { return Paths::of(data); }
};

// What a submitter wishes beside the work.
struct Wishing {
  int priority = 0;
  Require require;
  std::optional<std::chrono::seconds> ttl;
  bool wait_for_peers = false;
  std::string idempotency_key; // Empty: none.
};

struct Submission {
  Wishing wishing;
  std::string kernel;
  std::vector<std::pair<std::string, std::string>> params;
  std::optional<std::uint64_t> items;
  std::string leaf;   // Digits, "auto", or empty: the kernel's own.
  std::string input;  // A file, "-", or empty.
  std::string each;   // A file of tasks, "-", or empty.
  std::string output; // A file, "-", or empty.
  bool detach = false;

  // Of `run`.
  std::string module;        // The file.
  std::string module_params; // A file, or empty.
  std::optional<std::uint64_t> rounds;
  std::string state; // A file, "-", or empty. Of a tree job: its first task.
  bool tree = false;
  std::optional<std::uint64_t> budget;
  bool local = false;
};

// Of `new`.
struct Creation {
  std::string what; // "task".
  std::string language;
  std::string folder;
};

// Of `service` and `completions`.
struct Action {
  std::string what; // "install".
  std::string name;
  bool force = false;
};

struct Command {
  std::string verb; // Empty: `help` is all there is to say.
  std::string help; // Or the version. Goes to stdout.
  Common common;
  StartOptions start;
  Settings settings;    // Of `start` and `config`, wherever they stand.
  bool example = false; // Of `config`.
  bool once = false;    // Of `top`.
  Submission submission;
  Creation creation;
  Action action;
  std::string subject;                       // JOB, or a NAME; may be empty for kernels and config.
  std::string output;                        // Of `result` and `wait`.
  std::optional<unsigned> timeout;           // Of `wait`, in seconds.
  bool mesh_wide = false;                    // Of `jobs`.
  std::vector<std::string> subjects;         // Of `rm`.
  bool all_ended = false;                    // Of `rm`.
  bool follow = false;                       // Of `logs`.
  std::string key_file;                      // Of `cancel`; empty: the node's own word.
  bool no_browser = false;                   // Of `open`.
  std::optional<std::chrono::seconds> pause; // Of `pause` and `snooze`.
};

extern const std::vector<std::string> verbs;
extern const std::vector<std::string> hidden_verbs; // Not in --help: for packages and shells.

// Throws Failed with E400, E401 (unknown verb), E430 or E431 (settings of `start`).
Command parse(int argc, const char* const* argv);

} // namespace tessera::cli
