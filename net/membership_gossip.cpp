#include "net/membership_machine.hpp"

#include <algorithm>

// Records: which are news, to whom they are passed on, and our own.
namespace tessera::mesh {

void Machine::receive(const NodeId& from, const Records& message) {
  auto& peer = peers.at(from);
  std::size_t taken = 0;
  for (const auto& record : message.records)
    if (record && taken++ < records_per_message && peer.news.take(now))
      take_record(from, record);
  views_disagree(from, message);
}

void Machine::take_record(const NodeId& from, const RecordPtr& record) {
  if (record->record.subject == config.self)
    return outbid(record->record);
  const auto before = records.find(record->record.subject);
  const auto taken = records.offer(
      record, from, unix_ms(), config.record_lifetime_max,
      [&](const NodeId& id) { return peers.contains(id); }, now);
  if (taken.pushed_out) {
    pending.erase(*taken.pushed_out);
    say(RecordNews{*taken.pushed_out, nullptr});
  }
  if (!taken.news)
    return;
  const auto& r = record->record;
  if (!before || before->record.boot < r.boot)
    if (const auto retry = retries.find(r.subject); before && retry != retries.end())
      retries.erase(retry); // It has restarted: past failures say nothing.
  if (!before || before->record.addresses != r.addresses)
    good_changed = true;
  took(from, record);
}

void Machine::took(const NodeId& from, const RecordPtr& record) {
  const auto& r = record->record;
  if (r.leaving)
    mark_left(r.subject, r.boot);
  else if (const auto was = left.find(r.subject); was != left.end() && was->second < r.boot)
    left.erase(was);
  if (passive.size() < config.passive_max)
    add_passive(r.subject, r.addresses);
  pending[r.subject] = from;
  flush_at = flush_at.value_or(now + batch_for);
  say(RecordNews{r.subject, record});
}

// A newer record of ourselves comes from an earlier life whose counters we lost. Ours has to be
// the newer one, or nobody would take it.
void Machine::outbid(const Record& theirs) {
  const auto version = version_of(theirs);
  const bool same = own_sealed && own_sealed->record == theirs;
  if (leaving || same || version < version_of(own))
    return;
  own.boot = version.boot;
  own.sequence = version.sequence;
  own_dirty = true;
  if (seal_due() <= now)
    seal_own();
}

// Only active peers tell of others. Whoever does, and is not active here, has missed that it is
// out: sessions that moved do not keep the order between them.
void Machine::views_disagree(const NodeId& from, const Records& message) {
  auto& peer = peers.at(from);
  const bool of_others = std::any_of(message.records.begin(), message.records.end(),
                                     [&](const auto& r) { return r && r->record.subject != from; });
  const bool lately = peer.set_right && now - *peer.set_right < retire_after;
  if (peer.active || peer.answer_by || !of_others || lately)
    return;
  peer.set_right = now;
  send(from, Disconnect{});
}

// --- Our own

void Machine::own_changed(const Record& changed) {
  if (leaving)
    return;
  Record next = changed;
  next.subject = own.subject;
  next.boot = own.boot;
  next.sequence = own.sequence;
  next.expires_ms = own.expires_ms;
  next.leaving = false;
  if (next == own)
    return;
  own = std::move(next);
  own_dirty = true;
  if (started && seal_due() <= now)
    seal_own();
}

// Changes wait longer where many nodes make them: what each has to hear stays the same.
Time Machine::seal_due() const {
  if (!own_dirty)
    return sealed_at + config.record_every;
  const auto crowd = int(records.all().size()) * gap_per_record;
  return sealed_at + std::max<Duration>(config.record_gap, std::min<Duration>(gap_max, crowd));
}

void Machine::seal_own() {
  ++own.sequence;
  own.expires_ms =
      unix_ms() +
      std::chrono::duration_cast<std::chrono::milliseconds>(config.record_lifetime).count();
  own_dirty = false;
  sealed_at = now;
  say(SealRecord{own});
}

void Machine::record_sealed(RecordPtr record) {
  if (own_sealed && version_of(record->record) <= version_of(own_sealed->record))
    return;
  own_sealed = std::move(record);
  for (const auto& [id, peer] : peers)
    if (peer.active || leaving)
      send(id, Records{{own_sealed}});
}

// --- Passing on

// All we know, for a new active neighbour.
void Machine::sync(const NodeId& id) {
  auto& peer = peers.at(id);
  Records batch;
  if (own_sealed)
    batch.records.push_back(own_sealed);
  const bool lately = peer.synced && now - *peer.synced < resync_after;
  if (!lately) {
    peer.synced = now;
    for (const auto& [subject, record] : records.all()) {
      if (batch.records.size() == records_per_message)
        send(id, std::exchange(batch, {}));
      if (subject != id)
        batch.records.push_back(record);
    }
  }
  if (!batch.records.empty())
    send(id, std::move(batch));
}

// In turns among those who told us, so that a flood from one delays no other.
void Machine::flush() {
  std::map<NodeId, std::vector<NodeId>> told;
  for (const auto& [subject, source] : pending)
    told[source].push_back(subject);
  std::vector<std::pair<NodeId, RecordPtr>> batch; // Source, record.
  bool pace = true;
  while (pace && !told.empty())
    for (auto s = told.begin(); s != told.end();) {
      if (!(pace = passing_on.take(now)))
        break;
      const auto subject = s->second.back();
      s->second.pop_back();
      batch.emplace_back(s->first, records.find(subject));
      pending.erase(subject);
      s = s->second.empty() ? told.erase(s) : std::next(s);
    }
  flush_at = pending.empty() ? std::optional<Time>{} : now + batch_for;
  for (const auto& to : active_but(config.self, config.self)) {
    Records message;
    for (const auto& [source, record] : batch) {
      if (source == to || record->record.subject == to)
        continue;
      message.records.push_back(record);
      if (message.records.size() == records_per_message)
        send(to, std::exchange(message, {}));
    }
    if (!message.records.empty())
      send(to, std::move(message));
  }
}

void Machine::expire() {
  if (!records.next_expiry_ms() || *records.next_expiry_ms() > unix_ms())
    return;
  for (const auto& subject : records.expire(unix_ms())) {
    pending.erase(subject);
    say(RecordNews{subject, nullptr});
  }
}

} // namespace tessera::mesh
