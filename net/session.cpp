#include "net/session.hpp"

#include "crypto/little_endian.hpp"
#include "net/frames.hpp"
#include "net/lanes.hpp"

#include <algorithm>
#include <cassert>
#include <limits>
#include <random>

// Bytes on the wire, behind the handshake (crypto/handshake.cpp). Numbers are little-endian.
//
// frame, 2 + n bytes, at most 65,535 in all:
//    0  2   n: 17 to 65,533
//    2  n   ChaCha20-Poly1305 of the plaintext, the two bytes of n as associated data; the nonce is
//           4 zero bytes and the number of the frame in its direction, a u64 from 0. The keys are
//           those of Noise's Split(). After frame 65,535, 131,071, ... of a direction its key is
//           changed by Noise's REKEY; the nonce counts on.
//
// plaintext, a kind and what it says:
//    0  1   kind
//   0-7     piece of a message: bit 0 lane (0 control, 1 bulk), bit 1 first, bit 2 last
//           u32 size of the whole message, on the first only; then the bytes of this piece, at
//           least one but in an empty message
//    8      ping: u64, above those before; answered, or only the newest of several
//    9      pong: u64 of the ping
//   10      credit: u64, the bytes of bulk that its receiver may send since the session began;
//           never less than before. It starts at 0
//   11      close: why, at most 256 bytes of text. Nothing follows
//
// Each lane's messages come whole and in order; pieces of the two lanes may alternate. A bulk
// message costs its bytes and 64 more of credit, the latter with its first piece. Each side pings
// once a second.
namespace tessera {

namespace {

constexpr std::uint8_t kind_ping = 8, kind_pong = 9, kind_credit = 10, kind_close = 11;
constexpr auto unlimited = std::numeric_limits<std::size_t>::max();
constexpr std::size_t why_bytes_max = 256;
constexpr std::size_t pings_remembered_max = 16; // Older ones are answered too late to be timed.
constexpr std::size_t mailbox_overhead_bytes = 1024; // Of one message; a guess.

// A stranger's words may end up on a terminal.
std::string printable(ByteView bytes) {
  std::string text{text_of(bytes)};
  std::ranges::replace_if(
      text, [](unsigned char c) { return c < 0x20 || c > 0x7e; }, '?');
  return text;
}

std::string in_seconds(Duration d) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
  return ms % 1000 ? std::to_string(ms) + " ms" : std::to_string(ms / 1000) + " s";
}

// Messages of one lane that the owner holds, and gives back in any portions.
struct Held {
  std::deque<std::size_t> sizes;
  std::size_t bytes = 0;
  std::size_t consumed_of_first = 0;

  void add(std::size_t size) {
    sizes.push_back(size);
    bytes += size;
  }
  // What those cost that the owner is done with now.
  std::size_t consume(std::size_t size) {
    std::size_t freed = 0;
    consumed_of_first += size;
    for (; !sizes.empty() && consumed_of_first >= sizes.front(); sizes.pop_front()) {
      consumed_of_first -= sizes.front();
      bytes -= sizes.front();
      freed += sizes.front() + message_overhead_bytes;
    }
    assert(!sizes.empty() || consumed_of_first == 0);
    return freed;
  }
};

} // namespace

struct Session::Machine {
  enum class State { handshaking, open, closing, closed };
  using News = std::vector<SessionNews>;

  SessionLimits limits;
  State state = State::handshaking;
  std::optional<Handshake> handshake;
  std::uint64_t seed;
  Time handshake_until;
  FrameReader reader;
  FrameWriter writer;
  Counters counters;

  // Out: what the handshake says, then these in this order, then `close`.
  Bytes handshake_out;
  std::optional<std::uint64_t> pong;
  bool credit_due = false, ping_due = false;
  OutLane control_out{Lane::control}, bulk_out{Lane::bulk};
  std::optional<std::string> close_out;

  // In.
  InLane control_in, bulk_in;
  Held control_held, bulk_held;

  // Credit, in bytes since the session began.
  std::uint64_t may_send = 0, sent = 0;
  std::uint64_t granted = 0, received = 0;
  std::uint64_t freed = 0; // Of what was received: the owner is done with it.

