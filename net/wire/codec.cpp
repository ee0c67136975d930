#include "net/wire/codec.hpp"

#include "net/wire/flat.hpp"
#include "net/wire/job_messages.hpp"
#include "net/wire/mesh_messages.hpp"

#include <kj/exception.h>

#include <algorithm>

namespace tessera {

namespace {

using wire::from_flat;
using wire::require;
using wire::to_flat;
using wire::to_wire;

template<class Root>
auto plain(ByteView bytes) {
  return from_flat<Root>(bytes, [](auto root) { return from_wire(root); });
}

// --- Envelopes, each with its cheap checks before the signature's.

std::shared_ptr<const SignedRecord> open_record(Signed seal, const MeshId& mesh) {
  require(seal.body.size() <= record_bytes_max, "a record is too long");
  auto record = plain<wire::Record>(seal.body);
  require(record.subject == seal.key, "a record is signed by another than its subject");
  require(verified(seal, mesh, SealType::record), "a record's signature does not fit");
  return std::make_shared<const SignedRecord>(SignedRecord{std::move(record), std::move(seal)});
}

std::shared_ptr<const SignedCancel> open_cancel(Signed seal, const MeshId& mesh) {
  require(seal.body.size() <= cancel_bytes_max, "a cancellation is too long");
  const auto job = from_flat<wire::Cancel>(
      seal.body, [](wire::Cancel::Reader root) { return wire::digest(root.getJob()); });
  require(verified(seal, mesh, SealType::cancel), "a cancellation's signature does not fit");
  return std::make_shared<const SignedCancel>(SignedCancel{job, std::move(seal)});
}

// What only the session's peer may say, and signs so that it can be shown to others.
struct Sender {
  const NodeId& id;
  const MeshId& mesh;

  void check(const Signed& seal, SealType type, std::size_t bytes_max) const {
    require(seal.key == id, "a message is signed by another than its sender");
    require(seal.body.size() <= bytes_max, "a signed message is too long");
    require(verified(seal, mesh, type), "a message's signature does not fit");
  }
};

Grant open_grant(const Signed& seal, const Sender& sender) {
  sender.check(seal, SealType::grant, message_bytes_max);
  auto grant = from_flat<wire::Grant>(
      seal.body, [&](wire::Grant::Reader root) { return from_wire(root, sender.mesh); });
  for (const auto& lease : grant.leases)
    require(lease.path.back() == sender.id, "a lease's path does not end at its lessor");
  return grant;
}

Receipt open_receipt(const Signed& seal, const Sender& sender) {
  sender.check(seal, SealType::receipt, receipt_bytes_max);
  return plain<wire::Receipt>(seal.body);
}

// The thief's own commitment: read and verified here, then the first of those that are passed on.
void open_ran(Signed seal, const Sender& sender, LeaseResult& result) {
  sender.check(seal, SealType::commitment, commitment_bytes_max);
  auto commitment = plain<wire::Commitment>(seal.body);
  require(commitment.job == result.job, "a commitment is of another job than its result");
  result.ran = std::move(commitment.ran);
  result.commitments.insert(result.commitments.begin(), std::move(seal));
}

LeaseResult open_result(const Signed& seal, const Sender& sender) {
  sender.check(seal, SealType::result, message_bytes_max);
  return from_flat<wire::LeaseResult>(seal.body, [&](wire::LeaseResult::Reader root) {
    auto result = from_wire(root);
    if (root.hasRan())
      open_ran(from_wire(root.getRan()), sender, result);
    return result;
  });
}

// Of Ran, Block and NodeShare in a list, with what they point to.
constexpr std::size_t ran_words = 8, block_words = 2, share_words = 11, done_words = 12;

std::size_t words_in(const LeaseResult& result) {
  auto words = wire::first_segment_words + result.done.size() * done_words +
               (result.undone.size() + result.failed.size()) * block_words +
               result.ran.size() * ran_words + result.shares.size() * share_words;
  for (const auto& done : result.done)
    words += done.partial.bytes.size() / 8 + 1;
  return words + std::min(result.commitments.size() * 40, commitments_bytes_max / 8);
}

Bytes result_body(const LeaseResult& result, const Identity& self, const MeshId& mesh) {
  capnp::MallocMessageBuilder message{unsigned(words_in(result))};
  auto root = message.initRoot<wire::LeaseResult>();
  to_wire(root, result);
  if (result.ran.empty())
    return wire::flat_bytes(message);
  auto ran = to_flat<wire::Commitment>(Commitment{result.job, result.ran},
                                       wire::first_segment_words + result.ran.size() * ran_words);
  to_wire(root.initRan(), seal(self, mesh, SealType::commitment, std::move(ran)));
  return wire::flat_bytes(message);
}

// --- The union of all messages.

struct PacketWriter {
  wire::Packet::Builder to;
  const Identity& self;
  const MeshId& mesh;

