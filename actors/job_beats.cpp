#include "actors/job_machine.hpp"

#include "crypto/little_endian.hpp"

// Signs of life between partners of a job, and the tables that they compare (architecture 4.5).
namespace tessera {
namespace {

constexpr unsigned differing_max = 2; // Beats in a row: one may have crossed a grant or a result.
constexpr std::uint64_t boot_mask = (std::uint64_t{1} << 24) - 1; // What a lease id has of it.

} // namespace

Peer& Job::Machine::peer(const NodeId& id) {
  if (peers.size() >= peers_max && !peers.contains(id))
    std::erase_if(peers, [](const auto& p) { return !p.second.partner(); });
  const auto [it, added] = peers.try_emplace(id);
  if (added)
    it->second.heard = now;
  return it->second;
}

bool Job::Machine::young(Time since) const {
  return now < since + 2 * config.beat_every;
}

void Job::Machine::heard(const NodeId& from) {
  const auto it = peers.find(from);
  if (it == peers.end())
    return;
  it->second.heard = now;
  it->second.suspected = false;
  if (!it->second.down_at)
    lessor_heard(from);
}

// --- Tables

std::map<LeaseId, LeaseTable::Row> Job::Machine::rows(const NodeId& with) const {
  std::map<LeaseId, LeaseTable::Row> rows;
  const auto it = peers.find(with);
  if (it == peers.end())
    return rows;
  for (auto lease : it->second.given) {
    const auto a = accounts.find({with, lease});
    rows[lease] = {lease, given.at(lease).attempt, true, a == accounts.end() ? 0 : a->second.taken};
  }
  for (auto key : it->second.held) {
    const auto& h = held.at(key);
    rows[h.lease] = {h.lease, h.attempt, false, h.sequence};
  }
  while (rows.size() > rows_in_table_max)
    rows.erase(std::prev(rows.end()));
  return rows;
}

Digest Job::Machine::table_digest(const NodeId& with) const {
  Bytes bytes;
  for (const auto& [lease, row] : rows(with)) {
    tessera::put(bytes, lease);
    tessera::put(bytes, row.attempt);
  }
  return digest_of("tessera lease table", {bytes});
}

void Job::Machine::send_table(const NodeId& to) {
  peer(to).table_sent = now;
  LeaseTable table{id(), {}};
  for (const auto& [lease, row] : rows(to))
    table.rows.push_back(row);
  send(to, std::move(table));
}

void Job::Machine::beat() {
  for (auto& [id, p] : peers)
    if (p.partner())
      send(id, LeaseBeat{this->id(), table_digest(id)});
}

void Job::Machine::on(NodeId from, const LeaseBeat& beat) {
  if (ended())
    return send(from, over());
  auto& p = peer(from);
  if (beat.table == table_digest(from)) {
    p.differing = 0;
  } else if (++p.differing >= differing_max) {
    p.differing = 0;
    send_table(from);
  }
}

// Makes both ends agree. True if the sender has to do its part.
bool Job::Machine::settle_table(NodeId from, const LeaseTable& table) {
  std::map<LeaseId, const LeaseTable::Row*> theirs;
  for (const auto& row : table.rows)
    theirs[row.lease] = &row;
  const auto p = peers.find(from);
  if (p != peers.end()) {
    for (auto lease : std::set<LeaseId>(p->second.given)) {
      const auto& g = given.at(lease);
      const auto row = theirs.find(lease);
      if ((row == theirs.end() || row->second->lessor) && !young(g.since))
        end_given(lease, End::voided); // Lost on the way, or given up over there.
    }
    for (auto key : std::set<HeldKey>(p->second.held)) {
      auto& h = held.at(key);
      const auto row = theirs.find(h.lease);
      if (row == theirs.end() || !row->second->lessor) {
        if (!young(h.since))
          forgotten(h);
      } else if (h.out && row->second->sequence < h.out->sequence) {
        send_result(h);
      }
    }
  }
  const auto ours = rows(from);
  for (const auto& [lease, row] : theirs)
    if (const auto mine = ours.find(lease);
        mine == ours.end() || mine->second.lessor == row->lessor)
      return true;
  return false;
}

void Job::Machine::on(NodeId from, const LeaseTable& table) {
  if (ended()) {
    if (!table.rows.empty())
      send(from, over());
    return;
  }
  if (table.rows.empty())
    for (auto& [key, h] : held) // It knows nothing of the job: no place for our results.
      if (!h.rooted() && h.bond != Held::Bond::bound && h.taker() == from && now >= h.not_before)
        refused(h);
  const bool answer = settle_table(from, table);
  auto& p = peer(from);
  p.differing = 0;
  if (answer && (!p.table_sent || now >= *p.table_sent + config.beat_every))
    send_table(from);
}

// --- Coming and going

// What we gave it is queued again; what it gave us goes on without it.
void Job::Machine::lost(const NodeId& id, End how) {
  reclaim(id, how);
  for (auto& [key, h] : held)
    if (!h.rooted() && h.lessor == id)
      orphan(h);
  holder_gone(id); // guard: lost-copy-made-again
}

void Job::Machine::peer_up(const NodeId& id, std::uint64_t boot) {
  auto& p = peer(id);
  const bool reborn = p.boot != 0 && p.boot != boot;
  p.boot = boot;
  p.heard = now;
  p.down_at.reset();
  p.suspected = false;
  p.differing = 0;
  if (reborn) // guard: new-boot-voids
    reclaim(id, End::gone);
  if (reborn)
    holder_gone(id);
  for (auto& [key, h] : held) {
    if (h.rooted())
      continue;
    const bool forgot = (h.lease >> 40) != (boot & boot_mask);
    if (h.lessor == id && forgot)
      void_held(h);
    if (h.bond != Held::Bond::bound && h.taker() == id && (reborn || (h.lessor == id && forgot)))
      retarget(h, h.target); // Whatever it had taken it may have lost.
  }
  lessor_heard(id);
  if (p.partner())
    send_table(id);
}

void Job::Machine::peer_down(const NodeId& id) {
  if (const auto it = peers.find(id); it != peers.end() && !it->second.down_at)
    it->second.down_at = now;
}

void Job::Machine::check_silence() {
  std::vector<std::pair<NodeId, End>> over;
  for (auto& [id, p] : peers) {
    if (!p.partner() && !kept_by.contains(id))
      continue;
    const auto silent = p.partner() ? now - p.heard : Duration{};
    if (silent >= config.suspect_after && !std::exchange(p.suspected, true) && !p.given.empty())
      say(short_id(id) + " is silent: what it has may run elsewhere, too");
    if (p.down_at && now >= *p.down_at + config.down_grace)
      over.emplace_back(id, End::gone);
    else if (silent >= config.reclaim_after)
      over.emplace_back(id, End::silent);
  }
  for (const auto& [id, how] : over)
    lost(id, how);
  std::erase_if(peers, [&](const auto& p) {
    return !p.second.partner() && p.second.boot == 0 &&
           now - p.second.heard >= config.reclaim_after;
  });
}

} // namespace tessera
