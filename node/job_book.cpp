#include "node/job_book.hpp"

#include "net/wire/codec.hpp"

#include <algorithm>

namespace tessera {
namespace {

constexpr std::size_t whole_id_digits = 64;

// Two roots' words on one job: what ended stays ended, and done beats cancelled.
bool better(const JobStatus& a, const JobStatus& b) {
  if (ended(a.state) != ended(b.state))
    return ended(a.state);
  if ((a.state == JobState::done) != (b.state == JobState::done))
    return a.state == JobState::done;
  return a.leaves_done > b.leaves_done;
}

void keep(std::map<JobId, JobStatus>& found, const JobStatus& status) {
  const auto [at, fresh] = found.emplace(status.spec->id, status);
  if (!fresh && better(status, at->second))
    at->second = status;
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
    : config_(std::move(config)), next_query_(seed) {}

void JobBook::learned(const JobStatus& status) {
  const auto& id = status.spec->id;
  const auto known = rooted_.find(id);
  const bool ended_before = known != rooted_.end() && ended(known->second.state);
  if (ended_before && !ended(status.state))
    return;
  rooted_[id] = status;
  if (!ended(status.state) || ended_before)
    return;
  ended_.push_back(id);
  if (ended_.size() > config_.ended_max) {
    rooted_.erase(ended_.front());
    ended_.erase(ended_.begin());
  }
}

const JobStatus* JobBook::rooted(const JobId& id) const {
  const auto known = rooted_.find(id);
  return known == rooted_.end() ? nullptr : &known->second;
}

std::vector<JobStatus> JobBook::rooted() const {
  return values(rooted_);
}

std::map<JobId, JobStatus> JobBook::matches(const std::string& prefix) const {
  std::map<JobId, JobStatus> found;
  const auto bytes = from_hex(prefix.size() % 2 ? prefix + "0" : prefix);
  JobId first;
  if (!bytes || bytes->size() > first.bytes.size())
    return found;
  std::copy(bytes->begin(), bytes->end(), first.bytes.begin()); // Ids sort as their digits do.
  for (auto it = rooted_.lower_bound(first); it != rooted_.end(); ++it) {
    if (!to_hex(it->first).starts_with(prefix))
      break;
    found.insert(*it);
  }
  return found;
}

JobBookEffects JobBook::ask(std::uint64_t ticket, const std::string& prefix,
                            std::optional<NodeId> root, Time now) {
  JobBookEffects out;
  Question question{{}, ticket, prefix.size() == whole_id_digits, {}, matches(prefix), {}};
  const Name name{config_.self, next_query_++};
  first_time(name);
  std::vector<NodeId> to{peers_.begin(), peers_.end()};
  if (root)
    to = {*root};
  if (question.one && !question.found.empty())
    to.clear();
  spread(name, std::move(question), prefix, root ? 0 : config_.hops, to, out, now);
  return out;
}

void JobBook::peer_up(NodeId peer) {
  peers_.insert(peer);
}

JobBookEffects JobBook::peer_down(NodeId peer, Time) {
  JobBookEffects out;
  peers_.erase(peer);
  std::vector<Name> touched;
  for (auto& [name, question] : questions_)
    if (question.waiting.erase(peer))
      touched.push_back(name);
  for (const auto& name : touched)
    settle(name, out);
  return out;
}

JobBookEffects JobBook::receive(NodeId from, const JobQuery& query, Time now) {
  JobBookEffects out;
  const Name name{query.asker, query.query};
  if (!first_time(name)) {
    out.emplace_back(SendTo{from, JobAnswer{query.query, query.asker, {}}});
    return out;
  }
  Question question{from, 0, query.prefix.size() == whole_id_digits, {}, matches(query.prefix), {}};
  std::vector<NodeId> to;
  const bool answered = question.one && !question.found.empty();
  if (query.hops > 0 && !answered && questions_.size() < config_.questions_max)
    std::copy_if(peers_.begin(), peers_.end(), std::back_inserter(to),
                 [&](const NodeId& peer) { return peer != from && peer != query.asker; });
  spread(name, std::move(question), query.prefix,
         std::uint8_t(query.hops > 0 ? std::min<int>(query.hops, config_.hops) - 1 : 0), to, out,
         now);
  return out;
}

JobBookEffects JobBook::receive(NodeId from, const JobAnswer& answer, Time) {
  JobBookEffects out;
  const Name name{answer.asker, answer.query};
  const auto known = questions_.find(name);
  if (known == questions_.end() || !known->second.waiting.erase(from))
    return out; // Too late, or never asked.
  for (const auto& status : answer.jobs)
    keep(known->second.found, status);
  settle(name, out);
  return out;
}

void JobBook::spread(const Name& name, Question question, const std::string& prefix,
                     std::uint8_t hops, const std::vector<NodeId>& to, JobBookEffects& out,
                     Time now) {
  question.until = now + config_.patience_base + hops * config_.patience_hop;
  question.waiting = {to.begin(), to.end()};
  questions_[name] = std::move(question);
  for (const auto& peer : to)
    out.emplace_back(SendTo{peer, JobQuery{name.second, name.first, prefix, hops}});
  settle(name, out);
}

// Answers once there is nothing left to wait for.
void JobBook::settle(const Name& name, JobBookEffects& out) {
  const auto known = questions_.find(name);
  auto& question = known->second;
  const bool enough = question.one && !question.found.empty();
  if (!question.waiting.empty() && !enough)
    return;
  auto jobs = values(std::move(question.found));
  if (question.parent && jobs.size() > statuses_max)
    jobs.resize(statuses_max);
  if (question.parent)
    out.emplace_back(SendTo{*question.parent, JobAnswer{name.second, name.first, std::move(jobs)}});
  else
    out.emplace_back(JobsFound{question.ticket, std::move(jobs)});
  questions_.erase(known);
}

bool JobBook::first_time(const Name& name) {
  if (!seen_.insert(name).second)
    return false;
  if (seen_order_.size() < config_.seen_max) {
    seen_order_.push_back(name);
  } else {
    seen_.erase(std::exchange(seen_order_[seen_next_], name));
    seen_next_ = (seen_next_ + 1) % config_.seen_max;
  }
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
    settle(name, out);
  }
  return out;
}

} // namespace tessera
