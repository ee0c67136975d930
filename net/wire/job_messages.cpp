#include "net/wire/job_messages.hpp"

#include "net/manifest.hpp"
#include "net/wire/codec.hpp"
#include "net/wire/flat.hpp"

#include <algorithm>
#include <set>

namespace tessera::wire {

namespace {

constexpr std::uint64_t leaves_max = std::uint64_t{1} << 63;

bool empty(const Error& e) {
  return e == Error{};
}

bool hex_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

std::string prefix(capnp::Text::Reader text) {
  require(text.size() <= prefix_digits_max && std::all_of(text.begin(), text.end(), hex_digit),
          "a job prefix is not hexadecimal");
  return {text.begin(), text.size()};
}

Bytes bounded(capnp::Data::Reader data, std::size_t max) {
  require(data.size() <= max, "bytes are longer than their bound");
  return to_bytes(bytes_of(data));
}

void digests_to_wire(DataList::Builder list, const std::vector<Digest>& digests) {
  for (unsigned i = 0; i != list.size(); ++i)
    list.set(i, data_of(digests[i].view()));
}

// How many of `list`, from the first, take at most `bytes_max` together.
template<class T, class Bytes_of>
unsigned that_fit(const std::vector<T>& list, std::size_t bytes_max, Bytes_of bytes_of) {
  std::size_t sum = 0;
  unsigned count = 0;
  while (count != list.size() && (sum += bytes_of(list[count])) <= bytes_max)
    ++count;
  return count;
}

std::size_t envelope_bytes(const Signed& seal) {
  return seal.body.size() + 144; // Body's padding, key, signature and four pointers.
}

// An upper bound: the fixed part has four texts, and a share takes 88 bytes.
std::size_t status_bytes(const tessera::JobStatus& status) {
  return envelope_bytes(status.spec->seal) + 88 * status.shares.size() + 4 * text_bytes_max + 576;
}

} // namespace

// --- Specs

SpecPtr open_spec(Signed seal, const MeshId& mesh) {
  require(seal.body.size() <= spec_bytes_max, "a job's spec is too long");
  auto spec = from_flat<JobSpec>(seal.body, [](auto root) { return from_wire(root); });
  require(spec.submitter == seal.key, "a job is signed by another than its submitter");
  require(verified(seal, mesh, SealType::spec), "a job's signature does not fit");
  const auto id = digest_of(seal.body);
  return std::make_shared<const SignedSpec>(SignedSpec{std::move(spec), id, std::move(seal)});
}

void to_wire(JobSpec::Builder to, const tessera::JobSpec& spec) {
  assert(spec.params.size() <= params_bytes_max);
  assert(spec.items >= 1 && spec.items <= leaves_max);
  assert(spec.leaf_items >= 1 && spec.leaf_items <= leaves_max);
  to.setSubmitter(data_of(spec.submitter.view()));
  to.setNonce(data_of(spec.nonce));
  to.setSubmittedMs(spec.submitted_ms);
  to.setKernel(name_of(spec.kernel));
  to.setKernelVersion(spec.kernel_version);
  to.setParams(data_of(spec.params));
  to.setItems(spec.items);
  to.setLeafItems(spec.leaf_items);
  auto inputs = to.initInputs(size_of(spec.inputs, inputs_max));
  for (unsigned i = 0; i != inputs.size(); ++i) {
    inputs[i].setBlob(data_of(spec.inputs[i].blob.view()));
    inputs[i].setSize(spec.inputs[i].size);
    assert(i == 0 || spec.inputs[i - 1].role < spec.inputs[i].role);
    inputs[i].setRole(Role(std::uint16_t(spec.inputs[i].role)));
  }
  to.setTtlMs(spec.ttl_ms);
  to.setRetries(spec.retries);
  to.setTrust(Trust(std::uint16_t(spec.trust)));
  to.setShape(Shape(std::uint16_t(spec.shape)));
  to.setRounds(spec.rounds);
  if (spec.round != 0)
    to.setParent(data_of(spec.parent.view()));
  to.setRound(spec.round);
  to.setBudget(spec.budget);
  assert(spec.priority >= priority_min && spec.priority <= priority_max && spec.deadline_ms >= 0);
  to.setPriority(spec.priority);
  to.setWorkerBytes(spec.require.memory_bytes);
  to.setArch(arch_text(spec.require.arch));
  to.setDeadlineMs(spec.deadline_ms);
}

void wishes_from_wire(JobSpec::Reader from, tessera::JobSpec& spec) {
  spec.priority = from.getPriority();
  require(spec.priority >= priority_min && spec.priority <= priority_max,
          "a job's priority is out of range");
  spec.require = {from.getWorkerBytes(), arch(from.getArch())};
  spec.deadline_ms = from.getDeadlineMs();
  require(spec.deadline_ms >= 0, "a job's deadline is before 1970");
}

void rounds_from_wire(JobSpec::Reader from, tessera::JobSpec& spec) {
  spec.rounds = from.getRounds();
  require((spec.rounds != 0) == (spec.shape != tessera::Shape::range),
          "a job of rounds says how many at most, and no other does");
  spec.round = from.getRound();
  require((spec.round != 0) == from.hasParent(), "a round has a number and a job, or neither");
  spec.budget = from.getBudget();
  require(spec.budget == 0 || spec.round != 0 || spec.shape == tessera::Shape::tree,
          "only tree jobs and their rounds have a budget");
  require(spec.round == 0 || spec.shape == tessera::Shape::range, "a round is no range job");
  if (spec.round != 0)
    spec.parent = digest(from.getParent());
}

tessera::JobSpec from_wire(JobSpec::Reader from) {
  tessera::JobSpec spec;
  spec.submitter = node_id(from.getSubmitter());
  const auto nonce = from.getNonce();
  require(nonce.size() == spec.nonce.size(), "a job's nonce is not of 16 bytes");
  std::copy(nonce.begin(), nonce.end(), spec.nonce.begin());
  spec.submitted_ms = from.getSubmittedMs();
  spec.kernel = name(from.getKernel());
  spec.kernel_version = from.getKernelVersion();
  spec.params = bounded(from.getParams(), params_bytes_max);
  spec.items = from.getItems();
  spec.leaf_items = from.getLeafItems();
  require(spec.items >= 1 && spec.items <= leaves_max, "a job has no items, or too many");
  require(spec.leaf_items >= 1 && spec.leaf_items <= leaves_max,
          "a job has no items in a leaf, or too many");
  spec.inputs = all(from.getInputs(), inputs_max, [](Input::Reader input) {
    require(input.getRole() <= Role::STATE, "an input of a job is of an unknown role");
    return tessera::Input{digest(input.getBlob()), input.getSize(),
                          tessera::Input::Role(input.getRole())};
  });
  require(std::ranges::is_sorted(spec.inputs, std::less_equal{}, &tessera::Input::role),
          "two inputs of a job have one role, or stand in the wrong order");
  spec.ttl_ms = from.getTtlMs();
  spec.retries = from.getRetries();
  require(from.getTrust() <= Trust::QUORUM, "a job asks for an unknown kind of trust");
  spec.trust = tessera::Trust(from.getTrust());
  require(from.getShape() <= Shape::TREE, "a job is of an unknown shape");
  spec.shape = tessera::Shape(from.getShape());
  rounds_from_wire(from, spec);
  wishes_from_wire(from, spec);
  return spec;
}

// --- Stealing

void to_wire(StealAsk::Builder to, const tessera::StealAsk& ask) {
  to.setAsk(ask.ask);
  to.setSlots(ask.slots);
  to.setSpeed(ask.speed);
  names_to_wire(to.initKernels(size_of(ask.kernels, kernels_max)), ask.kernels);
  to.setWaitMs(ask.wait_ms);
  to.setWorkerBytes(ask.worker.memory_bytes);
  to.setArch(arch_text(ask.worker.arch));
}

tessera::StealAsk from_wire(StealAsk::Reader from) {
  return {from.getAsk(),           from.getSlots(),
          amount(from.getSpeed()), all(from.getKernels(), kernels_max, name),
          from.getWaitMs(),        {from.getWorkerBytes(), arch(from.getArch())}};
}

void to_wire(Lease::Builder to, const tessera::Lease& lease) {
  assert(!lease.blocks.empty() && !lease.path.empty());
  to.setJob(data_of(lease.job.view()));
  to.setId(lease.id);
  to.setAttempt(lease.attempt);
  all_to_wire(to.initBlocks(size_of(lease.blocks, lease_blocks_max)), lease.blocks);
  auto path = to.initPath(size_of(lease.path, lease_path_max));
  for (unsigned i = 0; i != path.size(); ++i)
    path.set(i, data_of(lease.path[i].view()));
}

tessera::Lease from_wire(Lease::Reader from) {
  tessera::Lease lease{digest(from.getJob()), from.getId(), from.getAttempt(),
                       all_from_wire(from.getBlocks(), lease_blocks_max),
                       all(from.getPath(), lease_path_max, node_id)};
  require(!lease.blocks.empty(), "a lease has no blocks");
  require(!lease.path.empty(), "a lease has no path");
  return lease;
}

void to_wire(Grant::Builder to, const tessera::Grant& grant) {
  assert(!grant.spec == grant.leases.empty());
  to.setAsk(grant.ask);
  if (grant.spec)
    to_wire(to.initSpec(), grant.spec->seal);
  all_to_wire(to.initLeases(size_of(grant.leases, leases_max)), grant.leases);
}

tessera::Grant from_wire(Grant::Reader from, const MeshId& mesh) {
  tessera::Grant grant{from.getAsk(), nullptr, all_from_wire(from.getLeases(), leases_max)};
  require(from.hasSpec() == !grant.leases.empty(), "a grant needs leases and their spec, or none");
  if (!from.hasSpec())
    return grant;
  auto seal = from_wire(from.getSpec());
  const auto id = digest_of(seal.body);
  for (const auto& lease : grant.leases)
    require(lease.job == id, "a grant has leases of another job than its spec's");
  grant.spec = open_spec(std::move(seal), mesh);
  require(grant.spec->spec.shape == tessera::Shape::range, "a job of rounds is leased whole");
  return grant;
}

void to_wire(LeaseRefused::Builder to, const tessera::LeaseRefused& refused) {
  to.setJob(data_of(refused.job.view()));
  to.setLease(refused.lease);
  to.setWhy(text_of(cleaned(refused.why)));
}

tessera::LeaseRefused from_wire(LeaseRefused::Reader from) {
  return {digest(from.getJob()), from.getLease(), prose(from.getWhy())};
}

// --- Results

void to_wire(Partial::Builder to, const tessera::Partial& partial) {
  assert(partial.bytes.size() == (partial.size <= partial_inline_bytes_max ? partial.size : 0));
  to.setDigest(data_of(partial.digest.view()));
  to.setSize(partial.size);
  to.setBytes(data_of(partial.bytes));
  to.setManifest(partial.manifest);
}

void check_manifest(ByteView bytes) {
  require(Manifest::of(bytes).has_value(), "a manifest is none");
}

tessera::Partial from_wire(Partial::Reader from) {
  tessera::Partial partial{digest(from.getDigest()), from.getSize(),
                           bounded(from.getBytes(), partial_inline_bytes_max), from.getManifest()};
  const bool whole = partial.size <= partial_inline_bytes_max;
  require(partial.bytes.size() == (whole ? partial.size : 0),
          "a partial's bytes are not of its size");
  require(!whole || blob_id(partial.bytes) == partial.digest, "a partial's digest does not fit");
  if (partial.manifest)
    check_manifest(partial.bytes);
  return partial;
}

void to_wire(BlockResult::Builder to, const tessera::BlockResult& result) {
  to_wire(to.initBlock(), result.block);
  to_wire(to.initPartial(), result.partial);
}

tessera::BlockResult from_wire(BlockResult::Reader from) {
  return {from_wire(from.getBlock()), from_wire(from.getPartial())};
}

void to_wire(Ran::Builder to, const tessera::Commitment::Ran& ran) {
  to_wire(to.initBlock(), ran.block);
  to.setRoot(data_of(ran.root.view()));
}

tessera::Commitment::Ran from_wire(Ran::Reader from) {
  return {from_wire(from.getBlock()), digest(from.getRoot())};
}

void to_wire(Commitment::Builder to, const tessera::Commitment& commitment) {
  to.setJob(data_of(commitment.job.view()));
  all_to_wire(to.initRan(size_of(commitment.ran, ran_max)), commitment.ran);
}

tessera::Commitment from_wire(Commitment::Reader from) {
  tessera::Commitment commitment{digest(from.getJob()), all_from_wire(from.getRan(), ran_max)};
  require(!commitment.ran.empty(), "a commitment commits to nothing");
  return commitment;
}

void to_wire(LeaseResult::Builder to, const tessera::LeaseResult& result) {
  to.setJob(data_of(result.job.view()));
  to.setLease(result.lease);
  to.setAttempt(result.attempt);
  to.setSequence(result.sequence);
  all_to_wire(to.initDone(size_of(result.done, result_blocks_max)), result.done);
  all_to_wire(to.initUndone(size_of(result.undone, lease_blocks_max)), result.undone);
  all_to_wire(to.initFailed(size_of(result.failed, lease_blocks_max)), result.failed);
  if (!empty(result.reason))
    to_wire(to.initReason(), result.reason);
  to.setLast(result.last);
  to.setHolder(data_of(result.holder.view()));
  assert(result.commitments.size() + !result.ran.empty() <= commitments_max);
  all_to_wire(
      to.initCommitments(that_fit(result.commitments, commitments_bytes_max, envelope_bytes)),
      result.commitments);
  to.setCpuNs(result.cpu_ns);
  all_to_wire(to.initShares(size_of(result.shares, shares_max)), result.shares);
  to.setReruns(result.reruns.sum());
  if (result.reruns.sum() > 0)
    to_wire(to.initRerunWhy(), result.reruns);
}

tessera::LeaseResult from_wire(LeaseResult::Reader from) {
  tessera::LeaseResult result;
  result.job = digest(from.getJob());
  result.lease = from.getLease();
  result.attempt = from.getAttempt();
  result.sequence = from.getSequence();
  result.done = all_from_wire(from.getDone(), result_blocks_max);
  result.undone = all_from_wire(from.getUndone(), lease_blocks_max);
  result.failed = all_from_wire(from.getFailed(), lease_blocks_max);
  if (from.hasReason())
    result.reason = from_wire(from.getReason());
  result.last = from.getLast();
  result.holder = node_id(from.getHolder());
  result.commitments = all_from_wire(from.getCommitments(), commitments_max - from.hasRan());
  require(that_fit(result.commitments, commitments_bytes_max, envelope_bytes) ==
              result.commitments.size(),
          "commitments are too long");
  result.cpu_ns = from.getCpuNs();
  result.shares = all_from_wire(from.getShares(), shares_max);
  result.reruns = reruns_of(from.getReruns(), from.getRerunWhy());
  return result;
}

void to_wire(Receipt::Builder to, const tessera::Receipt& receipt) {
  to.setJob(data_of(receipt.job.view()));
  to.setLease(receipt.lease);
  to.setSequence(receipt.sequence);
  to.setCovered(receipt.covered);
}

tessera::Receipt from_wire(Receipt::Reader from) {
  return {digest(from.getJob()), from.getLease(), from.getSequence(), from.getCovered()};
}

// --- Signs of life

void to_wire(LeaseBeat::Builder to, const tessera::LeaseBeat& beat) {
  to.setJob(data_of(beat.job.view()));
  to.setTable(data_of(beat.table.view()));
}

tessera::LeaseBeat from_wire(LeaseBeat::Reader from) {
  return {digest(from.getJob()), digest(from.getTable())};
}

void to_wire(LeaseTable::Builder to, const tessera::LeaseTable& table) {
  to.setJob(data_of(table.job.view()));
  auto rows = to.initRows(size_of(table.rows, table_rows_max));
  for (unsigned i = 0; i != rows.size(); ++i) {
    rows[i].setLease(table.rows[i].lease);
    rows[i].setAttempt(table.rows[i].attempt);
    rows[i].setLessor(table.rows[i].lessor);
    rows[i].setSequence(table.rows[i].sequence);
  }
}

tessera::LeaseTable from_wire(LeaseTable::Reader from) {
  return {digest(from.getJob()), all(from.getRows(), table_rows_max, [](LeaseTable::Row::Reader r) {
            return tessera::LeaseTable::Row{r.getLease(), r.getAttempt(), r.getLessor(),
                                            r.getSequence()};
          })};
}

void to_wire(JobOver::Builder to, const tessera::JobOver& over) {
  to.setJob(data_of(over.job.view()));
  to.setKeep(over.keep);
}

tessera::JobOver from_wire(JobOver::Reader from) {
  return {digest(from.getJob()), from.getKeep()};
}

void to_wire(KeepAsk::Builder to, const tessera::KeepAsk& ask) {
  to.setJob(data_of(ask.job.view()));
  to.setManifest(data_of(ask.manifest));
  to.setHolder(data_of(ask.holder.view()));
}

tessera::KeepAsk from_wire(KeepAsk::Reader from) {
  tessera::KeepAsk ask{digest(from.getJob()), bounded(from.getManifest(), partial_inline_bytes_max),
                       node_id(from.getHolder())};
  check_manifest(ask.manifest);
  return ask;
}

void to_wire(KeepAnswer::Builder to, const tessera::KeepAnswer& answer) {
  to.setJob(data_of(answer.job.view()));
  to.setManifest(data_of(answer.manifest.view()));
  to.setKept(answer.kept);
}

tessera::KeepAnswer from_wire(KeepAnswer::Reader from) {
  return {digest(from.getJob()), digest(from.getManifest()), from.getKept()};
}

// --- Questions

void to_wire(JobStatus::Builder to, const tessera::JobStatus& status) {
  assert(status.spec);
  to_wire(to.initSpec(), status.spec->seal);
  to.setRoot(data_of(status.root.view()));
  to.setState(JobState(std::uint16_t(status.state)));
  to.setLeavesDone(status.leaves_done);
  to.setLeavesRerun(status.reruns.sum());
  if (status.reruns.sum() > 0)
    to_wire(to.initRerunWhy(), status.reruns);
  to.setElapsedMs(status.elapsed_ms);
  to.setPeers(status.peers);
  if (!empty(status.error))
    to_wire(to.initError(), status.error);
  to.setResult(data_of(status.result.view()));
  to.setResultSize(status.result_size);
  to.setManifest(status.manifest);
  to.setFuel(status.fuel);
  to.setRound(status.round);
  to.setTasksRun(status.tasks_run);
  to.setTasksLeft(status.tasks_left);
  to.setBudget(status.budget);
  all_to_wire(to.initShares(size_of(status.shares, shares_max)), status.shares);
}

tessera::JobStatus from_wire(JobStatus::Reader from, const MeshId& mesh) {
  tessera::JobStatus status;
  status.root = node_id(from.getRoot());
  require(from.getState() <= JobState::CANCELLED, "a job is in an unknown state");
  status.state = tessera::JobState(from.getState());
  status.leaves_done = from.getLeavesDone();
  status.reruns = reruns_of(from.getLeavesRerun(), from.getRerunWhy());
  status.elapsed_ms = from.getElapsedMs();
  status.peers = from.getPeers();
  if (from.hasError())
    status.error = from_wire(from.getError());
  status.result = digest(from.getResult());
  status.result_size = from.getResultSize();
  status.manifest = from.getManifest();
  status.fuel = from.getFuel();
  status.round = from.getRound();
  status.tasks_run = from.getTasksRun();
  status.tasks_left = from.getTasksLeft();
  status.budget = from.getBudget();
  status.shares = all_from_wire(from.getShares(), shares_max);
  status.spec = open_spec(from_wire(from.getSpec()), mesh);
  return status;
}

void to_wire(JobQuery::Builder to, const tessera::JobQuery& query) {
  assert(query.prefix.size() <= prefix_digits_max);
  assert(std::ranges::all_of(query.prefix, hex_digit));
  to.setQuery(query.query);
  to.setAsker(data_of(query.asker.view()));
  to.setPrefix(text_of(query.prefix));
  to.setHops(hops_of(query.hops));
}

tessera::JobQuery from_wire(JobQuery::Reader from) {
  return {from.getQuery(), node_id(from.getAsker()), prefix(from.getPrefix()),
          hops(from.getHops())};
}

void to_wire(JobAnswer::Builder to, const tessera::JobAnswer& answer) {
  to.setQuery(answer.query);
  to.setAsker(data_of(answer.asker.view()));
  assert(answer.jobs.size() <= statuses_max);
  all_to_wire(to.initJobs(that_fit(answer.jobs, message_bytes_max - 1024, status_bytes)),
              answer.jobs);
}

tessera::JobAnswer from_wire(JobAnswer::Reader from, const MeshId& mesh) {
  tessera::JobAnswer answer{from.getQuery(), node_id(from.getAsker()), {}};
  std::set<JobId> seen; // One signature is not paid for 256 times.
  answer.jobs = all(from.getJobs(), statuses_max, [&](JobStatus::Reader status) {
    require(seen.insert(digest_of(bytes_of(status.getSpec().getBody()))).second,
            "an answer tells of one job twice");
    return from_wire(status, mesh);
  });
  return answer;
}

void to_wire(DetailAsk::Builder to, const tessera::DetailAsk& ask) {
  to.setQuery(ask.query);
  to.setJob(data_of(ask.job.view()));
  to.setWhat(What(std::uint16_t(ask.what)));
  to.setSince(ask.since);
}

tessera::DetailAsk from_wire(DetailAsk::Reader from) {
  require(from.getWhat() <= What::WHY, "a detail is of an unknown kind");
  return {from.getQuery(), digest(from.getJob()), tessera::DetailAsk::What(from.getWhat()),
          from.getSince()};
}

void to_wire(Detail::Builder to, const tessera::Detail& detail) {
  assert(detail.json.size() <= detail_bytes_max);
  to.setQuery(detail.query);
  to.setJob(data_of(detail.job.view()));
  to.setJson(text_of(detail.json));
}

tessera::Detail from_wire(Detail::Reader from) {
  const auto json = from.getJson();
  require(json.size() <= detail_bytes_max, "a detail is longer than its bound");
  return {from.getQuery(), digest(from.getJob()), {json.begin(), json.size()}};
}

// --- Blobs

void to_wire(BlobAsk::Builder to, const tessera::BlobAsk& ask) {
  assert(ask.chunks >= 1 && ask.chunks <= blob_ask_chunks_max);
  to.setBlob(data_of(ask.blob.view()));
  to.setFirstChunk(ask.first_chunk);
  to.setChunks(ask.chunks);
}

tessera::BlobAsk from_wire(BlobAsk::Reader from) {
  tessera::BlobAsk ask{digest(from.getBlob()), from.getFirstChunk(), from.getChunks()};
  require(ask.chunks >= 1 && ask.chunks <= blob_ask_chunks_max,
          "no chunk of a blob is asked for, or too many");
  return ask;
}

void to_wire(BlobChunk::Builder to, const tessera::BlobChunk& chunk) {
  assert(chunk.bytes.size() <= blob_chunk_bytes);
  to.setBlob(data_of(chunk.blob.view()));
  to.setSize(chunk.size);
  to.setChunk(chunk.chunk);
  to.setBytes(data_of(chunk.bytes));
  digests_to_wire(to.initProof(size_of(chunk.proof, proof_max)), chunk.proof);
}

tessera::BlobChunk from_wire(BlobChunk::Reader from) {
  tessera::BlobChunk chunk{digest(from.getBlob()), from.getSize(), from.getChunk(), {}, {}};
  require(chunk.chunk < chunk_count(chunk.size), "a chunk lies behind its blob's end");
  chunk.bytes = bounded(from.getBytes(), blob_chunk_bytes);
  chunk.proof = all(from.getProof(), proof_max, digest);
  return chunk;
}

void to_wire(BlobMissing::Builder to, const tessera::BlobMissing& missing) {
  to.setBlob(data_of(missing.blob.view()));
}

tessera::BlobMissing from_wire(BlobMissing::Reader from) {
  return {digest(from.getBlob())};
}

} // namespace tessera::wire
