#include "node/module_book.hpp"

#include "node/wasm/text.hpp"

#include <algorithm>

namespace tessera {

namespace {

constexpr std::size_t jobs_max = 4096; // Guess; past it a job that is met again counts again.
constexpr std::size_t exports_max = 32, name_bytes_max = 64;

} // namespace

void ModuleBook::learned(const SignedSpec& job) {
  const auto* module = job.spec.input(Input::Role::module);
  if (!module || counted_.contains(job.id))
    return;
  const auto settings = wasm::settings_of(job.spec.kernel, job.spec.params);
  if (!settings)
    return;
  if (counted_.size() >= jobs_max)
    counted_.clear();
  counted_.insert(job.id);
  if (modules_.size() >= modules_max && !modules_.contains(module->blob))
    modules_.erase(
        std::ranges::min_element(modules_, {}, [](const auto& m) { return m.second.when; }));
  auto& seen = modules_[module->blob];
  seen.name = settings->name;
  seen.size = module->size;
  seen.jobs += 1;
  seen.limits = settings->limits;
  seen.call_time = settings->call_time;
  seen.when = ++next_;
  if (seen.signed_by.size() < submitters_max)
    seen.signed_by.insert(job.spec.submitter);
}

std::vector<BlobId> ModuleBook::unread() const {
  std::vector<BlobId> ids;
  for (const auto& [id, seen] : modules_)
    if (!seen.exports)
      ids.push_back(id);
  return ids;
}

void ModuleBook::read(const BlobId& module, ByteView bytes) {
  const auto known = modules_.find(module);
  const auto outline = wasm::outline_of(bytes);
  if (known == modules_.end() || !outline)
    return;
  auto& exports = known->second.exports.emplace();
  for (const auto& e : outline->exports)
    if (exports.size() < exports_max)
      exports.push_back(wasm::plain_text(view(e.name), name_bytes_max));
}

} // namespace tessera
