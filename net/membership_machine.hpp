#pragma once

#include "net/membership.hpp"
#include "net/pace.hpp"
#include "net/record_table.hpp"

#include <deque>

// The inside of Membership, private to net/membership*.cpp. One struct, told in four files:
// sessions (membership_sessions), whom to dial (membership_dials), views (membership_views) and
// records (membership_gossip).
namespace tessera {

namespace mesh {

// Bounds and paces are our guesses where nothing else is said.
inline constexpr std::size_t dials_max = 16;         // In flight.
inline constexpr std::size_t waiting_max = 128;      // Dials that wait for their time or a slot.
inline constexpr std::size_t retries_max = 1024;     // Peers whose failures we remember.
inline constexpr std::size_t refusals_max = 256;     // Peers who had no room for us.
inline constexpr std::size_t left_max = 512;         // Peers who left.
inline constexpr std::size_t good_max = 32;          // Known good peers, saved over a restart.
inline constexpr std::size_t seeds_max = 64;         // Of the config; further ones are not dialled.
inline constexpr std::size_t ours_max = 64;          // Addresses that turned out to be ours.
inline constexpr std::size_t peer_addresses_max = 8; // As in the codec.
inline constexpr std::size_t sessions_per_peer_max = 3;
inline constexpr std::size_t self_sessions_max = 4;
inline constexpr std::size_t records_per_message = 64; // As in the codec.
inline constexpr std::size_t sample_taken_max = 8;     // Of one shuffle. HyParView sends 3 + 4.
inline constexpr std::size_t sample_active = 3, sample_passive = 4;
inline constexpr unsigned failures_forgotten = 3; // Then a peer leaves the passive view.
inline constexpr unsigned restores_max = 4;       // Redials of a lost session.

inline constexpr Duration crossed_within = std::chrono::seconds(10); // 2 x handshake deadline.
inline constexpr Duration retire_after = std::chrono::seconds(1);    // What is in flight arrives.
inline constexpr Duration brief = std::chrono::seconds(5);    // A session so short was a failure.
inline constexpr Duration patience = std::chrono::seconds(1); // Of connect(), with a pause.
inline constexpr Duration answer_within = std::chrono::seconds(5); // To Neighbor.
inline constexpr Duration dial_within = std::chrono::seconds(30);  // Then the shell forgot it.
inline constexpr Duration batch_for = std::chrono::milliseconds(50);
inline constexpr Duration gap_per_record = std::chrono::milliseconds(20); // 50 changes a second in
inline constexpr Duration gap_max = std::chrono::seconds(5);              // all, at any N.
inline constexpr Duration resync_after = std::chrono::seconds(5);
inline constexpr Duration save_every = std::chrono::seconds(10);
inline constexpr Duration fill_every = std::chrono::milliseconds(500);
inline constexpr Duration fill_alone_every = std::chrono::milliseconds(100);
inline constexpr Duration fill_in_vain_every = std::chrono::seconds(1); // Nobody to ask.
inline constexpr Duration refused_for = std::chrono::seconds(5);

struct Machine {
  struct LiveSession {
    NodeId peer;
    std::uint64_t boot = 0;
    bool dialled = false;
    Time since{};
    std::optional<Time> retires; // Another session to this peer is in use, or it is to ourselves.
    bool ending = false;         // Its peer said that it may close it: no redial.
  };

  struct Peer {
    explicit Peer(SessionKey k, std::uint64_t b, Time now) : key(k), boot(b), used(now) {}
    SessionKey key; // The session in use.
    std::uint64_t boot;
    Time used;
    bool active = false;
    bool view_only = false;        // Dialled by us for the active view and nothing else.
    std::optional<Time> answer_by; // Neighbor was sent.
    bool make_room = false;        // An accepting answer pushes another out.
    bool shuffled = false;         // It owes us a ShuffleReply.
    std::optional<Time> synced;    // Was sent all records.
    std::optional<Time> set_right; // Was told that it is not in our view.
    Pace walks{64, std::chrono::milliseconds(62)}; // Join, Neighbor, ForwardJoin, Shuffle from it.
    Pace news{1024, std::chrono::milliseconds(4)}; // Records from it.
  };

  // What a session is wanted for.
  struct Goal {
    bool join = false, neighbor = false, make_room = false, work = false, restore = false;
    void add(const Goal& g);
  };
  struct Attempt {
    Address address;
    std::vector<Address> rest;
    std::optional<NodeId> expect;
    Goal goal;
    Time since{};
    unsigned restores = 0;
  };
  struct Waiting {
    NodeId peer;
    Goal goal;
    Time due{};
    unsigned restores = 0;
  };
  struct Retry {
    unsigned failures = 0;
    Time not_before{};
  };
  struct Seed {
    Address address;
    Retry retry;
    Time due{};
    std::optional<NodeId> peer; // Who answered there last.
  };

  Machine(MembershipConfig config, Record own, std::uint64_t boot,
          std::vector<PeerAddress> remembered, std::uint64_t seed, Time now);

  // --- membership.cpp
  void start();
  void leave();
  std::optional<Time> next_wake() const;
  void wake();
  std::int64_t unix_ms() const;
  template<class T>
  void say(T effect) {
    out.emplace_back(std::move(effect));
  }
  void send(const NodeId& peer, Message message);
  std::size_t roll(std::size_t n) { return dice() % n; }
  Duration jitter(Duration whole); // Half to whole.

