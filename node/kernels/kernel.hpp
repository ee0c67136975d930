#pragma once

#include "crypto/bytes.hpp"
#include "crypto/result.hpp"
#include "node/kernels/tiling.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

// What a native kernel is. Its plan is made in the node, cheaply, from checked parameters; all that
// touches input bytes or computes runs in a worker process, through a KernelRun.
namespace tessera {

using ParamValue = std::variant<std::int64_t, double, std::string>;
using Params = std::map<std::string,
                        ParamValue>; // Complete: every parameter of the schema, defaults filled in.

struct ParamSpec {
  std::string name;
  ParamValue fallback; // Its type is the parameter's type.
  std::string help;
  double min = 0, max = 0;          // Inclusive; for numbers.
  std::vector<std::string> choices; // For text; empty: any text.
};

struct KernelInfo {
  std::string name;
  std::uint32_t version = 1;
  std::string help; // One line.
  std::vector<ParamSpec> params;
  bool wants_input = false; // Whether --input is needed; otherwise it is refused.
  bool wants_items = true;  // Whether --items is needed; otherwise the kernel knows a number.
  std::string
      result; // What the result's bytes are: "image/png", "text/plain", "application/octet-stream".
};

// How the range is cut: a fixed function of (kernel, version, params, N).
struct Plan {
  std::uint64_t items = 0;      // 1 ... 2^63
  std::uint64_t leaf_items = 1; // The kernel's own default.
};

// One job opened in one worker. Pure: run's bytes depend on (params, input, items, leaf) alone,
// whatever came before. Errors are the job's: E7xx with what, why, what to do.
class KernelRun {
public:
  virtual ~KernelRun() = default;
  // Items [begin, end) are one leaf. Appends the leaf's partial to `out`.
  virtual Status run(std::uint64_t begin, std::uint64_t end, Bytes& out) = 0;
  // Appends merge(left, right) to `out`; left always covers the lower items.
  virtual Status merge(ByteView left, ByteView right, Bytes& out) = 0;
  // Appends the result to `out`. By default the root's partial is the result.
  virtual Status finish(ByteView partial, Bytes& out);
  // Of modules, since this was opened; native kernels tell nothing.
  struct Usage {
    std::uint64_t fuel = 0, memory_bytes = 0;
    std::uint64_t calls = 0, calls_again = 0; // The latter for a NaN, in canonical code.
    bool over = false; // Of the last call: a round's finish, and there is no round after it.
    // Of the last call: the finish of a round of a tree job. Tasks that ran in it, and that wait.
    std::uint64_t tasks_run = 0, tasks_left = 0;
  };
  virtual Usage usage() { return {}; }
  // Of ordered output: blobs put aside since this was asked last, and whether the last output is a
  // manifest of such. Others tell nothing.
  struct Pieces {
    bool manifest = false;
    Bytes bytes; // One behind the other.
    Bytes rows;  // Of each {32 bytes id, u64 size}.
  };
  virtual Pieces take_pieces() { return {}; }
};

// A result that is a picture of tiles, one an item; partials are their bytes.
struct TiledPicture {
  Tiling tiling;
  std::uint32_t channels = 3; // 1: gray, 3: RGB; 8 bits each.
};

class Kernel {
public:
  virtual ~Kernel() = default;
  virtual const KernelInfo& info() const = 0;
  // Of the result of such a job; by default info's.
  virtual std::string result_type(const Params&) const { return info().result; }

  // In the node, no input bytes read. `items` 0: not said. `input_head`: first bytes of the
  // prepared input, for kernels whose item count it tells; at most 64 bytes. E421: bad items.
  // Parameters were checked before.
  virtual Result<Plan> plan(const Params& params, std::uint64_t items,
                            ByteView input_head) const = 0;

  // So that people see it grow. As plan(), of a job that was accepted. Nothing: no such picture.
  virtual std::optional<TiledPicture> picture(const Params&, ByteView /*input_head*/) const {
    return std::nullopt;
  }

  // In a worker, once, at submission: turns the user's input into what leaves read (decodes a
  // picture). By default as it is. E422: unreadable.
  virtual Status prepare(const Params& params, ByteView input, Bytes& out) const;
  // In a worker. Whether leaves read this input as it is: then nothing is made of it.
  virtual bool is_prepared(const Params&, ByteView /*input*/) const { return false; }

  // In a worker. `params` were checked; `input` outlives the run.
  virtual Result<std::unique_ptr<KernelRun>> open(const Params& params, ByteView input,
                                                  std::uint64_t items) const = 0;
};

// All native kernels of this build, by name.
const std::vector<const Kernel*>& kernels();
const Kernel* find_kernel(const std::string& name); // Null: not here.
std::string
nearest_kernel(const std::string& name); // For "did you mean"; empty where nothing is near.

// What a job's result is; "application/octet-stream" where this build has no such kernel.
std::string result_type(const std::string& kernel, ByteView encoded_params);

// Given texts, as -p k=v says them. E420: unknown name (with the nearest), wrong type, out of
// range.
Result<Params> check_params(const KernelInfo& info,
                            const std::map<std::string, std::string>& given);

// The canonical bytes that a job's spec carries (sorted JSON), and back. E420 when they do not fit
// the schema.
Bytes encode_params(const Params& params);
Result<Params> decode_params(const KernelInfo& info, ByteView bytes);

} // namespace tessera
