#pragma once

#include "net/message.hpp"
#include "net/time.hpp"

#include <functional>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <variant>
#include <vector>

// Who is in the mesh: HyParView's active and passive views over authenticated sessions, and a
// gossip of signed records. Decides whom to dial, which of two crossed sessions stays, and which
// records are passed on. Sockets, clocks and keys are the shell's.
namespace tessera {

// A connection's number, never reused in one process. The machine numbers what it dials, from
// MembershipConfig::first_dial_key up; the shell numbers what it accepts, below first_dial_key.
using SessionKey = std::uint64_t;
inline constexpr SessionKey first_dial_key = SessionKey{1} << 63;

struct MembershipConfig {
  NodeId self = {};
  std::vector<Address> seeds = {};
  std::vector<Address> addresses = {}; // Ours, told to others.
  std::int64_t unix_ms_at_zero = 0;    // Unix time at Time{}; only records' expiries read it.
  std::size_t active_max = 5;          // HyParView, for 10^4 nodes.
  std::size_t passive_max = 30;
  std::uint8_t active_walk = 6, passive_walk = 3;
  std::size_t records_max = 512;
  std::size_t sessions_max = 512; // Work sessions beyond the active view included.
  Duration shuffle_every = std::chrono::seconds(10);
  Duration record_every = std::chrono::seconds(20); // Renewed this often even when nothing changed.
  Duration record_gap = std::chrono::milliseconds(250); // And at most this often when it did.
  Duration record_lifetime = std::chrono::seconds(90);
  Duration record_lifetime_max = std::chrono::minutes(10); // Taken from others.
  Duration seed_every =
      std::chrono::seconds(60); // Seeds are contacted again, so that islands heal.
  Duration backoff_min = std::chrono::milliseconds(200);
  Duration backoff_max = std::chrono::seconds(30);
  SessionKey first_dial_key = tessera::first_dial_key; // Higher for a mesh restarted in-process.
};

// What the mesh wants done.
struct Dial { // Answered by session_up, or dial_failed.
  SessionKey key;
  Address address;
  std::optional<NodeId> expect; // Nothing for a seed.
};
struct CloseSession {
  SessionKey key;
  std::string why;
};
struct SendOn {
  SessionKey key;
  Message message;
};
struct SealRecord { // The shell signs it and calls record_sealed.
  Record record;
};
struct PeerUp { // First usable session to this peer, and which. Work may flow.
  NodeId peer;
  std::uint64_t boot;
  SessionKey key;
};
struct PeerDown { // No session to this peer is left.
  NodeId peer;
  std::string why;
};
struct PeerMoved { // Its session is another now (crossed dials, redial).
  NodeId peer;
  SessionKey key;
};
struct Unreachable { // connect() was asked, and failed.
  NodeId peer;
  std::string why;
};
struct RecordNews { // A record that is new here (or expired: null).
  NodeId subject;
  std::shared_ptr<const SignedRecord> record;
};
struct SaveSeeds { // Worth remembering over a restart; the shell journals them.
  std::vector<PeerAddress> peers;
};
using MeshEffect = std::variant<Dial, CloseSession, SendOn, SealRecord, PeerUp, PeerDown, PeerMoved,
                                Unreachable, RecordNews, SaveSeeds>;
using MeshEffects = std::vector<MeshEffect>;

class Membership {
public:
  // `boot` and the record's sequence make newer statements; `remembered` are peers saved before a
  // restart.
  Membership(MembershipConfig config, Record own, std::uint64_t boot,
             std::vector<PeerAddress> remembered, std::uint64_t seed, Time now);

  Membership(Membership&&) noexcept;
  Membership& operator=(Membership&&) noexcept;
  ~Membership();

  MeshEffects start(Time now); // Dials seeds and remembered peers.

  // From the shell. `dialled` by us. Two sessions that dialled each other: the one from the smaller
  // NodeId stays.
  MeshEffects session_up(SessionKey key, NodeId peer, std::uint64_t boot, bool dialled, Time now);
  MeshEffects session_down(SessionKey key, std::string why, Time now);
  MeshEffects dial_failed(SessionKey key, std::string why, Time now);
  // Membership's own messages: Records, Join ... ShuffleReply. Others are not for it (assert).
  MeshEffects receive(SessionKey key, const Message& message, Time now);
  MeshEffects record_sealed(std::shared_ptr<const SignedRecord> record, Time now);

  // Our own state changed: slots_free, load, stealable_ns... subject, boot, sequence and expiry are
  // kept by this machine.
  MeshEffects own_changed(const Record& own, Time now);

  // Work wants a session to this peer (a victim, a blob's holder). PeerUp or Unreachable follows,
  // unless one is up already.
  MeshEffects connect(NodeId peer, Time now);

  // Work went over this peer's session: it is not the oldest idle one.
  void used(NodeId peer, Time now);

  // Orderly: a last record, Disconnect to all. The shell lets outboxes drain, then closes.
  MeshEffects leave(Time now);

  std::optional<Time> next_wake() const;
  MeshEffects wake(Time now);

  // Of others, never expired ones; those of nodes that left say so (`leaving`) until they expire.
  const std::map<NodeId, std::shared_ptr<const SignedRecord>>& records() const;
  std::optional<SessionKey> session_of(NodeId peer) const;
  std::vector<NodeId> active() const;
  std::vector<NodeId> passive() const;

private:
  struct Machine;
  std::unique_ptr<Machine> machine_;
};

} // namespace tessera
