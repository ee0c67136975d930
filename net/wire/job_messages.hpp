#pragma once

#include "net/wire/parts.hpp"

// Messages about jobs and blobs as Cap'n Proto and back, their specs' seals verified.
namespace tessera::wire {

SpecPtr open_spec(Signed seal, const MeshId& mesh); // Refuses what is not a spec, or forged.

void to_wire(JobSpec::Builder to, const tessera::JobSpec& spec);
void to_wire(StealAsk::Builder to, const tessera::StealAsk& ask);
void to_wire(Lease::Builder to, const tessera::Lease& lease);
void to_wire(Grant::Builder to, const tessera::Grant& grant);
void to_wire(LeaseRefused::Builder to, const tessera::LeaseRefused& refused);
void to_wire(Partial::Builder to, const tessera::Partial& partial);
void to_wire(BlockResult::Builder to, const tessera::BlockResult& result);
void to_wire(Ran::Builder to, const tessera::Commitment::Ran& ran);
void to_wire(Commitment::Builder to, const tessera::Commitment& commitment);
// Leaves `ran` alone: its seal is the codec's work.
void to_wire(LeaseResult::Builder to, const tessera::LeaseResult& result);
void to_wire(Receipt::Builder to, const tessera::Receipt& receipt);
void to_wire(LeaseBeat::Builder to, const tessera::LeaseBeat& beat);
void to_wire(LeaseTable::Builder to, const tessera::LeaseTable& table);
void to_wire(JobOver::Builder to, const tessera::JobOver& over);
void to_wire(KeepAsk::Builder to, const tessera::KeepAsk& ask);
void to_wire(KeepAnswer::Builder to, const tessera::KeepAnswer& answer);
void to_wire(JobStatus::Builder to, const tessera::JobStatus& status);
void to_wire(JobQuery::Builder to, const tessera::JobQuery& query);
void to_wire(JobAnswer::Builder to, const tessera::JobAnswer& answer);
void to_wire(DetailAsk::Builder to, const tessera::DetailAsk& ask);
void to_wire(Detail::Builder to, const tessera::Detail& detail);
void to_wire(BlobAsk::Builder to, const tessera::BlobAsk& ask);
void to_wire(BlobChunk::Builder to, const tessera::BlobChunk& chunk);
void to_wire(BlobMissing::Builder to, const tessera::BlobMissing& missing);

tessera::JobSpec from_wire(JobSpec::Reader from);
tessera::StealAsk from_wire(StealAsk::Reader from);
tessera::Lease from_wire(Lease::Reader from);
tessera::Grant from_wire(Grant::Reader from, const MeshId& mesh);
tessera::LeaseRefused from_wire(LeaseRefused::Reader from);
tessera::Partial from_wire(Partial::Reader from);
tessera::BlockResult from_wire(BlockResult::Reader from);
tessera::Commitment::Ran from_wire(Ran::Reader from);
tessera::Commitment from_wire(Commitment::Reader from);
// `commitments` as sent, without `ran`.
tessera::LeaseResult from_wire(LeaseResult::Reader from);
tessera::Receipt from_wire(Receipt::Reader from);
tessera::LeaseBeat from_wire(LeaseBeat::Reader from);
tessera::LeaseTable from_wire(LeaseTable::Reader from);
tessera::JobOver from_wire(JobOver::Reader from);
tessera::KeepAsk from_wire(KeepAsk::Reader from);
tessera::KeepAnswer from_wire(KeepAnswer::Reader from);
tessera::JobStatus from_wire(JobStatus::Reader from, const MeshId& mesh);
tessera::JobQuery from_wire(JobQuery::Reader from);
tessera::JobAnswer from_wire(JobAnswer::Reader from, const MeshId& mesh);
tessera::DetailAsk from_wire(DetailAsk::Reader from);
tessera::Detail from_wire(Detail::Reader from);
tessera::BlobAsk from_wire(BlobAsk::Reader from);
tessera::BlobChunk from_wire(BlobChunk::Reader from);
tessera::BlobMissing from_wire(BlobMissing::Reader from);

} // namespace tessera::wire