  void operator()(const Records& m) {
    auto list = to.initRecords(wire::size_of(m.records, records_max));
    for (unsigned i = 0; i != list.size(); ++i)
      to_wire(list[i], m.records[i]->seal);
  }
  void operator()(const Join&) { to.setJoin(); }
  void operator()(const ForwardJoin& m) { to_wire(to.initForwardJoin(), m); }
  void operator()(const Neighbor& m) { to_wire(to.initNeighbor(), m); }
  void operator()(const NeighborReply& m) { to_wire(to.initNeighborReply(), m); }
  void operator()(const Disconnect& m) { to_wire(to.initDisconnect(), m); }
  void operator()(const Shuffle& m) { to_wire(to.initShuffle(), m); }
  void operator()(const ShuffleReply& m) { to_wire(to.initShuffleReply(), m); }
  void operator()(const StealAsk& m) { to_wire(to.initStealAsk(), m); }
  void operator()(const Grant& m) {
    to_wire(to.initGrant(), seal(self, mesh, SealType::grant, to_flat<wire::Grant>(m)));
  }
  void operator()(const LeaseRefused& m) { to_wire(to.initLeaseRefused(), m); }
  void operator()(const LeaseResult& m) {
    to_wire(to.initLeaseResult(), seal(self, mesh, SealType::result, result_body(m, self, mesh)));
  }
  void operator()(const Receipt& m) {
    to_wire(to.initReceipt(), seal(self, mesh, SealType::receipt, to_flat<wire::Receipt>(m)));
  }
  void operator()(const LeaseBeat& m) { to_wire(to.initLeaseBeat(), m); }
  void operator()(const LeaseTable& m) { to_wire(to.initLeaseTable(), m); }
  void operator()(const CancelJob& m) { to_wire(to.initCancelJob(), m.cancel->seal); }
  void operator()(const JobOver& m) { to_wire(to.initJobOver(), m); }
  void operator()(const KeepAsk& m) { to_wire(to.initKeepAsk(), m); }
  void operator()(const KeepAnswer& m) { to_wire(to.initKeepAnswer(), m); }
  void operator()(const JobQuery& m) { to_wire(to.initJobQuery(), m); }
  void operator()(const JobAnswer& m) { to_wire(to.initJobAnswer(), m); }
  void operator()(const DetailAsk& m) { to_wire(to.initDetailAsk(), m); }
  void operator()(const Detail& m) { to_wire(to.initDetail(), m); }
  void operator()(const BlobAsk& m) { to_wire(to.initBlobAsk(), m); }
  void operator()(const BlobChunk& m) { to_wire(to.initBlobChunk(), m); }
  void operator()(const BlobMissing& m) { to_wire(to.initBlobMissing(), m); }
  void operator()(const DialBackAsk& m) { to_wire(to.initDialBackAsk(), m.address); }
  void operator()(const DialBackAnswer& m) { to_wire(to.initDialBackAnswer(), m); }
};

Message message_in(wire::Packet::Reader from, const Sender& sender) {
  require(from.getProtocol() == wire::PROTOCOL_VERSION, "a message is of another protocol");
  const auto& mesh = sender.mesh;
  switch (from.which()) {
  case wire::Packet::RECORDS:
    return Records{wire::all(from.getRecords(), records_max, [&](wire::Envelope::Reader seal) {
      return open_record(from_wire(seal), mesh);
    })};
  case wire::Packet::JOIN:
    return Join{};
  case wire::Packet::FORWARD_JOIN:
    return from_wire(from.getForwardJoin());
  case wire::Packet::NEIGHBOR:
    return from_wire(from.getNeighbor());
  case wire::Packet::NEIGHBOR_REPLY:
    return from_wire(from.getNeighborReply());
  case wire::Packet::DISCONNECT:
    return from_wire(from.getDisconnect());
  case wire::Packet::SHUFFLE:
    return from_wire(from.getShuffle());
  case wire::Packet::SHUFFLE_REPLY:
    return from_wire(from.getShuffleReply());
  case wire::Packet::STEAL_ASK:
    return from_wire(from.getStealAsk());
  case wire::Packet::GRANT:
    return open_grant(from_wire(from.getGrant()), sender);
  case wire::Packet::LEASE_REFUSED:
    return from_wire(from.getLeaseRefused());
  case wire::Packet::LEASE_RESULT:
    return open_result(from_wire(from.getLeaseResult()), sender);
  case wire::Packet::RECEIPT:
    return open_receipt(from_wire(from.getReceipt()), sender);
  case wire::Packet::LEASE_BEAT:
    return from_wire(from.getLeaseBeat());
  case wire::Packet::LEASE_TABLE:
    return from_wire(from.getLeaseTable());
  case wire::Packet::CANCEL_JOB:
    return CancelJob{open_cancel(from_wire(from.getCancelJob()), mesh)};
  case wire::Packet::JOB_OVER:
    return from_wire(from.getJobOver());
  case wire::Packet::JOB_QUERY:
    return from_wire(from.getJobQuery());
  case wire::Packet::JOB_ANSWER:
    return from_wire(from.getJobAnswer(), mesh);
  case wire::Packet::BLOB_ASK:
    return from_wire(from.getBlobAsk());
  case wire::Packet::BLOB_CHUNK:
    return from_wire(from.getBlobChunk());
  case wire::Packet::BLOB_MISSING:
    return from_wire(from.getBlobMissing());
  case wire::Packet::KEEP_ASK:
    return from_wire(from.getKeepAsk());
  case wire::Packet::KEEP_ANSWER:
    return from_wire(from.getKeepAnswer());
  case wire::Packet::DETAIL_ASK:
    return from_wire(from.getDetailAsk());
  case wire::Packet::DETAIL:
    return from_wire(from.getDetail());
  case wire::Packet::DIAL_BACK_ASK:
    return DialBackAsk{from_wire(from.getDialBackAsk())};
  case wire::Packet::DIAL_BACK_ANSWER:
    return from_wire(from.getDialBackAnswer());
  }
  throw wire::Refusal{"a message is of an unknown kind"};
}

// `read`'s answer, or why the peer is refused.
template<class T, class Read>
std::variant<T, Closed> or_closed(Read read) {
  try {
    return read();
  } catch (const wire::Refusal& refusal) {
    return Closed{refusal.why};
  } catch (const kj::Exception&) { // Of pointers that lead out of the message, or too far.
    return Closed{"a message is malformed"};
  }
}

template<class T>
T value_or_nothing(std::variant<T, Closed> read) {
  auto* value = std::get_if<T>(&read);
  return value ? std::move(*value) : T{};
}

} // namespace

Bytes Codec::encode(const Message& message) const {
  capnp::MallocMessageBuilder builder{wire::first_segment_words};
  auto packet = builder.initRoot<wire::Packet>();
  packet.setProtocol(wire::PROTOCOL_VERSION);
  std::visit(PacketWriter{packet, self_, mesh_}, message);
  auto bytes = wire::flat_bytes(builder);
  assert(bytes.size() <= message_bytes_max);
  return bytes;
}

std::variant<Message, Closed> Codec::decode(const NodeId& from, ByteView bytes) const {
  return or_closed<Message>([&] {
    require(bytes.size() <= message_bytes_max, "a message is too long");
    return from_flat<wire::Packet>(bytes, [&](auto root) {
      return message_in(root, Sender{from, mesh_});
    });
  });
}

std::shared_ptr<const SignedRecord> Codec::seal_record(const Record& record) const {
  assert(record.subject == self_.id());
  auto seal = tessera::seal(self_, mesh_, SealType::record, to_flat<wire::Record>(record));
  assert(seal.body.size() <= record_bytes_max);
  return std::make_shared<const SignedRecord>(SignedRecord{record, std::move(seal)});
}

SpecPtr Codec::seal_spec(const JobSpec& spec) const {
  assert(spec.submitter == self_.id());
  auto seal = tessera::seal(self_, mesh_, SealType::spec, to_flat<wire::JobSpec>(spec));
  assert(seal.body.size() <= spec_bytes_max);
  const auto id = digest_of(seal.body);
  return std::make_shared<const SignedSpec>(SignedSpec{spec, id, std::move(seal)});
}

std::shared_ptr<const SignedCancel> Codec::seal_cancel(const JobId& job) const {
  capnp::MallocMessageBuilder message{wire::first_segment_words};
  message.initRoot<wire::Cancel>().setJob(wire::data_of(job.view()));
  auto seal = tessera::seal(self_, mesh_, SealType::cancel, wire::flat_bytes(message));
  return std::make_shared<const SignedCancel>(SignedCancel{job, std::move(seal)});
}

std::shared_ptr<const SignedCancel> Codec::open_cancel(const Signed& seal) const {
  return value_or_nothing(or_closed<std::shared_ptr<const SignedCancel>>(
      [&] { return tessera::open_cancel(seal, mesh_); }));
}

Bytes Codec::envelope_bytes(const Signed& seal) {
  return to_flat<wire::Envelope>(seal);
}

std::optional<Signed> Codec::envelope(ByteView bytes) const {
  return value_or_nothing(or_closed<std::optional<Signed>>(
      [&] { return std::optional{plain<wire::Envelope>(bytes)}; }));
}

SpecPtr Codec::open_spec(const Signed& seal) const {
  return value_or_nothing(or_closed<SpecPtr>([&] { return wire::open_spec(seal, mesh_); }));
}

} // namespace tessera
