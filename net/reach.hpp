#pragma once

#include "net/membership.hpp"
#include "net/pace.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>

// Whether others can dial this node. A peer who did is proof. Where nobody has, peers whom we
// dialled are asked to: each tries the port that we listen on, at the address from which our
// session comes and at no other, so that nobody can be made to knock at a stranger's door.
//
//   asker --DialBackAsk(address)--> peer --connects, and hangs up--> asker's door
//         <--DialBackAnswer--------
//
// A machine beside the membership's, in the same shell.
namespace tessera {

struct Reach {
  enum class State : std::uint8_t { unknown, yes, no } state = State::unknown;
  std::optional<NodeId> by; // Who dialled us last; or tried to, in vain.
  std::string why;          // "connection refused"
  std::size_t tried = 0;    // Peers who tried in vain.

  bool operator==(const Reach&) const = default;
};

struct Probe { // Connect there and hang up; probed() follows.
  NodeId asker;
  Address address;
};
struct AskReach { // To a peer with a session.
  NodeId to;
  Message message;
};
using ReachEffect = std::variant<Probe, AskReach, Reach>; // A Reach: it is another than before.
using ReachEffects = std::vector<ReachEffect>;

class ReachTest {
public:
  // Guesses, all of them.
  static constexpr std::size_t ask_max = 3;                   // Peers of one round.
  static constexpr Duration settle = std::chrono::seconds(2); // Somebody may dial us by itself.
  static constexpr Duration answer_within = std::chrono::seconds(15);
  static constexpr Duration again_after = std::chrono::minutes(10);
  static constexpr std::size_t probes_max = 4;                    // For others, at once.
  static constexpr Duration probe_each = std::chrono::minutes(1); // For one peer.

  explicit ReachTest(Address own) : own_(std::move(own)) {}

  // `host`: the other end's, as a number, where it is known.
  ReachEffects session_up(NodeId peer, bool dialled, const std::string& host, Time now);
  ReachEffects peer_down(NodeId peer, Time now); // No session to it is left.
  ReachEffects receive(NodeId from, const DialBackAsk& ask, Time now);
  ReachEffects receive(NodeId from, const DialBackAnswer& answer, Time now);
  ReachEffects probed(NodeId asker, bool reached, const std::string& why);

  std::optional<Time> next_wake() const;
  ReachEffects wake(Time now);
  const Reach& reach() const { return reach_; }

private:
  struct Peer {
    bool dialled = false; // By us.
    std::string host;
    std::optional<Time> probed; // For it, last.
  };
  void become(Reach reach, ReachEffects& out);
  void ask(Time now, ReachEffects& out);
  void round_over(Time now, ReachEffects& out);

  Address own_;
  Reach reach_;
  std::map<NodeId, Peer> peers_; // With a session.
  std::set<NodeId> probing_;     // For whom.
  std::set<NodeId> asked_;       // In this round...
  std::optional<NodeId> asking_; // ...and who has not answered yet.
  std::size_t failed_ = 0;
  std::optional<Time> due_;       // Of the next question, or of giving up this one.
  std::optional<NodeId> last_by_; // Who tried in vain.
  std::string last_why_;
};

} // namespace tessera
