#include "actors/rounds.hpp"

#include "crypto/little_endian.hpp"

#include <algorithm>

namespace tessera {
namespace {

constexpr std::size_t shares_max = 1024; // Of a status, as the codec has it.
// Of a tree job's budget. Guesses: small at first, for the first round has one task.
constexpr std::uint32_t budget_first = 256, budget_max = 1 << 20, budget_growth_max = 16;

constexpr std::int64_t deadline_most_ms = 100ll * 366 * 24 * 3600 * 1000; // Fits into Time.

// The largest of both.
std::vector<NodeShare> added(std::vector<NodeShare> sum, const std::vector<NodeShare>& more) {
  for (const auto& share : more) {
    auto known = std::ranges::find(sum, share.node, &NodeShare::node);
    if (known == sum.end())
      known = sum.insert(known, NodeShare{share.node});
    *known += share;
  }
  if (sum.size() > shares_max) {
    std::ranges::stable_sort(sum, std::greater{}, &NodeShare::leaves);
    sum.resize(shares_max);
  }
  return sum;
}

std::uint64_t ms(Duration duration) {
  return std::uint64_t(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

} // namespace

JobSpec round_spec(const SignedSpec& job, std::uint32_t round, const BlobId& state,
                   std::uint64_t state_size, std::uint32_t budget) {
  auto spec = job.spec;
  Bytes number;
  put(number, round);
  const auto nonce = digest_of("tessera round", {job.id.view(), number});
  std::copy_n(nonce.bytes.begin(), spec.nonce.size(), spec.nonce.begin());
  spec.shape = Shape::range;
  spec.rounds = 0;
  spec.budget = budget;
  spec.parent = job.id;
  spec.round = round;
  std::erase_if(spec.inputs, [](const Input& i) { return i.role == Input::Role::state; });
  if (state_size > 0)
    spec.inputs.push_back({state, state_size, Input::Role::state}); // The last of the roles.
  return spec;
}

Rounds::Rounds(RoundsConfig config, SpecPtr spec, const JobStatus& told, Time now)
    : config_(std::move(config)), spec_(std::move(spec)), sum_(told), started_(now),
      log_(config_.log) {
  log_.say(unix_ms(now), begin_for_log());
  if (const auto at = spec_->spec.deadline_ms; at > 0)
    deadline_ = Time{std::chrono::milliseconds(
        std::clamp(at - config_.unix_ms_at_zero, std::int64_t{0}, deadline_most_ms))};
  if (spec_->spec.shape == Shape::tree && sum_.round == 0) {
    sum_.budget = spec_->spec.budget ? spec_->spec.budget : budget_first;
    sum_.tasks_left = 1;
  }
  const auto* first = spec_->spec.input(Input::Role::state);
  if (sum_.round > 0)
    state_ = {told.result, told.result_size, {}};
  else if (first)
    state_ = {first->blob, first->size, {}};
}

RoundsEffects Rounds::start(Time now) {
  return begin(std::max<std::uint32_t>(1, sum_.round), state_, {}, now);
}

RoundsEffects Rounds::begin(std::uint32_t round, Partial state, const JobId& before, Time now) {
  round_ = config_.seal(round_spec(*spec_, round, state.digest, state.size, sum_.budget));
  open_ = false;
  told_ = {};
  sum_.round = round;
  state_ = state;
  state_.bytes = {};
  log_.say(unix_ms(now), "round " + std::to_string(round));
  return {BeginRound{round_, std::move(state), status(now), before, log_.take_fresh()}};
}

RoundsEffects Rounds::begun(const JobId& round, Time) {
  if (ended() || round != round_->id || std::exchange(open_, true))
    return {};
  return {OpenRound{round_}};
}

void Rounds::add(const JobStatus& round) {
  sum_.reruns += round.reruns;
  sum_.fuel += round.fuel;
  sum_.shares = added(std::move(sum_.shares), round.shares);
}

// In a round of a tree job: what ran, and how many tasks the next one's lanes may run.
void Rounds::count(const RoundEnd& round) {
  sum_.tasks_run += round.tasks_run;
  sum_.tasks_left = round.tasks_left;
  if (spec_->spec.shape != Shape::tree || spec_->spec.budget || round.cpu_ns == 0)
    return;
  const auto fits = double(config_.lane_target / std::chrono::nanoseconds(1)) *
                    double(round.tasks_run) / double(round.cpu_ns);
  const auto most = std::min<double>(double(sum_.budget) * budget_growth_max, budget_max);
  sum_.budget = std::uint32_t(std::clamp(fits, 1.0, most));
}

RoundsEffects Rounds::round_told(const JobStatus& status, const Partial& result,
                                 const RoundEnd& round, Time now) {
  if (ended() || status.spec->id != round_->id)
    return {};
  told_ = status;
  switch (status.state) {
  case JobState::queued:
  case JobState::running:
    return {};
  case JobState::failed:
  case JobState::cancelled:
    return end(status.state, {}, status.error, now);
  case JobState::done:
    break;
  }
  count(round);
  if (round.over || sum_.round == spec_->spec.rounds)
    return end(JobState::done, result, {}, now);
  add(status);
  return begin(sum_.round + 1, result, status.spec->id, now);
}

RoundsEffects Rounds::round_gone(const JobId& round, Time) {
  if (ended() || round != round_->id || !open_)
    return {};
  return {OpenRound{round_}};
}

RoundsEffects Rounds::cancel(const CancelJob& word, Time now) {
  if (ended() || word.cancel->job != spec_->id || word.cancel->seal.key != spec_->spec.submitter)
    return {};
  const auto round = round_->id;
  auto effects = end(JobState::cancelled, {}, {}, now);
  effects.insert(effects.begin(), CancelRound{round});
  return effects;
}

RoundsEffects Rounds::end(JobState how, Partial result, Error why, Time now) {
  how_ = how;
  result_ = std::move(result);
  error_ = std::move(why);
  ended_at_ = now;
  log_.say(unix_ms(now), end_for_log());
  return {JobEnded{how_, result_, error_, {}, log_.since(0)}};
}

std::int64_t Rounds::unix_ms(Time now) const {
  return config_.unix_ms_at_zero + std::int64_t(ms(now.time_since_epoch()));
}

std::string Rounds::begin_for_log() const {
  if (sum_.round > 0)
    return "goes on after a restart, in round " + std::to_string(sum_.round);
  return "accepted: at most " + std::to_string(spec_->spec.rounds) + " rounds of " +
         spec_->spec.kernel;
}

std::string Rounds::end_for_log() const {
  const auto in = " in round " + std::to_string(sum_.round);
  if (how_ == JobState::failed)
    return "failed" + in + ": " + error_.code + " " + error_.what;
  return (how_ == JobState::done ? "done" : "cancelled by its submitter") + in;
}

std::optional<Time> Rounds::next_wake() const {
  if (!ended())
    return deadline_;
  return idle_ ? std::nullopt : std::optional{*ended_at_ + config_.linger};
}

// Between two rounds, too, where no round's job would notice.
RoundsEffects Rounds::late(Time now) {
  const auto round = round_->id;
  auto effects = end(JobState::failed, {},
                     {late_code, "the job was not done in time",
                      "its time to live was over in round " + std::to_string(sum_.round),
                      "submit it again with a longer --ttl"},
                     now);
  effects.insert(effects.begin(), CancelRound{round});
  return effects;
}

RoundsEffects Rounds::wake(Time now) {
  if (!ended() && deadline_ && now >= *deadline_)
    return late(now);
  if (!ended() || now < *ended_at_ + config_.linger || std::exchange(idle_, true))
    return {};
  return {JobIdle{}};
}

JobStatus Rounds::status(Time now) const {
  JobStatus s = told_;
  const auto& made = how_ == JobState::running ? state_ : result_;
  s.spec = spec_;
  s.root = config_.self;
  s.state = how_;
  if (how_ == JobState::running && sum_.round == 1 && told_.state == JobState::queued)
    s.state = JobState::queued;
  s.reruns += sum_.reruns;
  s.elapsed_ms = sum_.elapsed_ms + ms(ended_at_.value_or(now) - started_);
  s.peers = std::max<std::uint32_t>(1, told_.peers);
  s.error = error_;
  s.result = made.digest;
  s.result_size = made.size;
  s.shares = added(sum_.shares, told_.shares);
  s.fuel += sum_.fuel;
  s.round = sum_.round;
  s.tasks_run = sum_.tasks_run;
  s.tasks_left = sum_.tasks_left;
  s.budget = sum_.budget;
  return s;
}

} // namespace tessera