  // What was booked of a rate, and from when on it may be had.
  struct Booking {
    std::size_t bytes;
    Time at;
  };
  std::optional<Booking> up_booked, down_booked;
  std::size_t may_go = 0; // Of bulk, where there is an upload rate.

  Budget::Share share; // All of the above that holds messages.

  // Signs of life.
  bool deaf = false; // When we last looked.
  Time heard_at, suspected_at, next_ping, renew_at;
  bool suspected = false;
  std::uint64_t pings_sent = 0, pings_answered = 0;
  std::deque<Time> ping_times; // Of the last pings up to number pings_sent.
  std::optional<Duration> rtt;

  Machine(HandshakeConfig config, SessionLimits l, std::uint64_t s, Time now)
      : limits(l), handshake(std::move(config)), seed(s),
        handshake_until(now + l.handshake_deadline), share(l.budget) {
    handshake_out = handshake->start();
  }

  bool live() const { return state == State::open || state == State::closing; }
  std::size_t mailbox_bytes() const {
    return (control_held.sizes.size() + bulk_held.sizes.size()) * mailbox_overhead_bytes;
  }
  std::size_t held_bytes() const { return control_held.bytes + bulk_held.bytes + mailbox_bytes(); }
  std::size_t outbox_bytes() const { return control_out.cost() + bulk_out.cost(); }
  // Not by what is half here, nor by the outbox: those may need more input to go.
  bool choked() const {
    return live() && (control_held.bytes + mailbox_bytes() > limits.held_bytes_max ||
                      !share.may_hold(held_bytes()));
  }
  // Twice the longest message: else a half of it could wait for credit that nobody can give.
  std::uint64_t window() const {
    return std::max(limits.credit_bytes, 2 * (limits.message_bytes_max + message_overhead_bytes));
  }

  Duration renewal() const;
  void count();
  void listen(Time now);
  void judge_silence(Time now, News& news);

  void end(std::string why, News& news);
  void violated(std::string why, News& news);
  void outlived(News& news);

  void shake(ByteView bytes, Time now, News& news);
  void open(PeerHello peer, Time now, News& news);
  void read(ByteView bytes, Time now, News& news);
  void heard(Time now, News& news);
  void got(ByteView plaintext, Time now, News& news);
  void got_piece(ByteView plaintext, News& news);
  void got_number(std::uint8_t kind, std::uint64_t number, Time now, News& news);
  void got_pong(std::uint64_t number, Time now, News& news);

  void give_back();
  bool write_frame(Bytes& out, Time now);
  void write_number(std::uint8_t kind, std::uint64_t number, Bytes& out);
  void write_piece(OutLane& lane, std::size_t budget, Bytes& out);
  void write_close(Bytes& out);
  void pace(Time now);
  void pace_upload(Time now);
  void pace_download(Time now);
  std::size_t credit_left() const { return std::size_t(may_send - sent); }
  // Of bulk: what may go now.
  std::size_t bulk_budget() const {
    return limits.upload ? std::min(credit_left(), may_go) : credit_left();
  }
  bool queues_empty() const { return !control_out.cost() && !bulk_out.cost(); }
  bool close_ready() const { return close_out && queues_empty(); }
  bool has_output() const;

  Time dead_at() const;
};

// From the last quarter of what is allowed.
Duration Session::Machine::renewal() const {
  const auto spread = std::uint64_t(limits.renew_within.count()) / 4 + 1;
  return limits.renew_within - Duration(std::mt19937_64{seed}() % spread);
}

// After whatever changed what is held.
void Session::Machine::count() {
  share.hold(held_bytes() + control_in.bytes() + bulk_in.bytes() + outbox_bytes());
}

// While we were deaf they may have spoken: their silence begins when we are not.
void Session::Machine::listen(Time now) {
  if (std::exchange(deaf, choked()) && !deaf)
    heard_at = now;
}

void Session::Machine::judge_silence(Time now, News& news) {
  if (suspected && dead_at() <= now) {
    end("silent for " + in_seconds(limits.dead_after), news);
  } else if (!suspected && heard_at + limits.suspect_after <= now) {
    suspected = true;
    suspected_at = now;
    if (state == State::open)
      news.push_back(Suspected{});
  }
}

