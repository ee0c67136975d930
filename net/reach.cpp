#include "net/reach.hpp"

#include <algorithm>

namespace tessera {

namespace {

bool is_loopback(const std::string& host) {
  return host.starts_with("127.") || host == "::1";
}

} // namespace

void ReachTest::become(Reach reach, ReachEffects& out) {
  if (reach == reach_)
    return;
  reach_ = std::move(reach);
  out.emplace_back(reach_);
}

// Whoever dialled us is proof, and spares us the question.
ReachEffects ReachTest::session_up(NodeId peer, bool dialled, const std::string& host, Time now) {
  ReachEffects out;
  auto& known = peers_[peer];
  known.dialled = dialled;
  known.host = host;
  if (!dialled) {
    become({Reach::State::yes, peer, "", 0}, out);
    asking_.reset();
    asked_.clear();
    failed_ = 0;
    due_ = now + again_after;
  } else if (!due_) {
    due_ = now + settle;
  } else if (reach_.state == Reach::State::unknown && !asking_) {
    due_ = std::min(*due_, now + settle);
  }
  return out;
}

ReachEffects ReachTest::peer_down(NodeId peer, Time now) {
  ReachEffects out;
  peers_.erase(peer);
  if (asking_ == peer)
    ask(now, out);
  return out;
}

// At the address that the session comes from. Of this machine's own, any that it has.
ReachEffects ReachTest::receive(NodeId from, const DialBackAsk& ask, Time now) {
  const auto peer = peers_.find(from);
  if (peer == peers_.end())
    return {};
  auto& known = peer->second;
  const auto answer = [&](DialBackAnswer::Outcome outcome) {
    return ReachEffects{AskReach{from, DialBackAnswer{outcome, ""}}};
  };
  if (known.dialled)
    return answer(DialBackAnswer::Outcome::reached); // We just did.
  const bool too_soon = known.probed && now < *known.probed + probe_each;
  if (known.host.empty() || ask.address.port == 0 || too_soon || probing_.size() >= probes_max ||
      probing_.contains(from))
    return answer(DialBackAnswer::Outcome::not_tried);
  known.probed = now;
  probing_.insert(from);
  const bool both_here = is_loopback(known.host) && is_loopback(ask.address.host);
  return {Probe{from, {both_here ? ask.address.host : known.host, ask.address.port}}};
}

ReachEffects ReachTest::probed(NodeId asker, bool reached, const std::string& why) {
  if (!probing_.erase(asker))
    return {};
  using Outcome = DialBackAnswer::Outcome;
  return {AskReach{asker, DialBackAnswer{reached ? Outcome::reached : Outcome::failed, why}}};
}

ReachEffects ReachTest::receive(NodeId from, const DialBackAnswer& answer, Time now) {
  ReachEffects out;
  if (asking_ != from)
    return out; // Too late, or never asked.
  if (answer.outcome == DialBackAnswer::Outcome::reached) {
    become({Reach::State::yes, from, "", 0}, out);
    asking_.reset();
    asked_.clear();
    failed_ = 0;
    due_ = now + again_after;
    return out;
  }
  if (answer.outcome == DialBackAnswer::Outcome::failed) {
    ++failed_;
    last_why_ = answer.why;
    last_by_ = from;
  }
  ask(now, out);
  return out;
}

std::optional<Time> ReachTest::next_wake() const {
  return due_;
}

ReachEffects ReachTest::wake(Time now) {
  ReachEffects out;
  if (due_ && *due_ <= now)
    ask(now, out);
  return out;
}

// The next of those whom we dialled: who dialled us has done it already.
void ReachTest::ask(Time now, ReachEffects& out) {
  asking_.reset();
  const auto next = std::ranges::find_if(
      peers_, [&](const auto& p) { return p.second.dialled && !asked_.contains(p.first); });
  if (own_.port == 0 || next == peers_.end() || asked_.size() >= ask_max)
    return round_over(now, out);
  asking_ = next->first;
  asked_.insert(next->first);
  due_ = now + answer_within;
  out.emplace_back(AskReach{next->first, DialBackAsk{own_}});
}

// One who tried in vain is enough; where nobody tried nothing new is known.
void ReachTest::round_over(Time now, ReachEffects& out) {
  due_ = now + again_after;
  if (failed_ > 0)
    become({Reach::State::no, last_by_, last_why_, failed_}, out);
  asked_.clear();
  failed_ = 0;
}

} // namespace tessera
