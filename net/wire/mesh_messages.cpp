#include "net/wire/mesh_messages.hpp"

#include "net/wire/codec.hpp"

namespace tessera::wire {

void to_wire(Record::Builder to, const tessera::Record& record) {
  to.setSubject(data_of(record.subject.view()));
  to.setBoot(record.boot);
  to.setSequence(record.sequence);
  to.setExpiresMs(record.expires_ms);
  to.setName(text_of(cleaned(record.name)));
  to.setVersion(text_of(cleaned(record.version)));
  all_to_wire(to.initAddresses(size_of(record.addresses, addresses_max)), record.addresses);
  to.setCores(record.cores);
  to.setSlots(record.slots);
  to.setSlotsFree(record.slots_free);
  to.setSpeed(record.speed);
  to.setLoad(record.load);
  to.setStealableNs(record.stealable_ns);
  names_to_wire(to.initKernels(size_of(record.kernels, kernels_max)), record.kernels);
  to.setLeaving(record.leaving);
  to.setPaused(record.paused);
  to.setWorkerBytes(record.worker.memory_bytes);
  to.setArch(arch_text(record.worker.arch));
}

tessera::Record from_wire(Record::Reader from) {
  tessera::Record record;
  record.subject = node_id(from.getSubject());
  record.boot = from.getBoot();
  record.sequence = from.getSequence();
  record.expires_ms = from.getExpiresMs();
  record.name = prose(from.getName());
  record.version = prose(from.getVersion());
  record.addresses = all_from_wire(from.getAddresses(), addresses_max);
  record.cores = from.getCores();
  record.slots = from.getSlots();
  record.slots_free = from.getSlotsFree();
  record.speed = amount(from.getSpeed());
  record.load = amount(from.getLoad());
  record.stealable_ns = from.getStealableNs();
  record.kernels = all(from.getKernels(), kernels_max, name);
  record.leaving = from.getLeaving();
  record.paused = from.getPaused();
  record.worker = {from.getWorkerBytes(), arch(from.getArch())};
  return record;
}

void to_wire(ForwardJoin::Builder to, const tessera::ForwardJoin& join) {
  to.setJoiner(data_of(join.joiner.view()));
  all_to_wire(to.initAddresses(size_of(join.addresses, addresses_max)), join.addresses);
  to.setTtl(hops_of(join.ttl));
}

tessera::ForwardJoin from_wire(ForwardJoin::Reader from) {
  return {node_id(from.getJoiner()), all_from_wire(from.getAddresses(), addresses_max),
          hops(from.getTtl())};
}

void to_wire(DialBackAnswer::Builder to, const tessera::DialBackAnswer& answer) {
  to.setOutcome(std::uint8_t(answer.outcome));
  to.setWhy(text_of(cleaned(answer.why)));
}

tessera::DialBackAnswer from_wire(DialBackAnswer::Reader from) {
  using Outcome = tessera::DialBackAnswer::Outcome;
  require(from.getOutcome() <= std::uint8_t(Outcome::not_tried), "an outcome that is none");
  return {Outcome(from.getOutcome()), prose(from.getWhy())};
}

void to_wire(Neighbor::Builder to, const tessera::Neighbor& neighbor) {
  to.setHigh(neighbor.high);
}

tessera::Neighbor from_wire(Neighbor::Reader from) {
  return {from.getHigh()};
}

void to_wire(NeighborReply::Builder to, const tessera::NeighborReply& reply) {
  to.setAccepted(reply.accepted);
}

tessera::NeighborReply from_wire(NeighborReply::Reader from) {
  return {from.getAccepted()};
}

void to_wire(Disconnect::Builder to, const tessera::Disconnect& disconnect) {
  to.setLeaving(disconnect.leaving);
}

tessera::Disconnect from_wire(Disconnect::Reader from) {
  return {from.getLeaving()};
}

void to_wire(Shuffle::Builder to, const tessera::Shuffle& shuffle) {
  to.setOrigin(data_of(shuffle.origin.view()));
  all_to_wire(to.initAddresses(size_of(shuffle.addresses, addresses_max)), shuffle.addresses);
  to.setTtl(hops_of(shuffle.ttl));
  all_to_wire(to.initSample(size_of(shuffle.sample, sample_max)), shuffle.sample);
}

tessera::Shuffle from_wire(Shuffle::Reader from) {
  return {node_id(from.getOrigin()), all_from_wire(from.getAddresses(), addresses_max),
          hops(from.getTtl()), all_from_wire(from.getSample(), sample_max)};
}

void to_wire(ShuffleReply::Builder to, const tessera::ShuffleReply& reply) {
  all_to_wire(to.initSample(size_of(reply.sample, sample_max)), reply.sample);
}

tessera::ShuffleReply from_wire(ShuffleReply::Reader from) {
  return {all_from_wire(from.getSample(), sample_max)};
}

} // namespace tessera::wire