// The session is over. What stands in the output may still be written: the peer's reasons.
void Session::Machine::end(std::string why, News& news) {
  state = State::closed;
  handshake.reset();
  control_in = bulk_in = {};
  control_out.clear();
  bulk_out.clear();
  pong.reset();
  credit_due = ping_due = false;
  news.push_back(SessionDown{std::move(why)});
}

// One fault of any kind ends it; the peer is told which.
void Session::Machine::violated(std::string why, News& news) {
  close_out = why;
  end(std::move(why), news);
}

// The handshake is too old. Control that waits still goes; bulk might wait for credit, and does
// not.
void Session::Machine::outlived(News& news) {
  state = State::closed;
  control_in = bulk_in = {};
  bulk_out.clear();
  close_out = "a new handshake is due";
  news.push_back(SessionDown{*close_out});
}

void Session::Machine::shake(ByteView bytes, Time now, News& news) {
  auto progress = handshake->received(bytes);
  put(handshake_out, progress.reply);
  if (auto* closed = std::get_if<Closed>(&progress.outcome))
    end(std::move(closed->why), news);
  else if (auto* peer = std::get_if<PeerHello>(&progress.outcome))
    open(std::move(*peer), now, news);
}

void Session::Machine::open(PeerHello peer, Time now, News& news) {
  const auto ciphers = handshake->split();
  const auto leftover = handshake->leftover();
  handshake.reset();
  writer = FrameWriter{ciphers.send, limits.rekey_frames};
  reader = FrameReader{ciphers.receive, limits.rekey_frames};
  state = State::open;
  heard_at = now;
  if (!limits.download) {
    granted = window();
    credit_due = true;
  }
  ping_due = true; // At once: the owner wants to know how far it is.
  next_ping = now + limits.ping_every;
  renew_at = now + renewal();
  news.push_back(SessionUp{std::move(peer)});
  read(leftover, now, news);
}

void Session::Machine::read(ByteView bytes, Time now, News& news) {
  while (live()) {
    const auto plaintext = reader.next(bytes);
    if (!plaintext)
      break;
    heard(now, news);
    got(*plaintext, now, news);
  }
  if (live() && !reader.fault().empty())
    violated(std::string{reader.fault()}, news);
}

void Session::Machine::heard(Time now, News& news) {
  heard_at = now;
  if (!suspected)
    return;
  suspected = false;
  if (state == State::open)
    news.push_back(Heard{});
}

void Session::Machine::got(ByteView plaintext, Time now, News& news) {
  const auto kind = plaintext[0];
  const auto body = plaintext.subspan(1);
  if (kind < kind_ping)
    got_piece(plaintext, news);
  else if (kind < kind_close && body.size() == sizeof(std::uint64_t))
    got_number(kind, get<std::uint64_t>(body, 0), now, news);
  else if (kind == kind_close && body.size() <= why_bytes_max)
    end("they closed: " + printable(body), news);
  else
    violated("an unknown or misshapen frame", news);
}

void Session::Machine::got_piece(ByteView plaintext, News& news) {
  const auto piece = parse_piece(plaintext);
  if (!piece)
    return violated("a piece without its size", news);
  const bool bulk = piece->lane == Lane::bulk;
  if (bulk && piece->cost() > granted - received)
    return violated("more bulk than we gave credit for", news);
  received += bulk ? piece->cost() : 0;
  auto taken = (bulk ? bulk_in : control_in).take(*piece, limits.message_bytes_max);
  if (auto* closed = std::get_if<Closed>(&taken))
    return violated(std::move(closed->why), news);
  auto* message = std::get_if<Bytes>(&taken);
  if (!message || state != State::open)
    return;
  ++counters.messages_in;
  (bulk ? bulk_held : control_held).add(message->size());
  news.push_back(MessageIn{std::move(*message), piece->lane});
}

void Session::Machine::got_number(std::uint8_t kind, std::uint64_t number, Time now, News& news) {
  if (kind == kind_ping) {
    pong = number;
  } else if (kind == kind_pong) {
    got_pong(number, now, news);
  } else if (number < may_send) {
    violated("credit was taken back", news);
  } else {
    may_send = number;
  }
}

