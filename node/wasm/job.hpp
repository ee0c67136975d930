#pragma once

#include "net/message.hpp"
#include "node/kernels/kernel.hpp"
#include "node/wasm/abi.hpp"
#include "node/wasm/merges.hpp"

#include <chrono>
#include <optional>

// A job whose kernel is a module: its name among kernels, and the settings in its spec's params.
// What a module may use is the spec's word alone, so that its bytes are the same wherever it runs.
// The owner of a machine has the say by not taking the job: modules are sorted into classes by the
// memory that they may use, each is a kernel of its own, and a node announces those it has room
// for.
namespace tessera::wasm {

struct Class {
  std::string kernel;             // As records and specs name it.
  std::uint64_t memory_bytes = 0; // Of linear memory, at most.
};
const std::vector<Class>& classes(); // The smallest first.
bool is_module_kernel(std::string_view kernel);

// What a worker must have for a class: two instances (plain and canonical), the compiled code, and
// what passes in and out.
std::uint64_t worker_bytes_for(const Class& c);
// "name@version" of the classes that a worker of so much memory has room for.
std::vector<std::string> kernels_for(std::uint64_t worker_bytes);

// Parameters of all classes, as -p gives them to native kernels.
const KernelInfo& module_info();

struct Settings {
  std::string name; // What its submitter calls it.
  Limits limits;
  Merge merge; // Where it exports none.
  std::uint64_t record_bytes = 0;
  bool each = false; // Its input is a list of tasks (kernels/each_input.hpp), kept apart.
  bool strict_nans = false;
  std::chrono::milliseconds call_time{0}, compile_time{0}; // At most, on any machine.
};
// E426: no such merge.
Result<Settings> settings_of(const Params& params);
// As a spec has them. E420: not canonical, or in the wrong class; E426.
Result<Settings> settings_of(const std::string& kernel, ByteView params);
// The smallest class that has room for it.
const Class& class_for(const Limits& limits);

// `items` 0: not said; then there are as many as `input_bytes` holds records. Leaves are 2^16 at
// most. E421: neither tells, or the two differ.
Result<Plan> plan(const Settings& settings, std::uint64_t items,
                  std::optional<std::uint64_t> input_bytes);

// A tree job: tasks that spawn tasks (actors/rounds.hpp). Its items are lanes, as many as a large
// mesh has slots.
inline constexpr std::uint64_t tree_lanes = 1024; // A guess.
inline Plan tree_plan() {
  return {tree_lanes, 1};
}
// Whether a module's job can be one. E427: its merge shows the order of tasks, which `budget` 0
// leaves to chance.
Status check_tree(const Settings& settings, const Abi& abi, std::uint32_t budget);

void set_shape(JobSpec& spec, std::uint32_t rounds, bool tree, std::uint32_t budget);

// Whether a module's job can be one of rounds. E503: it exports no step. E422: an input that no
// round could read.
Status check_rounds(const Settings& settings, const Abi& abi, bool has_input);

} // namespace tessera::wasm
