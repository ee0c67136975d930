#include "net/membership_machine.hpp"

#include <algorithm>
#include <cassert>

namespace tessera {

namespace mesh {

Machine::Machine(MembershipConfig c, Record o, std::uint64_t b, std::vector<PeerAddress> remembered,
                 std::uint64_t seed, Time t)
    : config(std::move(c)), own(std::move(o)), boot(b), dice(seed), now(t),
      next_key(config.first_dial_key), records(config.records_max) {
  own.subject = config.self;
  own.boot = boot;
  own.sequence = 0;
  own.leaving = false;
  ours.insert(config.addresses.begin(), config.addresses.end());
  for (const auto& address : config.seeds)
    if (seeds.size() < seeds_max)
      seeds.push_back({address, {}, now, {}});
  for (const auto& peer : remembered) {
    if (good.size() == good_max || peer.id == config.self)
      continue;
    if (auto addresses = sane(peer.addresses); !addresses.empty())
      good.push_back({peer.id, std::move(addresses)});
  }
  for (const auto& peer : good) {
    saved[peer.id] = peer.addresses;
    if (passive.size() < config.passive_max)
      add_passive(peer.id, peer.addresses);
  }
}

void Machine::start() {
  started = true;
  fill_at = now;
  shuffle_at = now + jitter(config.shuffle_every);
  seal_own();
  contact_seeds();
  fill_active();
}

// Sealed before the farewells go, so that a shell that acts at once tells the record first.
void Machine::leave() {
  if (leaving)
    return;
  leaving = own.leaving = true;
  waiting.clear();
  for (const auto& [key, attempt] : std::exchange(dials, {}))
    say(CloseSession{key, "leaving"});
  seal_own();
  for (const auto& [peer, state] : peers)
    send(peer, Disconnect{true});
}

std::optional<Time> Machine::next_wake() const {
  if (!started || leaving)
    return {};
  Time next = shuffle_at;
  auto sooner = [&](Time t) { next = std::min(next, t); };
  if (active_count + asked() < config.active_max)
    sooner(fill_at);
  sooner(seal_due());
  if (flush_at)
    sooner(*flush_at);
  if (const auto ms = records.next_expiry_ms())
    sooner(at_unix_ms(*ms));
  if (good_changed)
    sooner(save_not_before);
  for (const auto& seed : seeds)
    sooner(seed.due);
  for (const auto& [key, session] : sessions)
    if (session.retires)
      sooner(*session.retires);
  for (const auto& [peer, state] : peers)
    if (state.answer_by)
      sooner(*state.answer_by);
  for (const auto& [key, attempt] : dials)
    sooner(attempt.since + dial_within);
  if (dials.size() < dials_max)
    for (const auto& w : waiting)
      sooner(w.due);
  return next;
}

void Machine::wake() {
  if (!started || leaving)
    return;
  close_retired();
  forget_dials();
  late_answers();
  expire();
  if (seal_due() <= now)
    seal_own();
  if (flush_at && *flush_at <= now)
    flush();
  contact_seeds();
  launch_waiting();
  if (shuffle_at <= now) {
    shuffle_at = now + jitter(config.shuffle_every);
    shuffle();
    probe_silent();
  }
  fill_active();
  save_good();
}

std::int64_t Machine::unix_ms() const {
  using std::chrono::milliseconds;
  return config.unix_ms_at_zero +
         std::chrono::duration_cast<milliseconds>(now.time_since_epoch()).count();
}

// Rounded up: then it has come.
Time Machine::at_unix_ms(std::int64_t ms) const {
  return Time{} + std::chrono::milliseconds(ms - config.unix_ms_at_zero + 1);
}

void Machine::send(const NodeId& peer, Message message) {
  if (const auto to = peers.find(peer); to != peers.end())
    say(SendOn{to->second.key, std::move(message)});
}

Duration Machine::jitter(Duration whole) {
  return whole / 2 + Duration(dice() % (whole.count() / 2 + 1));
}

} // namespace mesh

// --- The door

Membership::Membership(MembershipConfig config, Record own, std::uint64_t boot,
                       std::vector<PeerAddress> remembered, std::uint64_t seed, Time now)
    : machine_(std::make_unique<Machine>(std::move(config), std::move(own), boot,
                                         std::move(remembered), seed, now)) {}
Membership::Membership(Membership&&) noexcept = default;
Membership& Membership::operator=(Membership&&) noexcept = default;
Membership::~Membership() = default;

namespace {

template<class F>
MeshEffects at(mesh::Machine& machine, Time now, F happen) {
  machine.now = std::max(machine.now, now);
  happen(machine);
  return std::exchange(machine.out, {});
}

} // namespace

MeshEffects Membership::start(Time now) {
  return at(*machine_, now, [](mesh::Machine& m) { m.start(); });
}
MeshEffects Membership::session_up(SessionKey key, NodeId peer, std::uint64_t boot, bool dialled,
                                   Time now) {
  return at(*machine_, now, [&](mesh::Machine& m) { m.session_up(key, peer, boot, dialled); });
}
MeshEffects Membership::session_down(SessionKey key, std::string why, Time now) {
  return at(*machine_, now, [&](mesh::Machine& m) { m.session_down(key, why); });
}
MeshEffects Membership::dial_failed(SessionKey key, std::string why, Time now) {
  return at(*machine_, now, [&](mesh::Machine& m) { m.dial_failed(key, why); });
}

MeshEffects Membership::receive(SessionKey key, const Message& message, Time now) {
  return at(*machine_, now, [&](mesh::Machine& m) {
    const auto session = m.sessions.find(key);
    if (session == m.sessions.end() || session->second.peer == m.config.self || m.leaving)
      return; // Closed by us meanwhile.
    const NodeId from = session->second.peer;
    std::visit(
        [&]<class T>(const T& content) {
          if constexpr (requires { m.receive(from, content); })
            m.receive(from, content);
          else
            assert(!"a message of work came to the membership");
        },
        message);
  });
}

MeshEffects Membership::record_sealed(std::shared_ptr<const SignedRecord> record, Time now) {
  return at(*machine_, now, [&](mesh::Machine& m) { m.record_sealed(std::move(record)); });
}
MeshEffects Membership::own_changed(const Record& own, Time now) {
  return at(*machine_, now, [&](mesh::Machine& m) { m.own_changed(own); });
}
MeshEffects Membership::connect(NodeId peer, Time now) {
  return at(*machine_, now, [&](mesh::Machine& m) { m.connect(peer); });
}
void Membership::used(NodeId peer, Time now) {
  if (const auto p = machine_->peers.find(peer); p != machine_->peers.end())
    p->second.used = now;
}
MeshEffects Membership::leave(Time now) {
  return at(*machine_, now, [](mesh::Machine& m) { m.leave(); });
}
std::optional<Time> Membership::next_wake() const {
  return machine_->next_wake();
}
MeshEffects Membership::wake(Time now) {
  return at(*machine_, now, [](mesh::Machine& m) { m.wake(); });
}

const std::map<NodeId, RecordPtr>& Membership::records() const {
  return machine_->records.all();
}
std::optional<SessionKey> Membership::session_of(NodeId peer) const {
  const auto found = machine_->peers.find(peer);
  return found == machine_->peers.end() ? std::optional<SessionKey>{} : found->second.key;
}
std::vector<NodeId> Membership::active() const {
  return machine_->active_but(machine_->config.self, machine_->config.self);
}
std::vector<NodeId> Membership::passive() const {
  std::vector<NodeId> ids;
  for (const auto& [peer, addresses] : machine_->passive)
    ids.push_back(peer);
  return ids;
}

} // namespace tessera
