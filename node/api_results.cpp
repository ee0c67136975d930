#include "node/api_shell.hpp"
#include "node/http/conditions.hpp"

namespace tessera::api {

namespace {

// What a caller wants of bytes that have a name.
struct Wish {
  std::string range, if_range, if_none_match;
  std::string etag; // Their hash: they never change.

  Wish(const HttpRequest& request, const BlobId& bytes) : etag("\"" + to_hex(bytes) + "\"") {
    const auto header = [&](const char* name) {
      const auto given = request.headers.find(name);
      return given == request.headers.end() ? std::string{} : given->second;
    };
    range = header("range");
    if_range = header("if-range");
    if_none_match = header("if-none-match");
  }
};

// The head of the answer, and which bytes follow; nothing where none do, and it is the answer.
struct Start {
  HttpReply reply;
  std::optional<http::ByteRange> bytes;
};

Start start(const Wish& wish, std::uint64_t size, const std::string& type,
            const std::string& path) {
  Start out;
  const auto [possible, range] = http::range_wish(wish.range, wish.if_range, wish.etag, size);
  if (http::names_tag(wish.if_none_match, wish.etag)) {
    out.reply.status = 304;
    out.reply.stream = std::make_shared<HttpReply::Stream>(); // Which would be of that size.
    out.reply.stream->size = size;
  } else if (!possible) {
    out.reply = problem(416,
                        {"E419", "that range is not in it", wish.range,
                         "it has " + std::to_string(size) + " bytes"},
                        path);
    out.reply.headers["Content-Range"] = http::content_range({}, size);
    return out;
  } else {
    out.reply.status = range ? 206 : 200;
    out.bytes = range.value_or(http::ByteRange{0, size});
    if (range)
      out.reply.headers["Content-Range"] = http::content_range(range, size);
  }
  out.reply.content_type = type;
  out.reply.headers["ETag"] = wish.etag;
  out.reply.headers["Accept-Ranges"] = "bytes";
  out.reply.headers["Cache-Control"] = "no-cache";
  return out;
}

void send_blob(Self self, const BlobId& blob, const std::string& type, const Wish& wish,
               const Caller& caller) {
  self->state.store_asks.ask<FilesAnswer>(self, FilesAsk{{blob}}, [=](const FilesAnswer& answer) {
    const auto mapped =
        answer.files.empty() ? Result<Mapping>{answer.why} : Mapping::of(*answer.files.front());
    if (!mapped)
      return refuse(caller, mapped.error());
    auto [reply, range] = start(wish, mapped->bytes().size(), type, caller.path);
    if (range)
      reply.body = std::make_shared<const Bytes>(
          to_bytes(mapped->bytes().subspan(range->first, range->size())));
    caller.respond(std::move(reply));
  });
}

constexpr std::size_t pieces_ahead_max = 8; // Of one result: a guess.

void read(Self self, const BlobId& blob, std::function<void(std::shared_ptr<const Bytes>)> then) {
  self->state.store_asks.ask<FilesAnswer>(self, FilesAsk{{blob}}, [=](const FilesAnswer& answer) {
    const auto mapped =
        answer.files.empty() ? Result<Mapping>{answer.why} : Mapping::of(*answer.files.front());
    then(mapped ? std::make_shared<const Bytes>(to_bytes(mapped->bytes())) : nullptr);
  });
}

void go_on(Self self, std::uint64_t number);

void enter(Self self, std::uint64_t number, const BlobId& manifest) {
  const auto entered = [=](const std::shared_ptr<const Bytes>& bytes) {
    const auto f = self->state.fetches.find(number);
    if (f == self->state.fetches.end())
      return;
    f->second.entering = false;
    f->second.failed |= !bytes || !f->second.walk.enter(*bytes);
    go_on(self, number);
  };
  auto& f = self->state.fetches.at(number);
  f.entering = true;
  pull(self, manifest, f.holders, [=](bool here) {
    if (here)
      read(self, manifest, entered);
    else
      entered(nullptr);
  });
}

void ask_ahead(Self self, std::uint64_t number) {
  auto& f = self->state.fetches.at(number);
  while (!f.entering && !f.failed && f.left > 0 && f.ahead.size() < pieces_ahead_max) {
    const auto part = f.walk.next();
    if (!part)
      return;
    if (part->size <= f.skip) { // What lies before is not even fetched.
      f.skip -= part->size;
      f.walk.pass();
      continue;
    }
    if (part->manifest)
      return enter(self, number, part->blob);
    f.walk.pass();
    const auto first = std::exchange(f.skip, 0);
    const auto taken = std::min(part->size - first, f.left);
    f.left -= taken;
    f.ahead.push_back({part->blob, part->size, {}, first, first + taken});
    pull(self, part->blob, f.holders, [=, blob = part->blob](bool here) {
      const auto f = self->state.fetches.find(number);
      if (f == self->state.fetches.end())
        return;
      for (auto& piece : f->second.ahead)
        if (piece.blob == blob)
          piece.here = here;
      go_on(self, number);
    });
  }
}

// The next piece to whoever waits for it.
void go_on(Self self, std::uint64_t number) {
  ask_ahead(self, number);
  auto& f = self->state.fetches.at(number);
  if (f.ahead.empty() ? f.entering : !f.ahead.front().here)
    return;
  const bool gone = f.ahead.empty() || !*f.ahead.front().here;
  f.failed |= gone;
  if (f.opened)
    return std::exchange(f.opened, nullptr)(!gone);
  if (!f.give)
    return;
  const auto give = std::exchange(f.give, nullptr);
  if (gone)
    return give(nullptr);
  const auto piece = f.ahead.front();
  f.ahead.pop_front();
  read(self, piece.blob, [=](const std::shared_ptr<const Bytes>& bytes) {
    if (!bytes || bytes->size() != piece.size)
      return give(nullptr);
    if (piece.end - piece.first == piece.size)
      return give(bytes);
    give(std::make_shared<const Bytes>(bytes->begin() + std::ptrdiff_t(piece.first),
                                       bytes->begin() + std::ptrdiff_t(piece.end)));
  });
}

} // namespace

void pull(Self self, const BlobId& blob, const std::vector<NodeId>& holders,
          ApiShell::Pulled then) {
  auto& pulling = self->state.pulls[blob];
  pulling.holders = holders;
  pulling.then.push_back(std::move(then));
  self->send(self->state.wiring->store, PullFor{blob, holders});
}

std::vector<NodeId> holders_of(const JobStatus& status) {
  auto shares = status.shares;
  std::sort(shares.begin(), shares.end(),
            [](const NodeShare& a, const NodeShare& b) { return a.leaves > b.leaves; });
  std::vector<NodeId> holders;
  for (const auto& share : shares)
    holders.push_back(share.node);
  if (std::find(holders.begin(), holders.end(), status.root) == holders.end())
    holders.push_back(status.root);
  return holders;
}

void pulled(Self self, const BlobId& blob, bool here) {
  auto over = self->state.pulls.extract(blob);
  if (!over.empty())
    for (const auto& then : over.mapped().then)
      then(here);
}

void next_piece(Self self, const NextPiece& next) {
  const auto f = self->state.fetches.find(next.fetch);
  if (f == self->state.fetches.end())
    return;
  if (!next.give) {
    self->state.fetches.erase(f);
    return;
  }
  f->second.give = next.give;
  go_on(self, next.fetch);
}

namespace {

// What goes on in the server when the client is gone is told by its end.
struct FetchTicket {
  caf::actor api;
  std::uint64_t fetch;

