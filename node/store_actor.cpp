#include "node/store_actor.hpp"

#include "node/store/needed.hpp"

#include <caf/actor_cast.hpp>

namespace tessera {
namespace {

using Self = caf::stateful_actor<StoreShell>*;

constexpr std::uint32_t chunks_at_once_max = 64;        // Of one BlobAsk.
constexpr std::uint64_t journal_room = 1 << 20;         // Guess: more than one write of it takes.
constexpr auto disk_patience = std::chrono::seconds(5); // Before a full disk is tried again.
constexpr std::size_t copies_max = 4096;
constexpr std::size_t copies_at_once = 32; // Each has a few pulls.
constexpr std::size_t released_max = 4096;
constexpr std::size_t givers_max = 64;
constexpr std::chrono::seconds housekeep_every{
    10}; // A guess: so much of what was used is lost by a kill.
constexpr auto output_stays = std::chrono::hours(24); // After its job is over here.

std::int64_t unix_ms() {
  const auto unix_time = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(unix_time).count();
}

void to_peer(Self self, const NodeId& peer, Message message) {
  tell(self->state.wiring->mesh, ToPeer{peer, std::make_shared<const Message>(std::move(message))});
}

template<class News>
void tell_all(const std::vector<caf::actor>& whom, const News& news) {
  for (const auto& who : whom)
    tell(who, news);
}

// What came over sessions came once.
void tell_here(const std::vector<caf::actor>& whom, const BlobId& blob, std::uint64_t pulled) {
  for (const auto& who : whom)
    tell(who, BlobHere{blob, std::exchange(pulled, 0)});
}

void pin(Self self, const JobId& job, const BlobId& blob) {
  if (self->state.needed[job].insert(blob).second)
    self->state.blobs->pin(blob);
}
// By a job that is not over, or goes on.
void pin_for(Self self, const JobId& job, const BlobId& blob) {
  self->state.released.erase(job);
  pin(self, job, blob);
}

void unpin_all(Self self, const JobId& job) {
  auto& s = self->state;
  s.released.erase(job);
  if (const auto needed = s.needed.extract(job); !needed.empty())
    for (const auto& blob : needed.mapped())
      s.blobs->unpin(blob);
}

// Output of others' jobs, which they have had time enough to fetch.
void unpin_old(Self self) {
  std::vector<JobId> old;
  for (const auto& [job, r] : self->state.released)
    if (now(self) >= r.since + output_stays)
      old.push_back(job);
  for (const auto& job : old)
    unpin_all(self, job);
}

void unpin_oldest(Self self) {
  const auto& all = self->state.released;
  const auto oldest = std::min_element(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return a.second.since < b.second.since;
  });
  unpin_all(self, JobId{oldest->first});
}

// What a slot still brings of it is told by this from what a job needs.
void over(Self self, const JobId& job, bool keep) {
  auto& s = self->state;
  if (!keep)
    unpin_all(self, job);
  s.released[job] = {now(self), keep};
  if (s.released.size() > released_max)
    unpin_oldest(self);
}

// On a full disk, what can be had again makes room for what cannot.
template<class Write>
Status with_room(Self self, std::uint64_t bytes, Write write) {
  auto written = write();
  if (!written && written.error().code == "E111")
    unpin_old(self);
  while (!written && written.error().code == "E111" && self->state.blobs->forget(bytes))
    written = write();
  return written;
}
Status put(Self self, const BlobId& id, ByteView bytes) {
  return with_room(self, bytes.size(), [&] { return self->state.blobs->put_named(id, bytes); });
}
template<class Write>
Status write_journal(Self self, Write write) {
  return with_room(self, journal_room, [&] { return write(*self->state.journal); });
}

void note_giver(Self self, const NodeId& holder) {
  auto& gave = self->state.gave;
  std::erase(gave, holder);
  gave.push_front(holder);
  if (gave.size() > givers_max)
    gave.pop_back();
}

// Who gave last is asked first.
std::vector<NodeId> in_order(Self self, std::vector<NodeId> holders) {
  const auto& gave = self->state.gave;
  std::stable_sort(holders.begin(), holders.end(), [&](const NodeId& a, const NodeId& b) {
    return std::find(gave.begin(), gave.end(), a) < std::find(gave.begin(), gave.end(), b);
  });
  return holders;
}

void on(Self self, AskHolder& ask) {
  to_peer(self, ask.holder, ask.ask);
}
void on(Self self, Pulled& pulled) {
  const auto wanted_by = self->state.wanted_by.extract(pulled.blob);
  note_giver(self, pulled.holder);
  if (put(self, pulled.blob, pulled.bytes))
    tell_here(wanted_by.mapped(), pulled.blob, pulled.bytes.size());
  else
    tell_all(wanted_by.mapped(), BlobGone{pulled.blob});
}
void on(Self self, NotPulled& failed) {
  tell_all(self->state.wanted_by.extract(failed.blob).mapped(), BlobGone{failed.blob});
}

void perform(Self self, PullEffects effects) {
  for (auto& effect : effects)
    std::visit([&](auto& e) { on(self, e); }, effect);
  arm(self, self->state.armed, self->state.pulls.next_wake());
}

void pull_for(Self self, const PullFor& want, caf::actor who) {
  auto& s = self->state;
  if (s.blobs->has(want.blob)) {
    tell(who, BlobHere{want.blob});
    return;
  }
  s.wanted_by[want.blob].push_back(std::move(who));
  perform(self, s.pulls.want(want.blob, in_order(self, want.holders), now(self)));
}

// --- Copies of ordered output

using CopyKey = StoreShell::CopyKey;

void go_on(Self self, const CopyKey& key) {
  auto& s = self->state;
  auto& c = s.copies.at(key);
  std::vector<BlobId> absent;
  for (auto wanted = c.copy.next(); !wanted.empty(); wanted = c.copy.next())
    for (const auto& blob : wanted) {
      pin_for(self, key.first, blob);
      const auto bytes = s.blobs->has(blob) ? s.blobs->bytes(blob) : Result<Mapping>{Error{}};
      if (bytes)
        c.copy.here(blob, bytes->bytes());
      else
        absent.push_back(blob);
    }
  const auto me = caf::actor_cast<caf::actor>(self);
  for (const auto& blob : absent)
    tell(me, PullFor{blob, c.holders}, me);
  if (!c.copy.failed() && !c.copy.whole())
    return;
  const auto over = s.copies.extract(key);
  if (over.mapped().copy.whole())
    tell_here(over.mapped().wanted_by, key.second, over.mapped().pulled_bytes);
  else
    tell_all(over.mapped().wanted_by, BlobGone{key.second});
}

void begin_copies(Self self) {
  auto& s = self->state;
  while (!s.copies_waiting.empty() && s.copies.size() - s.copies_waiting.size() < copies_at_once) {
    const auto key = s.copies_waiting.front();
    s.copies_waiting.pop_front();
    go_on(self, key);
  }
}

// Some of it is here, or nowhere.
void copy_told(Self self, const BlobId& blob, bool here, std::uint64_t pulled) {
  std::vector<CopyKey> waiting;
  for (auto& [key, c] : self->state.copies)
    if (c.copy.awaits(blob)) {
      waiting.push_back(key);
      c.pulled_bytes += std::exchange(pulled, 0);
    }
  for (const auto& key : waiting) {
    auto& c = self->state.copies.at(key).copy;
    const auto bytes =
        c.awaits_manifest(blob) ? self->state.blobs->bytes(blob) : Result<Mapping>{Mapping{}};
    if (here && bytes)
      c.here(blob, bytes->bytes());
    else
      c.gone();
    go_on(self, key);
  }
  begin_copies(self);
}

void copy_for(Self self, const CopyFor& want, caf::actor who) {
  auto& s = self->state;
  const CopyKey key{want.job, blob_id(want.manifest)};
  const auto manifest = Manifest::of(want.manifest);
  if (const auto known = s.copies.find(key); known != s.copies.end()) {
    known->second.wanted_by.push_back(std::move(who));
    return;
  }
  if (!manifest || s.copies.size() >= copies_max) {
    tell(who, BlobGone{key.second});
    return;
  }
  s.copies.emplace(key, StoreShell::Copying{Copy{*manifest}, want.holders, {std::move(who)}});
  s.copies_waiting.push_back(key);
  begin_copies(self);
}

// Its job is gone, and with it whoever waits for its copies.
void release(Self self, const ReleaseJob& what) {
  auto& s = self->state;
  std::erase_if(s.copies, [&](const auto& c) { return c.first.first == what.job; });
  std::erase_if(s.copies_waiting, [&](const CopyKey& key) { return key.first == what.job; });
  over(self, what.job, what.keep);
  unpin_old(self);
  begin_copies(self);
}

void serve(Self self, const NodeId& from, const BlobAsk& ask) {
  const auto until = ask.first_chunk + std::min(ask.chunks, chunks_at_once_max);
  for (auto i = ask.first_chunk; i < until; ++i) {
    auto chunk = self->state.blobs->chunk(ask.blob, i);
    if (!chunk) {
      to_peer(self, from, BlobMissing{ask.blob});
      return;
    }
    to_peer(self, from,
            BlobChunk{ask.blob, chunk->size, i, std::move(chunk->bytes), std::move(chunk->proof)});
  }
}

void from_peer(Self self, const FromPeer& letter) {
  auto& pulls = self->state.pulls;
  if (const auto* ask = std::get_if<BlobAsk>(letter.message.get()))
    serve(self, letter.from, *ask);
  else if (const auto* chunk = std::get_if<BlobChunk>(letter.message.get()))
    perform(self, pulls.received(letter.from, *chunk, now(self)));
  else if (const auto* missing = std::get_if<BlobMissing>(letter.message.get()))
    perform(self, pulls.missing(letter.from, missing->blob, now(self)));
}

FilesAnswer files(Self self, const FilesAsk& ask) {
  FilesAnswer answer;
  for (const auto& blob : ask.blobs) {
    auto file = self->state.blobs->file(blob);
    if (!file)
      return {{}, file.error()};
    answer.files.push_back(std::make_shared<Fd>(std::move(*file)));
  }
  return answer;
}

Kept kept(const Status& status) {
  return status ? Kept{true, {}} : Kept{false, status.error()};
}

// Whoever asks keeps the bytes, to ask again if this store dies of them.
Payload copy_of(const Payload& payload) {
  Payload copy;
  copy.bytes = payload.bytes;
  copy.size = payload.size;
  if (payload.fd)
    copy.fd = Fd{::dup(payload.fd.get())};
  return copy;
}

Kept keep_bytes(Self self, const KeepBlob& blob, ByteView bytes) {
  if (blob.check && blob_id(bytes) != blob.id)
    return {false,
            {"E113", "these bytes are not blob " + to_hex(blob.id).substr(0, 16),
             "their hash is another", "send them again, or name them by their own hash"}};
  return kept(put(self, blob.id, bytes));
}

Kept keep(Self self, const KeepBlob& blob) {
  if (!blob.bytes->fd)
    return keep_bytes(self, blob, blob.bytes->bytes);
  const auto contents = Contents::of(copy_of(*blob.bytes));
  return contents ? keep_bytes(self, blob, contents->bytes()) : Kept{false, contents.error()};
}

Kept keep_pieces(Self self, const KeepPieces& what) {
  const auto contents = Contents::of(copy_of(*what.pieces));
  if (!contents)
    return {false, contents.error()};
  const auto released = self->state.released.find(what.job);
  const bool late = released != self->state.released.end();
  if (late)
    released->second.since = now(self);
  std::uint64_t at = 0;
  for (const auto& [id, size] : what.rows) {
    if (!late || released->second.keep)
      pin(self, what.job, id);
    if (auto written = put(self, id, contents->bytes().subspan(at, size)); !written)
      return kept(written);
    at += size;
  }
  return {true, {}};
}

void pin_done(Self self, const JobId& job, const std::vector<BlockResult>& done) {
  for (const auto& [block, partial] : done)
    if (partial.size > partial_inline_bytes_max)
      pin_for(self, job, partial.digest);
}

// Of a round that is over: its state and partials are of no more use to anybody. What its job was
// given is pinned for that, too.
void drop_all(Self self, const JobId& round) {
  auto& s = self->state;
  if (const auto needed = s.needed.extract(round); !needed.empty())
    for (const auto& blob : needed.mapped())
      s.blobs->drop(blob);
}

Kept accept(Self self, const AcceptJob& job) {
  for (const auto& input : job.spec->spec.inputs)
    pin_for(self, job.spec->id, input.blob);
  const auto written = write_journal(self, [&](Journal& journal) {
    return journal.job_accepted(job.spec->id, Codec::envelope_bytes(job.spec->seal),
                                job.submission ? &*job.submission : nullptr);
  });
  if (!written)
    unpin_all(self, job.spec->id);
  return kept(written);
}

// A full disk is waited out, as a block's is. Without its job, which ended meanwhile, there is no
// round.
void begin_round(Self self, const BeginRound& begin, const caf::actor& who) {
  auto& s = self->state;
  const auto &id = begin.round->id, &job = begin.round->spec.parent;
  if (s.journal->is_over(job))
    return;
  for (const auto& input : begin.round->spec.inputs)
    pin_for(self, id, input.blob);
  const auto& state = begin.state;
  const bool kept = state.bytes.empty() || put(self, state.digest, state.bytes).ok();
  const auto summary = s.codec->encode(JobAnswer{0, begin.told.root, {begin.told}});
  const auto envelope = Codec::envelope_bytes(begin.round->seal);
  if (!kept || !write_journal(self, [&](Journal& journal) {
        return journal.round_begun(job, summary, id, envelope, begin.before, begin.log);
      })) {
    self->delayed_anon_send(caf::actor_cast<caf::actor>(self), disk_patience, begin, who);
    return;
  }
  drop_all(self, begin.before);
  tell(who, RoundBegun{id});
}

// A full disk is waited out: the job's blocks stay in its own care until they are journaled, or
// until its end is, which may overtake them.
void journal(Self self, const JournalFor& what, const caf::actor& who) {
  if (self->state.journal->is_over(what.job)) {
    tell(who, Journaled{what.blocks.sequence});
    return;
  }
  pin_done(self, what.job, what.blocks.done);
  const auto written = write_journal(self, [&](Journal& journal) {
    return journal.blocks_done(what.job, what.blocks.done, what.blocks.holders, what.blocks.log);
  });
  if (written)
    tell(who, Journaled{what.blocks.sequence});
  else
    self->delayed_anon_send(caf::actor_cast<caf::actor>(self), disk_patience, what, who);
}

// Done with, as the journal keeps it: its blocks go, its result stays. A full disk is waited out,
// and nobody hears of the end before it is written.
void ended(Self self, const JournalEnd& end) {
  auto& s = self->state;
  const auto& status = end.status;
  JournaledJob job;
  job.id = status.spec->id;
  job.state = status.state;
  job.ended_ms = unix_ms();
  job.error = status.error;
  job.result = status.result;
  job.result_size = status.result_size;
  job.summary = s.codec->encode(JobAnswer{0, status.root, {status}});
  job.log = end.log;
  const bool done = status.state == JobState::done;
  if (done)
    pin_for(self, job.id, status.result);
  const bool kept_result = !done || end.result.size > partial_inline_bytes_max ||
                           put(self, status.result, end.result.bytes).ok();
  if (!kept_result ||
      !write_journal(self, [&](Journal& journal) { return journal.job_ended(job, end.round); })) {
    self->delayed_anon_send(caf::actor_cast<caf::actor>(self), disk_patience, end);
    return;
  }
  if (done)
    for (const auto& blob : result_blobs(status.result, *s.blobs))
      s.blobs->pin(blob);
  drop_all(self, end.round);
  over(self, job.id, false);
  tell(s.wiring->api, JobNews{status, true});
}

// Done blocks count only while their bytes are here, or with others.
std::vector<BlockResult> held(Self self, std::vector<BlockResult> done, const Holders& holders) {
  auto& blobs = *self->state.blobs;
  std::erase_if(done, [&](const BlockResult& r) {
    if (!holders.contains(r.partial.digest) && !all_under_here(r.partial, blobs))
      return true;
    const auto needed = partial_blobs(r.partial, blobs);
    return !std::all_of(needed.begin(), needed.end(),
                        [&](const BlobId& blob) { return blobs.intact(blob); });
  });
  return done;
}

// As it was told last, if it has ended.
JobStatus status_of(Self self, const JournaledJob& job, const SpecPtr& spec) {
  const auto& s = self->state;
  auto told = s.codec->decode(s.self, job.summary);
  if (auto* message = std::get_if<Message>(&told))
    if (auto* answer = std::get_if<JobAnswer>(message); answer && answer->jobs.size() == 1)
      return std::move(answer->jobs.front());
  JobStatus status;
  status.spec = spec;
  status.root = s.self;
  status.state = job.state;
  status.error = job.error;
  status.result = job.result;
  status.result_size = job.result_size;
  return status;
}

// --- What time takes: results nobody fetched, blobs nobody used; and who used this machine

// Its result's blobs were pinned once for it.
void unpin_result(Self self, const ExpiredJob& job) {
  if (job.state != JobState::done)
    return;
  auto& blobs = *self->state.blobs;
  for (const auto& blob : result_blobs(job.result, blobs))
    blobs.unpin(blob);
}

// A journal that cannot be written forgets later.
void expire(Self self) {
  auto& s = self->state;
  const auto now_ms = unix_ms();
  s.blobs->at(now_ms / 1000);
  const auto keep_ms = std::chrono::milliseconds(s.results_keep).count();
  const auto old = s.journal->expire(now_ms - keep_ms, now_ms);
  if (old && !old->empty()) {
    for (const auto& job : *old)
      unpin_result(self, job);
    tell(s.wiring->api, JobsExpired{*old});
  }
  s.blobs->forget_unused_since(now_ms / 1000 - s.blobs_keep.count());
}

// What is not written now is written the next time.
void save_usage(Self self) {
  auto& s = self->state;
  auto book = s.usage;
  const auto unsaved = book.unsaved(unix_ms());
  if (!unsaved.rows.empty() && s.journal->save_usage(unsaved))
    s.usage = std::move(book);
}

void housekeep(Self self) {
  auto& s = self->state;
  save_usage(self);
  expire(self);
  [[maybe_unused]] const auto later = s.journal->checkpoint(); // Else the next time.
  const auto soon = std::min(s.results_keep, s.blobs_keep) / 4;
  self->delayed_send(
      self, std::clamp<std::chrono::seconds>(soon, std::chrono::seconds(1), housekeep_every),
      tick_atom_v);
}

// An api that is new hears what is no more.
void wire(Self self, WiringPtr& wiring) {
  auto& s = self->state;
  const auto before = std::exchange(s.wiring, std::move(wiring));
  if (before->api == s.wiring->api)
    return;
  if (auto expired = s.journal->expired(); expired && !expired->empty())
    tell(s.wiring->api, JobsExpired{std::move(*expired)});
}

Roots roots(Self self) {
  Roots answer;
  auto jobs = self->state.journal->jobs();
  if (!jobs)
    throw std::runtime_error(to_text(jobs.error()));
  auto submissions = self->state.journal->submissions();
  if (!submissions)
    throw std::runtime_error(to_text(submissions.error()));
  answer.submissions = std::move(*submissions);
  for (auto& job : *jobs) {
    const auto seal = self->state.codec->envelope(job.envelope);
    const auto spec = seal ? self->state.codec->open_spec(*seal) : nullptr;
    if (!spec)
      continue; // Of another mesh, before this folder was moved.
    job.done = held(self, std::move(job.done), job.holders);
    for (const auto& blob : needed_blobs(job, spec->spec, *self->state.blobs))
      if (job.ended_ms > 0)
        self->state.blobs->pin(blob);
      else
        pin_for(self, job.id, blob);
    answer.roots.push_back({status_of(self, job, spec), std::move(job.done), std::move(job.holders),
                            std::move(job.log)});
  }
  return answer;
}

LogAnswer log_of(Self self, const LogAsk& ask) {
  auto log = self->state.journal->log(ask.job);
  return log ? LogAnswer{std::move(*log), {}} : LogAnswer{{}, log.error()};
}

// Whoever lets a job go, by hand or by its age: the one way.
Kept forget(Self self, const ForgetJob& what) {
  auto& s = self->state;
  if (!s.journal->is_over(what.job))
    return {false,
            {"E464", "job " + to_hex(what.job).substr(0, 12) + " still runs",
             "only jobs that have ended are forgotten", "tessera cancel it first"}};
  const auto kept = s.journal->result_of(what.job);
  if (!kept)
    return {false, kept.error()};
  const auto blobs = *kept ? result_blobs(**kept, *s.blobs) : std::vector<BlobId>{};
  if (auto gone = s.journal->forget(what.job); !gone)
    return {false, gone.error()};
  for (const auto& blob : blobs)
    s.blobs->unpin(blob);
  return {true, {}};
}

} // namespace

