#pragma once

#include "net/wire/codec.hpp"
#include "node/store/blobs.hpp"
#include "node/store/journal.hpp"

// Which blobs cannot be had again: those that the journal's jobs need.
namespace tessera {

// While it runs its inputs and what is done of it, then its result.
std::vector<BlobId> needed_blobs(const JournaledJob& job, const JobSpec& spec, Blobs& blobs);
// Those of one partial; of a manifest, as far as they are here.
std::vector<BlobId> partial_blobs(const Partial& partial, Blobs& blobs);
// Whether all is here that a manifest names. Of other partials there is nothing to say: true.
bool all_under_here(const Partial& partial, Blobs& blobs);
// A result and, where it is a manifest, what it names as far as that is here.
std::vector<BlobId> result_blobs(const BlobId& result, Blobs& blobs);

// Before a store is there: drops so many bytes of blobs that no job needs, or all of these.
Status forget_unneeded(Journal& journal, Blobs& blobs, const Codec& codec, std::uint64_t bytes);

} // namespace tessera