  // --- membership_sessions.cpp
  void session_up(SessionKey key, const NodeId& peer, std::uint64_t boot, bool dialled);
  void session_down(SessionKey key, const std::string& why);
  void met_ourselves(SessionKey key, const LiveSession& session,
                     const std::optional<Attempt>& attempt);
  void first_session(SessionKey key, const LiveSession& session);
  void another_session(SessionKey key, LiveSession& session, Peer& peer);
  bool prevails(const LiveSession& challenger, const LiveSession& holder) const;
  void retire(LiveSession& session);
  void lose(const NodeId& peer, const std::string& why, std::optional<LiveSession> last);
  void close(SessionKey key, std::string why);
  void close_all(const NodeId& peer, const std::string& why);
  void end_work_session(const NodeId& peer, const std::string& why);
  void shed();
  void close_retired();
  std::vector<SessionKey> sessions_of(const NodeId& peer) const;

  // --- membership_dials.cpp
  void connect(const NodeId& peer);
  bool reach(const NodeId& peer, const Goal& goal, unsigned restores = 0);
  void pursue(const NodeId& peer, const Goal& goal);
  void dial(Attempt attempt);
  void dial_failed(SessionKey key, const std::string& why);
  void attempt_failed(const Attempt& attempt, const std::string& why);
  bool wait_for(Waiting waiting);
  void launch_waiting();
  void forget_dials();
  void contact_seeds();
  void hurry_seeds();
  bool seed_needs_us(const Seed& seed) const;
  void note_good(const NodeId& peer, const std::vector<Address>& addresses);
  void save_good();
  std::vector<Address> addresses_of(const NodeId& peer) const;
  std::vector<Address> sane(const std::vector<Address>& addresses) const;
  bool being_dialled(const NodeId& peer) const;
  bool being_dialled(const Address& address) const;
  Retry& retry_of(const NodeId& peer);
  Duration pause_after(unsigned failures);
  bool gone(const NodeId& peer) const { return left.contains(peer); }
  void mark_left(const NodeId& peer, std::uint64_t boot);

  // --- membership_views.cpp
  void receive(const NodeId& from, const Join&);
  void receive(const NodeId& from, const ForwardJoin& walk);
  void receive(const NodeId& from, const Neighbor& ask);
  void receive(const NodeId& from, const NeighborReply& reply);
  void receive(const NodeId& from, const Disconnect& bye);
  void receive(const NodeId& from, const Shuffle& shuffle);
  void receive(const NodeId& from, const ShuffleReply& reply);
  void join(const NodeId& peer);
  void ask_neighbor(const NodeId& peer, bool make_room);
  void activate(const NodeId& peer, bool make_room);
  void deactivate(const NodeId& peer);
  void drop_random_active(const NodeId& keep);
  void fill_active();
  std::optional<NodeId> candidate();
  bool may_dial(const NodeId& peer) const;
  bool may_ask(const NodeId& peer) const;
  void refused_by(const NodeId& peer);
  void late_answers();
  void add_passive(const NodeId& peer, const std::vector<Address>& addresses);
  void take_sample(const std::vector<PeerAddress>& sample);
  std::vector<PeerAddress> make_sample(const NodeId& to);
  void shuffle();
  void probe_silent();
  bool fresh(const NodeId& peer) const;
  std::vector<NodeId> active_but(const NodeId& a, const NodeId& b) const;
  std::size_t asked() const;

  // --- membership_gossip.cpp
  void receive(const NodeId& from, const Records& message);
  void take_record(const NodeId& from, const RecordPtr& record);
  void outbid(const Record& ours);
  void took(const NodeId& from, const RecordPtr& record);
  void views_disagree(const NodeId& from, const Records& message);
  void own_changed(const Record& changed);
  void record_sealed(RecordPtr record);
  void seal_own();
  Time seal_due() const;
  void sync(const NodeId& peer);
  void flush();
  void expire();
  Time at_unix_ms(std::int64_t ms) const;

  MembershipConfig config;
  Record own;
  std::uint64_t boot;
  std::mt19937_64 dice;
  Time now;
  MeshEffects out;
  bool started = false, leaving = false;

  SessionKey next_key;
  std::map<SessionKey, LiveSession> sessions;
  std::map<NodeId, Peer> peers; // Those with a session.
  std::size_t active_count = 0;

  std::map<SessionKey, Attempt> dials;
  std::deque<Waiting> waiting;
  std::map<NodeId, Retry> retries;
  std::vector<Seed> seeds;
  std::set<Address> ours;
  std::map<NodeId, std::uint64_t> left; // With the boot that left.
  std::deque<PeerAddress> good;         // Latest first.
  std::map<NodeId, std::vector<Address>> saved;
  Time save_not_before{};
  bool good_changed = false;

  std::map<NodeId, std::vector<Address>> passive;
  std::map<NodeId, Time> refusals; // Until when.
  unsigned refused_in_row = 0;
  Time fill_at{}, shuffle_at{};

  RecordTable records;
  RecordPtr own_sealed;
  bool own_dirty = false;
  Time sealed_at{};
  std::map<NodeId, NodeId> pending; // Subjects to pass on, and who told us.
  std::optional<Time> flush_at;
  Pace passing_on{512, std::chrono::milliseconds(8)}; // 125 records a second, at any N.
};

} // namespace mesh

struct Membership::Machine : mesh::Machine {
  using mesh::Machine::Machine;
};

} // namespace tessera
