#include "node/cli/watch_model.hpp"

#include "node/cli/terminal.hpp"

#include <algorithm>

namespace tessera::cli {
namespace {

using Json = nlohmann::json;

std::vector<Json> list_in(const Json& object, const char* name) {
  std::vector<Json> list;
  if (const auto it = object.find(name); it != object.end() && it->is_array())
    std::copy_if(it->begin(), it->end(), std::back_inserter(list),
                 [](const Json& each) { return each.is_object(); });
  return list;
}

auto named(std::vector<Json>& list, const char* name, const std::string& id) {
  return std::find_if(list.begin(), list.end(),
                      [&](const Json& each) { return text_at(each, name) == id; });
}

void copy_member(const Json& from, Json& to, const char* name) {
  if (const auto it = from.find(name); it != from.end())
    to[name] = *it;
}

} // namespace

bool ended(const Json& job) {
  const auto state = text_at(job, "state");
  return state == "done" || state == "failed" || state == "cancelled";
}

void WatchModel::take(const EventFrame& frame, std::uint64_t now_ms) {
  const auto data = Json::parse(frame.data, nullptr, false);
  if (!data.is_object())
    return;
  if (frame.kind == "snapshot")
    snapshot(data, now_ms);
  else if (frame.kind == "job")
    job(data, now_ms);
  else if (frame.kind == "job_gone")
    job_gone(text_at(data, "job"));
  else if (frame.kind == "peer")
    peer(data);
  else if (frame.kind == "peer_gone")
    std::erase_if(peers_,
                  [id = text_at(data, "id")](const Json& p) { return text_at(p, "id") == id; });
  else if (frame.kind == "status")
    status_ = data;
  else if (frame.kind == "pause")
    copy_member(data, status_, "pause");
  else if (frame.kind == "load")
    for (const auto* name : {"running", "slots"})
      copy_member(data, status_, name);
}

void WatchModel::snapshot(const Json& data, std::uint64_t now_ms) {
  began_ = true;
  status_ = data.value("status", Json::object());
  if (!status_.is_object())
    status_ = Json::object();
  peers_ = list_in(data, "peers");
  jobs_ = list_in(data, "jobs");
  heard_.clear();
  for (const auto& each : jobs_)
    heard_[text_at(each, "job")] = now_ms;
}

void WatchModel::job(const Json& data, std::uint64_t now_ms) {
  const auto id = text_at(data, "job");
  if (id.empty() || (!job_.empty() && id != job_))
    return;
  heard_[id] = now_ms;
  if (const auto known = named(jobs_, "job", id); known != jobs_.end())
    *known = data;
  else
    jobs_.insert(jobs_.begin(), data);
}

void WatchModel::job_gone(const std::string& id) {
  heard_.erase(id);
  std::erase_if(jobs_, [&](const Json& each) { return text_at(each, "job") == id; });
}

void WatchModel::peer(const Json& data) {
  const auto known = named(peers_, "id", text_at(data, "id"));
  if (known != peers_.end())
    *known = data;
  else
    peers_.push_back(data);
}

bool WatchModel::over() const {
  return began_ && !job_.empty() && (jobs_.empty() || ended(jobs_.front()));
}

// A job that nothing happens to tells nothing, but grows older.
void WatchModel::show(WatchView& view, std::uint64_t now_ms) const {
  view.one = !job_.empty();
  view.status = status_;
  view.peers = peers_;
  view.jobs = jobs_;
  for (auto& each : view.jobs)
    if (const auto heard = heard_.find(text_at(each, "job"));
        heard != heard_.end() && !ended(each) && now_ms > heard->second)
      each["elapsed_ms"] = number_at(each, "elapsed_ms") + (now_ms - heard->second);
}

} // namespace tessera::cli