// Smoothed as TCP's is (RFC 6298).
void Session::Machine::got_pong(std::uint64_t number, Time now, News& news) {
  if (number <= pings_answered || number > pings_sent)
    return violated("an answer to no ping", news);
  pings_answered = number;
  const auto ago = pings_sent - number;
  if (ago >= ping_times.size())
    return;
  const auto sample = now - ping_times[ping_times.size() - 1 - std::size_t(ago)];
  rtt = rtt ? (*rtt * 7 + sample) / 8 : sample;
}

// Batched: half a window at a time. Where there is a download rate, that says how much.
void Session::Machine::give_back() {
  if (limits.download)
    return;
  const auto fresh = freed + window();
  if (fresh - granted < window() / 2)
    return;
  granted = fresh;
  credit_due = true;
}

void Session::Machine::pace(Time now) {
  if (limits.upload && live())
    pace_upload(now);
  if (limits.download && state == State::open)
    pace_download(now);
}

// Bulk that has credit gets its portions one by one.
void Session::Machine::pace_upload(Time now) {
  for (;;) {
    if (up_booked && up_booked->at <= now)
      may_go += std::exchange(up_booked, {})->bytes;
    if (up_booked || !bulk_out.ready(credit_left()) || bulk_out.ready(bulk_budget()))
      return;
    const auto portion = limits.upload->portion();
    up_booked = {portion, limits.upload->book(portion, now)};
  }
}

// Credit beyond what the owner let go of is not to be had; nor much more than comes in soon.
void Session::Machine::pace_download(Time now) {
  for (;;) {
    if (down_booked && down_booked->at <= now) {
      granted += std::exchange(down_booked, {})->bytes;
      credit_due = true;
    }
    const auto portion = limits.download->portion();
    const auto unused = granted - received;
    if (down_booked || unused + portion > limits.download->ahead() ||
        granted + portion > freed + window())
      return;
    down_booked = {portion, limits.download->book(portion, now)};
  }
}

void Session::Machine::write_number(std::uint8_t kind, std::uint64_t number, Bytes& out) {
  Bytes plaintext{kind};
  put(plaintext, number);
  writer.write(plaintext, out);
}

void Session::Machine::write_piece(OutLane& lane, std::size_t budget, Bytes& out) {
  const auto cut = lane.next(budget);
  writer.write(cut.plaintext, out);
  counters.messages_out += cut.last;
  if (&lane != &bulk_out)
    return;
  sent += cut.cost;
  may_go -= limits.upload ? cut.cost : 0;
}

void Session::Machine::write_close(Bytes& out) {
  Bytes plaintext{kind_close};
  put(plaintext, view(*close_out).first(std::min(close_out->size(), why_bytes_max)));
  writer.write(plaintext, out);
  close_out.reset();
  state = State::closed;
}

// Appends the frame that should go next; false if none may.
bool Session::Machine::write_frame(Bytes& out, Time now) {
  if (pong) {
    write_number(kind_pong, *std::exchange(pong, {}), out);
  } else if (std::exchange(credit_due, false)) {
    write_number(kind_credit, granted, out);
  } else if (std::exchange(ping_due, false)) {
    write_number(kind_ping, ++pings_sent, out);
    ping_times.push_back(now);
    if (ping_times.size() > pings_remembered_max)
      ping_times.pop_front();
  } else if (control_out.ready(unlimited)) {
    write_piece(control_out, unlimited, out);
  } else if (bulk_out.ready(bulk_budget())) {
    write_piece(bulk_out, bulk_budget(), out);
  } else if (close_ready()) {
    write_close(out);
  } else {
    return false;
  }
  return true;
}

bool Session::Machine::has_output() const {
  return !handshake_out.empty() || pong || credit_due || ping_due || control_out.cost() ||
         bulk_out.ready(bulk_budget()) || close_ready();
}

// Suspicion comes first, however late we wake: our own pause is not their silence.
Time Session::Machine::dead_at() const {
  return std::max(heard_at, suspected_at - limits.suspect_after) + limits.dead_after;
}

