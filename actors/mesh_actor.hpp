#pragma once

#include "actors/session_actor.hpp"

#include <functional>
#include <map>
#include <set>

// The shell of the membership machine: owns the sessions, carries messages to peers.
namespace tessera {

// Where the mesh's effects on the outside go. Called on the actor's thread; must not block.
struct MeshPorts {
  // Dials, with news to the session's actor; answers the link.
  std::function<LinkPtr(const Address&, std::optional<NodeId> expect, const caf::actor& session)>
      dial;
  std::function<void(const std::vector<PeerAddress>&)> save_peers;
  std::function<void(const Address& seed, const std::string& why)> seed_failed;
  // Connects, hangs up, and tells the mesh (Probed). None: it cannot be tried.
  std::function<void(const Address&, const NodeId& asker, const caf::actor& mesh)> probe = {};
};

struct MeshSetup {
  MembershipConfig config;
  Record own;
  std::uint64_t boot = 0;
  std::vector<PeerAddress> remembered;
  std::uint64_t seed = 0;
  std::shared_ptr<const Codec> codec;
  MeshPorts ports;
};

struct MeshShell {
  static inline const char* name = "mesh";
  std::optional<Membership> mesh;
  std::optional<ReachTest> reach;
  std::optional<Time> armed;
  std::shared_ptr<const Codec> codec;
  MeshPorts ports;
  WiringPtr wiring;
  Record own;
  SessionKey next_key =
      SessionKey{1}
      << 32; // Of accepted sessions; the machine numbers its dials from first_dial_key up.
  std::map<SessionKey, caf::actor> sessions;
  std::map<SessionKey, Address> seeds; // Being dialled.
  std::set<Address> silent_seeds;      // That were told of, since they answered last.
  std::map<caf::actor_addr, SessionKey> keys;
  std::map<NodeId, std::uint64_t> up;                // And their boots.
  std::map<NodeId, std::vector<MessagePtr>> waiting; // For a session being dialled.
};

caf::behavior mesh_actor(caf::stateful_actor<MeshShell>* self, MeshSetup setup, WiringPtr wiring);

} // namespace tessera
