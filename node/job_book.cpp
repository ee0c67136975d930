#include "node/job_book.hpp"

#include "crypto/little_endian.hpp"
#include "net/wire/codec.hpp"

#include <algorithm>

namespace tessera {
namespace {

constexpr std::size_t whole_id_digits = 64;

bool whole(const std::string& prefix) {
  return prefix.size() == whole_id_digits;
}

// Two words on one job: what ended stays ended, and done beats cancelled.
bool better(const JobStatus& a, const JobStatus& b) {
  if (ended(a.state) != ended(b.state))
    return ended(a.state);
  if ((a.state == JobState::done) != (b.state == JobState::done))
    return a.state == JobState::done;
  return std::pair(a.round, a.leaves_done) > std::pair(b.round, b.leaves_done);
}

void keep(std::map<JobId, JobStatus>& found, const JobStatus& status) {
  const auto [at, fresh] = found.emplace(status.spec->id, status);
  if (!fresh && better(status, at->second))
    at->second = status;
}

// About what keeping it takes.
std::size_t bytes_of(const JobStatus& status) {
  return sizeof(JobStatus) + sizeof(SignedSpec) + status.spec->seal.body.size() +
         status.spec->spec.params.size() + status.shares.size() * sizeof(NodeShare);
}

std::vector<JobStatus> values(std::map<JobId, JobStatus> found) {
  std::vector<JobStatus> out;
  for (auto& [id, status] : found)
    out.push_back(std::move(status));
  std::stable_sort(out.begin(), out.end(), [](const JobStatus& a, const JobStatus& b) {
    return a.spec->spec.submitted_ms > b.spec->spec.submitted_ms;
  });
  return out;
}

} // namespace

bool ended(JobState state) {
  return state == JobState::done || state == JobState::failed || state == JobState::cancelled;
}

JobBook::JobBook(JobBookConfig config, std::uint64_t seed)
    : config_(std::move(config)), seed_(seed) {}

std::optional<JobId> JobBook::learned(const JobStatus& status, Time now) {
  const auto& id = status.spec->id;
  const auto known = rooted_.find(id);
  const bool ended_before = known != rooted_.end() && ended(known->second.state);
  if (ended_before && better(known->second, status))
    return std::nullopt;
  rooted_[id] = status;
  if (ended(status.state))
    begun_.erase(id);
  else
    begun_.emplace(id, now - std::chrono::milliseconds(status.elapsed_ms));
  if (!ended(status.state) || ended_before)
    return std::nullopt;
  ended_.push_back(id);
  if (ended_.size() <= config_.ended_max)
    return std::nullopt;
  const auto oldest = ended_.front();
  rooted_.erase(oldest);
  ended_.erase(ended_.begin());
  return oldest;
}

const JobStatus* JobBook::rooted(const JobId& id) const {
  const auto known = rooted_.find(id);
  return known == rooted_.end() ? nullptr : &known->second;
}

void JobBook::forget(const JobId& id) {
  if (!std::erase(ended_, id))
    return;
  begun_.erase(id);
  rooted_.erase(id);
}

std::vector<JobStatus> JobBook::rooted(Time now) const {
  return values(matches("", now));
}

JobStatus JobBook::as_of(JobStatus status, Time now) const {
  const auto begun = begun_.find(status.spec->id);
  if (begun != begun_.end() && !ended(status.state))
    status.elapsed_ms = std::uint64_t(
        std::chrono::duration_cast<std::chrono::milliseconds>(now - begun->second).count());
  return status;
}

std::map<JobId, JobStatus> JobBook::matches(const std::string& prefix, Time now) const {
  std::map<JobId, JobStatus> found;
  const auto bytes = from_hex(prefix.size() % 2 ? prefix + "0" : prefix);
  JobId first;
  if (!bytes || bytes->size() > first.bytes.size())
    return found;
  std::copy(bytes->begin(), bytes->end(), first.bytes.begin()); // Ids sort as their digits do.
  for (auto it = rooted_.lower_bound(first); it != rooted_.end(); ++it) {
    if (!to_hex(it->first).starts_with(prefix))
      break;
    found.emplace(it->first, as_of(it->second, now));
  }
  return found;
}

JobBookEffects JobBook::ask(std::uint64_t ticket, const std::string& prefix,
                            std::optional<NodeId> root, Time now) {
  JobBookEffects out;
  Question question{{}, ticket, prefix, {}, {}, 0, {}};
  question.until = now + config_.patience_base + config_.hops * config_.patience_hop;
  const bool answered = whole(prefix) && !matches(prefix, now).empty();
  if (!answered && !root)
    question.waiting = peers_;
  else if (!answered && *root != config_.self)
    question.waiting = {*root};
  const auto name = fresh_name();
  remember(name);
  spread(name, std::move(question), root ? 0 : config_.hops, now, out);
  return out;
}

void JobBook::peer_up(NodeId peer) {
  peers_.insert(peer);
}

JobBookEffects JobBook::peer_down(NodeId peer, Time now) {
  JobBookEffects out;
  peers_.erase(peer);
  std::vector<Name> touched;
  for (auto it = questions_.begin(); it != questions_.end();) {
    const auto here = it++;
    if (here->second.parent == peer)
      close(here);
    else if (here->second.waiting.erase(peer))
      touched.push_back(here->first);
  }
  for (const auto& name : touched)
    settle(name, now, out);
  return out;
}

JobBookEffects JobBook::receive(NodeId from, const JobQuery& query, Time now) {
  JobBookEffects out;
  const Name name{query.asker, query.query};
  const auto known = questions_.find(name);
  if (known != questions_.end() && known->second.parent == from)
    return out; // Its answer is on its way.
  if (query.asker == config_.self || known != questions_.end() || seen_.contains(name) ||
      !in_time(from, now)) {
    out.emplace_back(SendTo{from, JobAnswer{query.query, query.asker, {}}});
    return out;
  }
  remember(name);
  const auto hops = std::uint8_t(query.hops > 0 ? std::min(query.hops, config_.hops) - 1 : 0);
  Question question{from, 0, query.prefix, {}, {}, 0, {}};
  question.until = now + config_.patience_base + hops * config_.patience_hop;
  const bool answered = whole(query.prefix) && !matches(query.prefix, now).empty();
  if (query.hops > 0 && !answered && of_others_ < config_.questions_max) {
    question.waiting = peers_;
    question.waiting.erase(from);
    question.waiting.erase(query.asker);
  }
  spread(name, std::move(question), hops, now, out);
  return out;
}

JobBookEffects JobBook::receive(NodeId from, const JobAnswer& answer, Time now) {
  JobBookEffects out;
  const Name name{answer.asker, answer.query};
  const auto known = questions_.find(name);
  if (known == questions_.end() || !known->second.waiting.erase(from))
    return out; // Too late, or never asked.
  auto& question = known->second;
  for (const auto& status : answer.jobs) {
    const auto bytes = bytes_of(status);
    if (!to_hex(status.spec->id).starts_with(question.prefix) ||
        found_bytes_ + bytes > config_.found_bytes_max)
      continue;
    keep(question.found, status);
    question.found_bytes += bytes;
    found_bytes_ += bytes;
  }
  settle(name, now, out);
  return out;
}

void JobBook::spread(const Name& name, Question question, std::uint8_t hops, Time now,
                     JobBookEffects& out) {
  for (const auto& peer : question.waiting)
    out.emplace_back(SendTo{peer, JobQuery{name.second, name.first, question.prefix, hops}});
  of_others_ += question.parent.has_value();
  questions_.emplace(name, std::move(question));
  settle(name, now, out);
}

// Answers once there is nothing left to wait for.
void JobBook::settle(const Name& name, Time now, JobBookEffects& out) {
  const auto known = questions_.find(name);
  const bool enough = whole(known->second.prefix) && !known->second.found.empty();
  if (!known->second.waiting.empty() && !enough)
    return;
  auto question = close(known);
  for (auto& [id, status] : matches(question.prefix, now))
    question.found.insert_or_assign(id, std::move(status)); // Nobody knows it better.
  auto jobs = values(std::move(question.found));
  if (question.parent && jobs.size() > statuses_max)
    jobs.resize(statuses_max);
  if (question.parent)
    out.emplace_back(SendTo{*question.parent, JobAnswer{name.second, name.first, std::move(jobs)}});
  else
    out.emplace_back(JobsFound{question.ticket, std::move(jobs)});
}

JobBook::Question JobBook::close(Questions::iterator it) {
  auto question = std::move(it->second);
  questions_.erase(it);
  of_others_ -= question.parent.has_value();
  found_bytes_ -= question.found_bytes;
  return question;
}

// Not to be foreseen: who could would ask it first, and have ours taken for a repeat.
JobBook::Name JobBook::fresh_name() {
  Bytes bytes;
  put(bytes, seed_);
  put(bytes, asked_++);
  return {config_.self, get<std::uint64_t>(digest_of("tessera job query", {bytes}).view(), 0)};
}

void JobBook::remember(const Name& name) {
  seen_.insert(name);
  if (seen_order_.size() < config_.seen_max) {
    seen_order_.push_back(name);
  } else {
    seen_.erase(std::exchange(seen_order_[seen_next_], name));
    seen_next_ = (seen_next_ + 1) % config_.seen_max;
  }
}

// A token bucket told by one time: when it will be full again (GCRA, ITU-T I.371).
bool JobBook::in_time(const NodeId& peer, Time now) {
  std::erase_if(busy_, [&](const auto& busy) { return busy.second <= now; });
  if (!busy_.contains(peer) && busy_.size() >= config_.askers_max)
    return false;
  auto& until = busy_.emplace(peer, now).first->second;
  if (until - now > (config_.query_burst - 1) * config_.query_every)
    return false;
  until += config_.query_every;
  return true;
}

std::optional<Time> JobBook::next_wake() const {
  std::optional<Time> due;
  for (const auto& [name, question] : questions_)
    due = due ? std::min(*due, question.until) : question.until;
  return due;
}

JobBookEffects JobBook::wake(Time now) {
  JobBookEffects out;
  std::vector<Name> late;
  for (auto& [name, question] : questions_)
    if (question.until <= now)
      late.push_back(name);
  for (const auto& name : late) {
    questions_.at(name).waiting.clear();
    settle(name, now, out);
  }
  return out;
}

JobBook::Held JobBook::held() const {
  return {questions_.size(), seen_.size(), busy_.size(), found_bytes_};
}

} // namespace tessera
