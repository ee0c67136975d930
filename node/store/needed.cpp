#include "node/store/needed.hpp"

#include "node/store/copy.hpp"

namespace tessera {

namespace {

// Those under a manifest that are here; whether that is all.
bool add_under(ByteView bytes, Blobs& blobs, std::vector<BlobId>& needed) {
  const auto manifest = Manifest::of(bytes);
  if (!manifest)
    return false;
  Copy walk{*manifest};
  bool all = true;
  for (auto wanted = walk.next(); !wanted.empty(); wanted = walk.next())
    for (const auto& blob : wanted) {
      const auto here = blobs.has(blob) ? blobs.bytes(blob) : Result<Mapping>{Error{}};
      if (here) {
        needed.push_back(blob);
        walk.here(blob, here->bytes());
      } else {
        walk.skip(blob);
        all = false;
      }
    }
  return all && walk.whole();
}

} // namespace

std::vector<BlobId> partial_blobs(const Partial& partial, Blobs& blobs) {
  std::vector<BlobId> needed;
  if (partial.manifest)
    add_under(partial.bytes, blobs, needed);
  else if (partial.size > partial_inline_bytes_max)
    needed.push_back(partial.digest);
  return needed;
}

bool all_under_here(const Partial& partial, Blobs& blobs) {
  std::vector<BlobId> ignored;
  return !partial.manifest || add_under(partial.bytes, blobs, ignored);
}

std::vector<BlobId> result_blobs(const BlobId& result, Blobs& blobs) {
  std::vector<BlobId> needed{result};
  if (blobs.size_of(result) <= partial_inline_bytes_max)
    if (const auto bytes = blobs.bytes(result))
      add_under(bytes->bytes(), blobs, needed);
  return needed;
}

std::vector<BlobId> needed_blobs(const JournaledJob& job, const JobSpec& spec, Blobs& blobs) {
  if (job.ended_ms > 0)
    return job.state == JobState::done ? result_blobs(job.result, blobs) : std::vector<BlobId>{};
  std::vector<BlobId> needed;
  for (const auto& input : spec.inputs)
    needed.push_back(input.blob);
  for (const auto& [block, partial] : job.done)
    for (const auto& blob : partial_blobs(partial, blobs))
      needed.push_back(blob);
  return needed;
}

Status forget_unneeded(Journal& journal, Blobs& blobs, const Codec& codec, std::uint64_t bytes) {
  const auto jobs = journal.jobs();
  if (!jobs)
    return jobs.error();
  for (const auto& job : *jobs)
    if (const auto seal = codec.envelope(job.envelope))
      if (const auto spec = codec.open_spec(*seal))
        for (const auto& blob : needed_blobs(job, spec->spec, blobs))
          blobs.pin(blob);
  blobs.forget(bytes);
  return Nothing{};
}

} // namespace tessera