caf::behavior store_actor(Self self, StoreSetup setup, WiringPtr wiring) {
  auto& s = self->state;
  auto opened = Journal::open(setup.journal);
  if (!opened)
    throw std::runtime_error(to_text(opened.error()));
  auto blobs = Blobs::open(setup.blobs, setup.quota_bytes);
  if (!blobs)
    throw std::runtime_error(to_text(blobs.error()));
  s.journal.emplace(std::move(*opened));
  s.blobs.emplace(std::move(*blobs));
  s.codec = std::move(setup.codec);
  s.self = setup.self;
  s.results_keep = setup.results_keep;
  s.blobs_keep = setup.blobs_keep;
  if (const auto saved = s.journal->usage())
    s.usage = UsageBook{*saved};
  s.wiring = std::move(wiring);
  s.blobs->at(unix_ms() / 1000);
  self->delayed_send(self, std::chrono::seconds(1), tick_atom_v); // Once what jobs need is pinned.
  return {
      [=](const PullFor& want) {
        pull_for(self, want, caf::actor_cast<caf::actor>(self->current_sender()));
      },
      [=](const PullFor& want, caf::actor& who) { pull_for(self, want, std::move(who)); },
      [=](const CopyFor& want) {
        copy_for(self, want, caf::actor_cast<caf::actor>(self->current_sender()));
      },
      [=](const BlobHere& here) { copy_told(self, here.blob, true, here.pulled_bytes); },
      [=](const BlobGone& gone) { copy_told(self, gone.blob, false, 0); },
      [=](const KeepPieces& pieces) { return keep_pieces(self, pieces); },
      [=](const ReleaseJob& what) { release(self, what); },
      [=](const FromPeer& letter) { from_peer(self, letter); },
      [=](const FilesAsk& ask) { return files(self, ask); },
      [=](const KeepBlob& blob) { return keep(self, blob); },
      [=](const AcceptJob& job) { return accept(self, job); },
      [=](const JournalFor& what) {
        journal(self, what, caf::actor_cast<caf::actor>(self->current_sender()));
      },
      [=](const JournalFor& what, const caf::actor& who) { journal(self, what, who); },
      [=](const BeginRound& begin) {
        begin_round(self, begin, caf::actor_cast<caf::actor>(self->current_sender()));
      },
      [=](const BeginRound& begin, const caf::actor& who) { begin_round(self, begin, who); },
      [=](const JournalEnd& end) { ended(self, end); },
      [=](RootsAsk) { return roots(self); },
      [=](const LogAsk& ask) { return log_of(self, ask); },
      [=](const ForgetJob& what) { return forget(self, what); },
      [=](const UsedFor& used) {
        self->state.usage.add(used.submitter, used.job, used.kernel, used.usage, unix_ms());
      },
      [=](UsageAsk) { return UsageTold{self->state.usage.told(unix_ms())}; },
      [=](tick_atom) { housekeep(self); },
      [=](BlobCountAsk) {
        const auto& blobs = *self->state.blobs;
        return BlobCount{blobs.count(), blobs.bytes_used(), blobs.quota_bytes()};
      },
      [=](const SavePeers& save) { // A loss costs a slower start.
        [[maybe_unused]] const auto kept = self->state.journal->save_peers(save.peers);
      },
      [=](const SavePause& save) -> Kept {
        const auto kept = self->state.journal->save_pause(save.pause);
        return kept ? Kept{true, {}} : Kept{false, kept.error()};
      },
      [=](const PeerNews& news) {
        if (news.kind != PeerNews::Kind::up)
          perform(self, self->state.pulls.gone(news.peer, now(self)));
      },
      [=](WiringPtr& wiring) { wire(self, wiring); },
      [=](wake_atom) {
        if (woken(self, self->state.armed))
          perform(self, self->state.pulls.wake(now(self)));
      },
  };
}

} // namespace tessera
