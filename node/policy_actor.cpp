#include "node/policy_actor.hpp"

#include <cstdlib>

namespace tessera {
namespace {

using Self = caf::stateful_actor<PolicyShell>*;

constexpr auto look_every = std::chrono::seconds(3); // A guess.
constexpr std::int64_t until_ms_apart = 2'000;       // A forecast that moves less is the same.

bool same(const std::optional<Pause>& a, const std::optional<Pause>& b) {
  if (!a || !b)
    return !a && !b;
  return a->why == b->why && a->until_ms.has_value() == b->until_ms.has_value() &&
         (!a->until_ms || std::abs(*a->until_ms - *b->until_ms) < until_ms_apart);
}

std::optional<Pause> pause_of(const PolicyShell& s, const Verdict& verdict, std::int64_t unix_ms) {
  if (verdict.may_run)
    return {};
  const bool goes_on = s.said && s.said->pause;
  return Pause{goes_on ? s.said->pause->since_ms : unix_ms, verdict.until_ms, verdict.why};
}

void look(Self self) {
  auto& s = self->state;
  const auto unix_ms = s.setup.unix_ms();
  const auto readings = s.setup.read(unix_ms, now(self));
  const auto verdict = s.policy->judge(readings, unix_ms, now(self));
  const PolicySays says{pause_of(s, verdict, unix_ms), s.policy->sources(readings)};
  if (!s.said || s.said->sources != says.sources || !same(s.said->pause, says.pause)) {
    tell(s.node, says);
    s.said = says;
  }
  self->delayed_send(self, look_every, tick_atom_v);
}

} // namespace

caf::behavior policy_actor(Self self, PolicySetup setup, caf::actor node) {
  auto& s = self->state;
  s.policy.emplace(setup.settings);
  s.setup = std::move(setup);
  s.node = std::move(node);
  look(self);
  return {[=](tick_atom) { look(self); }};
}

} // namespace tessera