Session::Session(HandshakeConfig handshake, SessionLimits limits, std::uint64_t seed, Time now)
    : machine_(std::make_unique<Machine>(std::move(handshake), limits, seed, now)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

std::vector<SessionNews> Session::received(ByteView bytes, Time now) {
  auto& m = *machine_;
  std::vector<SessionNews> news;
  m.counters.bytes_in += bytes.size();
  const auto bulk = m.received;
  if (m.state == Machine::State::handshaking)
    m.shake(bytes, now, news);
  else if (m.live())
    m.read(bytes, now, news);
  if (m.limits.download) // Bulk was booked before it came.
    m.limits.download->spend(bytes.size() - std::min<std::size_t>(bytes.size(), m.received - bulk),
                             now);
  m.count();
  m.listen(now);
  m.pace(now);
  return news;
}

bool Session::send(Bytes message, Lane lane, Time now) {
  auto& m = *machine_;
  if (m.state != Machine::State::open || message.size() > m.limits.message_bytes_max ||
      m.limits.outbox_bytes_max < m.outbox_bytes() + message.size() + message_overhead_bytes ||
      !m.share.may_hold(m.outbox_bytes() + message.size() + message_overhead_bytes))
    return false;
  (lane == Lane::bulk ? m.bulk_out : m.control_out).push(std::move(message));
  m.count();
  m.pace(now);
  return true;
}

void Session::consumed(std::size_t bytes, Lane lane, Time now) {
  auto& m = *machine_;
  if (lane == Lane::bulk)
    m.freed += m.bulk_held.consume(bytes);
  else
    m.control_held.consume(bytes);
  m.count();
  m.listen(now);
  if (m.state == Machine::State::open)
    m.give_back();
  m.pace(now);
}

bool Session::wants_input() const {
  return !machine_->choked();
}

Bytes Session::take_output(std::size_t bytes_max, Time now) {
  auto& m = *machine_;
  auto out = std::exchange(m.handshake_out, {});
  const auto waiting = m.control_out.cost() + std::min(m.bulk_out.cost(), m.bulk_budget());
  const auto bulk = m.sent;
  out.reserve(out.size() + std::min(bytes_max, waiting) + 256);
  while (out.empty() || out.size() + frame_bytes_max <= bytes_max)
    if (!m.write_frame(out, now))
      break;
  m.counters.bytes_out += out.size();
  if (m.limits.upload) // Bulk was booked before it goes.
    m.limits.upload->spend(out.size() - std::min<std::size_t>(out.size(), m.sent - bulk), now);
  m.count();
  m.pace(now);
  return out;
}

bool Session::has_output() const {
  return machine_->has_output();
}

void Session::close(std::string why) {
  auto& m = *machine_;
  if (m.state == Machine::State::open) {
    m.state = Machine::State::closing;
    m.close_out = std::move(why);
  } else if (m.state == Machine::State::handshaking) {
    m.state = Machine::State::closed;
    m.handshake_out.clear();
  }
}

bool Session::closed() const {
  return machine_->state == Machine::State::closed;
}

std::optional<Time> Session::next_wake() const {
  const auto& m = *machine_;
  if (m.state == Machine::State::handshaking)
    return m.handshake_until;
  if (!m.live())
    return {};
  auto next = std::min(m.next_ping, m.renew_at);
  for (const auto& booked : {m.up_booked, m.down_booked})
    if (booked)
      next = std::min(next, booked->at);
  if (m.choked())
    return next;
  const auto silent = m.suspected ? m.dead_at() : m.heard_at + m.limits.suspect_after;
  return std::min(silent, next);
}

std::vector<SessionNews> Session::wake(Time now) {
  auto& m = *machine_;
  Machine::News news;
  m.listen(now);
  if (m.state == Machine::State::handshaking && m.handshake_until <= now)
    m.end("the handshake took longer than " + in_seconds(m.limits.handshake_deadline), news);
  if (m.live() && m.renew_at <= now)
    m.outlived(news);
  if (m.live() && !m.deaf)
    m.judge_silence(now, news);
  if (m.live() && m.next_ping <= now) {
    m.ping_due = m.state == Machine::State::open;
    m.next_ping = now + m.limits.ping_every;
  }
  m.count();
  m.pace(now);
  return news;
}

std::optional<Duration> Session::rtt() const {
  return machine_->rtt;
}

std::size_t Session::outbox_bytes() const {
  return machine_->outbox_bytes();
}

Budget::Share Session::unreturned() {
  auto& m = *machine_;
  m.share.hold(m.held_bytes());
  return std::exchange(m.share, {});
}

Session::Counters Session::counters() const {
  return machine_->counters;
}

} // namespace tessera
