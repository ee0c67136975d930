#include "node/api_shell.hpp"
#include "node/why.hpp"

#include <algorithm>

// Why a job is not done, and its log: from its root, wherever that is.
namespace tessera::api {

namespace {

constexpr auto patience = std::chrono::seconds(5);
constexpr std::size_t details_max = 256; // Asked of others, at a time.
constexpr std::size_t told_max = 32; // Told to others, all together, in a second: they are long.
constexpr std::uint64_t second_over = 0; // No query has this number.

std::int64_t unix_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::vector<Record> nodes(Self self) {
  std::vector<Record> all{own_record(self)};
  for (const auto& [id, record] : self->state.records)
    all.push_back(record->record);
  return all;
}

WhyView why_view(Self self, JobView job) {
  WhyView view;
  const auto& s = self->state;
  for (const auto& [id, status] : s.working)
    if (id != job.status.spec->id)
      view.others.push_back(status);
  view.job = std::move(job);
  view.nodes = nodes(self);
  view.root_paused = s.wiring->pause.has_value();
  view.now_ms = unix_ms();
  view.name = [=](const NodeId& id) { return name_of(self, id); };
  return view;
}

// As much of a log as fits: the newest.
std::string text_of(Json log) {
  auto text = log.dump(-1, ' ', false, Json::error_handler_t::replace);
  while (text.size() > detail_bytes_max) {
    auto& entries = log["entries"];
    entries.erase(entries.begin(), entries.begin() + Json::difference_type(entries.size() / 2 + 1));
    text = log.dump(-1, ' ', false, Json::error_handler_t::replace);
  }
  return text;
}

using Then = std::function<void(std::string)>; // Empty: it cannot be had.

// Of a job that has ended, and has no actor any more.
void log_of_journal(Self self, const JobStatus& status, std::uint64_t since, const Then& then) {
  self->state.store_asks.ask<LogAnswer>(self, LogAsk{status.spec->id}, [=](LogAnswer& answer) {
    std::erase_if(answer.log, [&](const LogEntry& entry) { return entry.number < since; });
    then(text_of(log_json(status, answer.log)));
  });
}

// Rooted here.
void tell_detail(Self self, const JobStatus& status, DetailAsk::What what, std::uint64_t since,
                 const Then& then) {
  const bool log = what == DetailAsk::What::log;
  self->request(self->state.wiring->node, caf::infinite,
                ViewAsk{status.spec->id, log ? std::max<std::uint64_t>(1, since) : 0})
      .then(
          [=](JobView& view) {
            const bool here = view.status.spec != nullptr;
            if (!here && log)
              return log_of_journal(self, status, since, then);
            if (!here)
              view.status = self->state.book->as_of(status, now(self));
            then(log ? text_of(log_json(view.status, view.log))
                     : text_of(why_json(why_view(self, std::move(view)))));
          },
          [=](const caf::error&) { then(""); });
}

void ask_root(Self self, const JobStatus& status, DetailAsk::What what, std::uint64_t since,
              const Then& then) {
  auto& s = self->state;
  if (s.details.size() >= details_max)
    return then("");
  const auto query = s.next_ticket++;
  s.details[query] = {status.root, then};
  tell(s.wiring->mesh, ToPeer{status.root, std::make_shared<const Message>(
                                               DetailAsk{query, status.spec->id, what, since})});
  self->delayed_send(self, patience, tick_atom_v, query);
}

void over(Self self, std::uint64_t query, std::string json) {
  if (auto asked = self->state.details.extract(query); !asked.empty())
    asked.mapped().then(std::move(json));
}

} // namespace

void detail_late(Self self, std::uint64_t query) {
  if (query == second_over)
    --self->state.details_told;
  else
    over(self, query, "");
}

void detail(Self self, const JobStatus& status, DetailAsk::What what, std::uint64_t since,
            const Caller& caller) {
  const auto name = to_hex(status.spec->id).substr(0, 12);
  const auto then = [=](const std::string& text) {
    const auto json = Json::parse(text, nullptr, false);
    if (json.is_object())
      return answer(caller, 200, json);
    refuse(caller, {"E462", "the root of job " + name + " does not answer",
                    "it alone knows this, and did not say so in 5 s",
                    "try again when it is back: tessera peers"});
  };
  if (status.root == self->state.setup.own.subject)
    tell_detail(self, status, what, since, then);
  else
    ask_root(self, status, what, since, then);
}

void asked_detail(Self self, const NodeId& from, const DetailAsk& ask) {
  auto& s = self->state;
  const auto* status = s.book->rooted(ask.job);
  const auto reply = [=, query = ask.query, job = ask.job](std::string json) {
    tell(self->state.wiring->mesh,
         ToPeer{from, std::make_shared<const Message>(Detail{query, job, std::move(json)})});
  };
  if (!status || s.details_told >= told_max)
    return reply("");
  ++s.details_told;
  self->delayed_send(self, std::chrono::seconds(1), tick_atom_v, second_over);
  tell_detail(self, *status, ask.what, ask.since, reply);
}

void told_detail(Self self, const NodeId& from, const Detail& detail) {
  const auto asked = self->state.details.find(detail.query);
  if (asked != self->state.details.end() && asked->second.root == from)
    over(self, detail.query, detail.json);
}

std::uint64_t since_of(const HttpRequest& request) {
  const auto given = request.query.find("since");
  return given == request.query.end() ? 0 : std::strtoull(given->second.c_str(), nullptr, 10);
}

} // namespace tessera::api
