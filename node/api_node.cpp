#include "node/api_shell.hpp"

#include <unistd.h>

namespace tessera::api {

Record own_record(Self self) {
  auto record = self->state.setup.own;
  record.slots_free = self->state.load.slots_free;
  record.paused = self->state.wiring->pause.has_value();
  return record;
}

PeerView view_of(Self self, const NodeId& id, const Record& record) {
  const auto& s = self->state;
  PeerView view{record, false, s.up.contains(id), {}};
  if (const auto rtt = s.rtts.find(id); view.direct && rtt != s.rtts.end())
    view.rtt_ms = std::chrono::duration<double, std::milli>(rtt->second).count();
  return view;
}

namespace {

// What this node has a hand in, and for whom.
Json working_json(Self self) {
  Json list = Json::array();
  for (const auto& [id, status] : self->state.working) {
    if (ended(status.state))
      continue; // It only lingers.
    const auto& spec = status.spec->spec;
    const auto module = wasm::settings_of(spec.kernel, spec.params);
    const auto* blob = spec.input(Input::Role::module);
    list.push_back({{"job", to_hex(id)},
                    {"parent", spec.round ? Json(to_hex(spec.parent)) : Json(nullptr)},
                    {"kernel", spec.kernel + "@" + std::to_string(spec.kernel_version)},
                    {"submitter", to_text(spec.submitter)},
                    {"submitter_name", name_of(self, spec.submitter)},
                    {"rooted", status.root == self->state.setup.own.subject},
                    {"name", blob && module ? Json(module->name) : Json(nullptr)},
                    {"module", blob ? Json(to_hex(blob->blob)) : Json(nullptr)}});
  }
  return list;
}

Json dialable(const Reach& reach) {
  return reach.state == Reach::State::unknown ? Json(nullptr)
                                              : Json(reach.state == Reach::State::yes);
}

Json reach_json(Self self) {
  const auto& reach = self->state.reach;
  return {{"dialable", dialable(reach)},
          {"by", reach.by ? Json(to_text(*reach.by)) : Json(nullptr)},
          {"by_name", reach.by ? Json(name_of(self, *reach.by)) : Json(nullptr)},
          {"tried", reach.tried},
          {"why", reach.why.empty() ? Json(nullptr) : Json(reach.why)}};
}

Json own_peer_json(Self self) {
  auto json = peer_json({own_record(self), true, false, {}});
  json["dialable"] = dialable(self->state.reach);
  return json;
}

} // namespace

Json status_json(Self self) {
  const auto& s = self->state;
  const auto own = own_record(self);
  const auto up =
      std::chrono::duration_cast<std::chrono::milliseconds>(now(self) - s.setup.started);
  return {{"schema", 1},
          {"id", to_text(own.subject)},
          {"name", own.name},
          {"version", own.version},
          {"mesh", to_hex(s.setup.mesh.id).substr(0, 16)},
          {"mesh_id", to_hex(s.setup.mesh.id)},
          {"open", s.setup.mesh.open()},
          {"listen", s.setup.listen},
          {"reach", reach_json(self)},
          {"slots", own.slots},
          {"running", running_of(own)},
          {"pause", pause_json(s.wiring->pause)},
          {"policy", s.wiring->policy.empty() ? Json(nullptr) : Json(s.wiring->policy)},
          {"peers", 1 + s.records.size()},
          {"jobs", s.working.size()},
          {"working", working_json(self)},
          {"uptime_ms", up.count()},
          {"pid", ::getpid()}};
}

Json peers_json(Self self) {
  const auto& s = self->state;
  Json list = Json::array();
  list.push_back(own_peer_json(self));
  for (const auto& [id, record] : s.records)
    list.push_back(peer_json(view_of(self, id, record->record)));
  return {{"schema", 1}, {"peers", std::move(list)}};
}

std::optional<Json> one_peer_json(Self self, const NodeId& peer) {
  const auto& s = self->state;
  if (peer == s.setup.own.subject)
    return own_peer_json(self);
  const auto known = s.records.find(peer);
  if (known == s.records.end())
    return std::nullopt;
  return peer_json(view_of(self, peer, known->second->record));
}

void send_status(Self self, const Caller& caller) {
  answer(caller, 200, status_json(self));
}

void send_peers(Self self, const Caller& caller) {
  answer(caller, 200, peers_json(self));
}

// Modules whose bytes were here once may be gone: those are listed without their exports.
void list_kernels(Self self, const Caller& caller) {
  const auto unread = self->state.modules.unread();
  const auto left = std::make_shared<std::size_t>(unread.size());
  const auto tell_all = [=] { answer(caller, 200, kernels_json(self->state.modules.all())); };
  if (unread.empty())
    return tell_all();
  for (const auto& id : unread)
    self->state.store_asks.ask<FilesAnswer>(self, FilesAsk{{id}}, [=](const FilesAnswer& files) {
      const auto bytes =
          files.files.empty() ? Result<Mapping>{files.why} : Mapping::of(*files.files.front());
      if (bytes)
        self->state.modules.read(id, bytes->bytes());
      if (--*left == 0)
        tell_all();
    });
}

void invite(Self self, const Caller& caller) {
  const auto& s = self->state;
  if (s.setup.mesh.open())
    return refuse(caller, {"E304", "an open mesh has no invite", "anyone may join it by a seed",
                           "on another machine: tessera start --open --seed " + s.setup.listen});
  answer(caller, 200, {{"schema", 1}, {"invite", to_invite(s.setup.mesh)}});
}

// Answered once it would survive a restart.
void set_pause(Self self, const PauseFor& what, const Caller& caller) {
  self->request(self->state.wiring->node, caf::infinite, what)
      .then(
          [=](const PauseSet& set) {
            if (!set.why.code.empty())
              return refuse(caller, set.why);
            answer(caller, 200, {{"schema", 1}, {"pause", pause_json(set.pause)}});
          },
          [](const caf::error&) {}); // The node's own actor died, and the process with it.
}

void pause(Self self, const HttpRequest& request, const Caller& caller) {
  const auto time = pause_request(request.body);
  if (!time)
    return refuse(caller, time.error());
  set_pause(self, {false, *time}, caller);
}

void stop(Self self, const Caller& caller) {
  answer(caller, 202, {{"schema", 1}, {"stopping", true}});
  tell(self->state.wiring->node, leave_atom_v);
}

} // namespace tessera::api
