#include "node/worker/modules.hpp"

#include "crypto/digest.hpp"
#include "node/kernels/ordered_run.hpp"
#include "node/wasm/job.hpp"
#include "node/worker/wasm/each_run.hpp"
#include "node/worker/wasm/metered_run.hpp"
#include "node/worker/wasm/tree_run.hpp"

#include <map>

namespace tessera::wasm {

namespace {

class EngineModules : public Modules {
public:
  Status warm_up() override { return engine_.warm_up(); }
  bool runs(const std::string& kernel) const override { return is_module_kernel(kernel); }

  Result<std::unique_ptr<KernelRun>> open(const std::string& kernel, ByteView params,
                                          const JobInputs& inputs) override {
    const auto settings = settings_of(kernel, params);
    if (!settings)
      return settings.error();
    auto module = compiled(*settings, params, inputs.module);
    if (!module)
      return module.error();
    const bool merges = (*module)->abi().merges;
    ModuleRun run{std::move(*module),
                  {inputs.params, inputs.data, settings->record_bytes, settings->merge,
                   settings->strict_nans, inputs.round != 0, inputs.state}};
    if (inputs.budget)
      return std::unique_ptr<KernelRun>(std::make_unique<TreeRun>(std::move(run), settings->merge,
                                                                  inputs.state, inputs.round == 1,
                                                                  inputs.items, inputs.budget));
    if (settings->each)
      return EachModuleRun::of(std::move(run), inputs.data);
    // What it exports goes before what its job names; a round's step wants the bytes themselves.
    if (!merges && !inputs.round && settings->merge.kind() == Merge::Kind::concat)
      return std::unique_ptr<KernelRun>(
          std::make_unique<OrderedRun>(std::make_unique<ModuleRun>(std::move(run))));
    if (settings->limits.fuel)
      return std::unique_ptr<KernelRun>(std::make_unique<MeteredRun>(std::move(run)));
    return std::unique_ptr<KernelRun>(std::make_unique<ModuleRun>(std::move(run)));
  }

  Status check(const std::string& kernel, ByteView params, ByteView module) override {
    const auto settings = settings_of(kernel, params);
    if (!settings)
      return settings.error();
    const auto made = compiled(*settings, params, module);
    return made ? Status{Nothing{}} : made.error();
  }

private:
  // The one used last stays, though no job is open: another round of its job may come.
  Result<std::shared_ptr<Module>> compiled(const Settings& s, ByteView params, ByteView bytes) {
    std::erase_if(compiled_, [](const auto& known) { return known.second.expired(); });
    auto& known = compiled_[digest_of("tessera compiled module", {params, bytes})];
    if (auto module = known.lock())
      return last_ = module;
    last_.reset(); // Room for the next.
    auto made =
        Module::compile(engine_, s.name, bytes, s.limits, {s.strict_nans, s.limits.fuel != 0});
    if (made)
      known = last_ = *made;
    return made;
  }

  Engine engine_; // Outlives its modules: the runs of all jobs are gone before this object.
  std::map<Digest, std::weak_ptr<Module>> compiled_; // Held by the jobs that are open.
  std::shared_ptr<Module> last_;
};

} // namespace

} // namespace tessera::wasm

namespace tessera {

MakeModules modules_of_this_build() {
  return [] { return std::unique_ptr<Modules>(std::make_unique<wasm::EngineModules>()); };
}

} // namespace tessera