  FetchTicket(caf::actor a, std::uint64_t f) : api(std::move(a)), fetch(f) {}
  FetchTicket(const FetchTicket&) = delete;
  ~FetchTicket() { caf::anon_send(api, NextPiece{fetch, {}}); }
};

HttpReply in_pieces(Self self, std::uint64_t number, HttpReply reply, std::uint64_t size) {
  reply.stream = std::make_shared<HttpReply::Stream>();
  reply.stream->size = size;
  const auto ticket =
      std::make_shared<const FetchTicket>(caf::actor_cast<caf::actor>(self), number);
  reply.stream->next = [ticket](auto give) {
    caf::anon_send(ticket->api, NextPiece{ticket->fetch, std::move(give)});
  };
  return reply;
}

void send_pieces(Self self, const JobStatus& status, const std::string& type, const Wish& wish,
                 const Caller& caller) {
  const auto name = to_hex(status.spec->id).substr(0, 12);
  const Error nowhere{"E112", "the result of job " + name + " cannot be had",
                      "some of its pieces are gone with the nodes that held them",
                      "try again when they are back, or submit it again"};
  read(self, status.result, [=](const std::shared_ptr<const Bytes>& bytes) {
    const auto manifest = bytes ? Manifest::of(*bytes) : std::nullopt;
    if (!manifest)
      return refuse(caller, nowhere);
    const auto [reply, range] = start(wish, manifest->size(), type, caller.path);
    if (!range)
      return caller.respond(reply);
    auto& s = self->state;
    const auto number = s.next_fetch++;
    auto& fetch =
        s.fetches.emplace(number, ApiShell::Fetch{ManifestWalk{*manifest}, holders_of(status)})
            .first->second;
    fetch.skip = range->first;
    fetch.left = range->size();
    fetch.opened = [=, reply = reply, size = range->size()](bool here) {
      if (here)
        return caller.respond(in_pieces(self, number, reply, size));
      self->state.fetches.erase(number);
      refuse(caller, nowhere);
    };
    go_on(self, number);
  });
}

} // namespace

void put_blob(Self self, const std::string& hash, HttpRequest& request, const Caller& caller) {
  const auto bytes = from_hex(hash);
  KeepBlob keep;
  if (!bytes || bytes->size() != keep.id.bytes.size())
    return refuse(caller, {"E400", "\"" + hash + "\" is no blob's hash", "a hash has 64 hex digits",
                           "see node/http/API.md"});
  std::copy(bytes->begin(), bytes->end(), keep.id.bytes.begin());
  const auto size = request.body.size();
  // The store is in this process: no memfd, however long it is.
  keep.bytes = std::make_shared<Payload>();
  keep.bytes->bytes = std::move(request.body);
  keep.bytes->size = size;
  keep.check = true;
  self->state.store_asks.ask<Kept>(self, keep, [=](const Kept& kept) {
    if (!kept.ok)
      return refuse(caller, kept.why);
    answer(caller, 201, {{"schema", 1}, {"blob", hash}, {"size", size}});
  });
}

void get_blob(Self self, const std::string& hash, const HttpRequest& request,
              const Caller& caller) {
  const auto bytes = from_hex(hash);
  BlobId id;
  if (!bytes || bytes->size() != id.bytes.size())
    return refuse(caller, {"E400", "\"" + hash + "\" is no blob's hash", "a hash has 64 hex digits",
                           "see node/http/API.md"});
  std::copy(bytes->begin(), bytes->end(), id.bytes.begin());
  send_blob(self, id, "application/octet-stream", {request, id}, caller);
}

void send_result(Self self, const JobStatus& status, const HttpRequest& request,
                 const Caller& caller) {
  const auto name = to_hex(status.spec->id).substr(0, 12);
  if (status.state == JobState::failed)
    return refuse(caller, status.error, 409);
  if (status.state == JobState::cancelled)
    return refuse(caller, {"E602", "job " + name + " was cancelled", "its submitter asked for that",
                           "submit it again if you need it"});
  if (status.state != JobState::done)
    return refuse(caller, {"E412", "job " + name + " still runs",
                           "its result is there when it is done", "tessera wait " + name});
  const auto type = type_of_result(status.spec->spec);
  const Wish wish{request, status.result};
  pull(self, status.result, {status.root}, [=](bool here) {
    if (!here)
      refuse(caller, {"E112", "the result of job " + name + " cannot be had",
                      "the node that has it does not answer", "try again when it is back"});
    else if (status.manifest)
      send_pieces(self, status, type, wish, caller);
    else
      send_blob(self, status.result, type, wish, caller);
  });
}

} // namespace tessera::api
