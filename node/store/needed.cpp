#include "node/store/needed.hpp"

namespace tessera {

std::vector<BlobId> needed_blobs(const JournaledJob& job, const JobSpec& spec) {
  if (job.ended_ms > 0)
    return job.state == JobState::done ? std::vector{job.result} : std::vector<BlobId>{};
  std::vector<BlobId> needed;
  for (const auto& input : spec.inputs)
    needed.push_back(input.blob);
  for (const auto& [block, partial] : job.done)
    if (partial.size > partial_inline_bytes_max)
      needed.push_back(partial.digest);
  return needed;
}

Status forget_unneeded(Journal& journal, Blobs& blobs, const Codec& codec, std::uint64_t bytes) {
  const auto jobs = journal.jobs();
  if (!jobs)
    return jobs.error();
  for (const auto& job : *jobs)
    if (const auto seal = codec.envelope(job.envelope))
      if (const auto spec = codec.open_spec(*seal))
        for (const auto& blob : needed_blobs(job, spec->spec))
          blobs.pin(blob);
  blobs.forget(bytes);
  return Nothing{};
}

} // namespace tessera
