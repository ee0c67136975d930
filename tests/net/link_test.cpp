#include "net/asio/link.hpp"

#include "crypto/little_endian.hpp"
#include "tests/net/raw_peer.hpp"

#include <doctest/doctest.h>

#include <asio/executor_work_guard.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>
#include <asio/read.hpp>
#include <asio/write.hpp>

#include <sys/socket.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <random>
#include <thread>

using namespace tessera;
using namespace std::chrono_literals;
using asio::ip::tcp;

namespace {

constexpr auto patience = 2min; // For what must come; a sanitizer on a busy machine is slow.

// An io_context and the one thread that runs it.
struct Io {
  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
  std::thread thread{[this] { context.run(); }};

  ~Io() { stop(); }
  void stop() {
    context.stop();
    if (thread.joinable())
      thread.join();
  }
};

// What one link told, for the test's thread to wait on.
class Log {
public:
  // Called on the io thread with each news, before it is logged.
  std::function<void(const SessionNews&)> also;

  void add(SessionNews news) {
    if (also)
      also(news);
    const std::lock_guard lock{mutex_};
    news_.push_back(std::move(news));
    changed_.notify_all();
  }
  template<class Done>
  bool wait(Done done) {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, patience, [&] { return done(news_); });
  }
  bool wait_up() {
    return wait([](const auto& news) { return !news.empty(); }) && count<SessionUp>() == 1;
  }
  // Why it went down; empty if it did not.
  std::string wait_down() {
    wait([](const auto& news) {
      return !news.empty() && std::holds_alternative<SessionDown>(news.back());
    });
    const auto all = copy();
    const auto* down = all.empty() ? nullptr : std::get_if<SessionDown>(&all.back());
    return down ? down->why : "";
  }
  std::vector<SessionNews> copy() {
    const std::lock_guard lock{mutex_};
    return news_;
  }
  template<class News>
  std::size_t count() {
    const auto all = copy();
    return std::size_t(std::ranges::count_if(
        all, [](const SessionNews& n) { return std::holds_alternative<News>(n); }));
  }
  std::vector<Bytes> messages(Lane lane) {
    std::vector<Bytes> found;
    for (const auto& n : copy())
      if (const auto* in = std::get_if<MessageIn>(&n); in && in->lane == lane)
        found.push_back(in->message);
    return found;
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<SessionNews> news_;
};

using LogPtr = std::shared_ptr<Log>;

LinkEvents events_of(LogPtr log) {
  return {[log = std::move(log)](SessionNews n) { log->add(std::move(n)); }};
}

struct Met {
  std::shared_ptr<Link> link;
  LogPtr log;
};

// A node that listens, and keeps what it accepts. Its io thread may outlive it, and go on
// accepting.
class Host {
public:
  explicit Host(Io& io, SessionLimits limits = {}, const std::string& address = "127.0.0.1")
      : listener_(
            listen(
                io.context, address, 0,
                [](NoiseRole role, std::optional<NodeId>) { return handshake_of(role, 1, false); },
                limits,
                [guests = guests_](std::shared_ptr<Link> link) { return guests->meet(link); })
                .value()) {}

  std::uint16_t port() const { return listener_->port(); }
  void close() { listener_->close(); }

  // What links do with their news, besides logging them. To be set before anybody calls.
  void also(std::function<void(Link&, const SessionNews&)> act) { guests_->also = std::move(act); }

  Met wait(std::size_t index) {
    std::unique_lock lock{guests_->mutex};
    REQUIRE(guests_->changed.wait_for(lock, patience, [&] { return guests_->met.size() > index; }));
    return guests_->met[index];
  }
  std::size_t met() {
    const std::lock_guard lock{guests_->mutex};
    return guests_->met.size();
  }

private:
  struct Guests {
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<Met> met;
    std::function<void(Link&, const SessionNews&)> also;

    LinkEvents meet(std::shared_ptr<Link> link) {
      auto log = std::make_shared<Log>();
      if (also)
        log->also = [also = also, link = link.get()](const SessionNews& n) { also(*link, n); };
      const std::lock_guard lock{mutex};
      met.push_back({std::move(link), log});
      changed.notify_all();
      return events_of(log);
    }
  };

  std::shared_ptr<Guests> guests_ = std::make_shared<Guests>();
  std::unique_ptr<Listener> listener_;
};

Met call(Io& io, std::uint16_t port, SessionLimits limits = {}, std::uint8_t who = 2,
         const std::string& host = "127.0.0.1", LogPtr log = std::make_shared<Log>()) {
  auto link = dial(io.context, host, port, handshake_of(NoiseRole::initiator, who, false), limits,
                   events_of(log));
  return {link, log};
}

// A plain socket that may say anything; reads and writes block, with a limit.
class Stranger {
public:
  explicit Stranger(std::uint16_t port, const std::string& from = "127.0.0.1") : socket_(context_) {
    socket_.open(tcp::v4());
    socket_.bind({asio::ip::make_address(from), 0});
    const timeval limit{std::chrono::seconds(patience).count(), 0};
    setsockopt(socket_.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    socket_.connect({asio::ip::make_address("127.0.0.1"), port});
  }

  void say(ByteView bytes) {
    std::error_code ignored; // They may have closed already.
    asio::write(socket_, asio::buffer(bytes.data(), bytes.size()), ignored);
  }
  // Whether they closed, read until they do.
  bool closed() {
    std::array<std::uint8_t, 1000> bytes;
    std::error_code ec;
    while (!ec)
      socket_.read_some(asio::buffer(bytes), ec);
    return ec == asio::error::eof || ec == asio::error::connection_reset;
  }
  bool closed_by_now() {
    socket_.non_blocking(true);
    std::uint8_t byte;
    std::error_code ec;
    socket_.read_some(asio::buffer(&byte, 1), ec);
    return ec && ec != asio::error::would_block;
  }
  // Goes through the handshake, and then falls silent.
  void meet() {
    Handshake handshake{handshake_of(NoiseRole::initiator, 3, false)};
    say(handshake.start());
    for (bool met = false; !met;) {
      std::array<std::uint8_t, 1000> bytes;
      auto progress = handshake.received({bytes.data(), socket_.read_some(asio::buffer(bytes))});
      say(progress.reply);
      met = std::holds_alternative<PeerHello>(progress.outcome);
    }
  }

private:
  asio::io_context context_;
  tcp::socket socket_;
};

Bytes numbered(std::uint32_t number, std::size_t size) {
  Bytes bytes;
  put(bytes, number);
  bytes.resize(size, std::uint8_t(number));
  return bytes;
}

// Each news but the last is no SessionDown.
void check_one_down(Log& log) {
  const auto news = log.copy();
  CHECK(log.count<SessionDown>() == 1);
  CHECK(std::holds_alternative<SessionDown>(news.back()));
}

} // namespace

TEST_CASE("who dials and who listens meet, and messages go both ways") {
  for (const std::string name : {"127.0.0.1", "localhost"}) {
    Io io;
    Host host{io};
    const auto caller = call(io, host.port(), {}, 2, name);
    REQUIRE(caller.log->wait_up());
    const auto callee = host.wait(0);
    REQUIRE(callee.log->wait_up());
    CHECK(std::get<SessionUp>(caller.log->copy()[0]).peer.id == identity_of(1).id());
    CHECK(std::get<SessionUp>(callee.log->copy()[0]).peer.id == identity_of(2).id());
    CHECK(caller.link->remote() == "127.0.0.1:" + std::to_string(host.port()));
    CHECK(callee.link->remote().starts_with("127.0.0.1:"));

    CHECK(caller.link->send({1, 2}, Lane::control));
    CHECK(callee.link->send(Bytes(1 << 20, 3), Lane::bulk));
    CHECK_FALSE(callee.link->send(Bytes((1 << 20) + 1), Lane::bulk));
    CHECK(callee.log->wait([](const auto& news) { return news.size() == 2; }));
    CHECK(caller.log->wait([](const auto& news) { return news.size() == 2; }));
    CHECK(callee.log->messages(Lane::control) == std::vector(1, Bytes{1, 2}));
    CHECK(caller.log->messages(Lane::bulk) == std::vector(1, Bytes(1 << 20, 3)));
    CHECK(caller.link->counters().messages_in == 1);
    CHECK(callee.link->counters().messages_in == 1);
  }
}

TEST_CASE("100 MB of bulk go and come back whole, and control does not wait for them") {
  constexpr std::uint32_t messages = 100;
  constexpr std::size_t size = 1 << 20;
  Io near, far; // Two machines, as it were.
  Host host{far};
  host.also([](Link& link, const SessionNews& news) { // Echoes.
    if (const auto* in = std::get_if<MessageIn>(&news)) {
      link.send(in->message, in->lane);
      link.consumed(in->message.size(), in->lane);
    }
  });
  auto log = std::make_shared<Log>();
  std::shared_ptr<Link> link;
  std::uint32_t sent = 0, back = 0, wrong = 0, probes = 0;
  std::size_t bulk_at_probe = 0;
  std::vector<std::size_t> passed; // Bulk messages that came between a control one and its echo.
  const auto probe = [&] {
    bulk_at_probe = back;
    ++probes;
    link->send({1}, Lane::control);
  };
  const auto send_more = [&] { // Four are always under way.
    for (; sent < messages && sent < back + 4; ++sent)
      link->send(numbered(sent, size), Lane::bulk);
  };
  log->also = [&](const SessionNews& news) {
    if (const auto* in = std::get_if<MessageIn>(&news)) {
      link->consumed(in->message.size(), in->lane);
      if (in->lane == Lane::control) {
        passed.push_back(back - bulk_at_probe);
        if (back != messages)
          probe();
      } else {
        wrong += in->message != numbered(back, size);
        ++back;
        send_more();
      }
    }
  };
  link = call(near, host.port(), {}, 2, "127.0.0.1", log).link;
  REQUIRE(log->wait_up());
  asio::post(near.context, [&] {
    send_more();
    probe();
  });
  CHECK(log->wait([&](const auto& news) { return news.size() >= 1 + messages + probes; }));
  near.stop();
  CHECK(back == messages);
  CHECK(wrong == 0);
  // A control message and its echo wait behind what is in buffers, not behind the four.
  REQUIRE(passed.size() > messages / 4);
  std::ranges::sort(passed);
  CHECK(passed[passed.size() / 2] <= 3);
  MESSAGE("control round trips during 100 MB: ", passed.size(), ", bulk MB meanwhile: median ",
          passed[passed.size() / 2], ", most ", passed.back());
}

TEST_CASE("bulk that waits for its rate goes on by itself, and control passes it") {
  constexpr std::uint32_t messages = 10;
  auto limits = SessionLimits{};
  limits.ping_every = limits.suspect_after = limits.dead_after = 30min; // Nothing else wakes it.
  Io near, far;
  Host host{far, limits};
  limits.upload = std::make_shared<Rate>(1 << 20);
  const auto caller = call(near, host.port(), limits);
  REQUIRE(caller.log->wait_up());
  for (std::uint32_t i = 0; i != messages; ++i)
    REQUIRE(caller.link->send(numbered(i, 50'000), Lane::bulk));
  REQUIRE(caller.link->send(numbered(0, 10), Lane::control));
  const auto& callee = host.wait(0).log;
  REQUIRE(callee->wait([](const auto& news) { return news.size() == 1 + messages + 1; }));
  CHECK(std::get<MessageIn>(callee->copy().back()).lane == Lane::bulk);
  CHECK(callee->messages(Lane::bulk).size() == messages);
}

TEST_CASE("several threads may send: nothing is lost, and each one's order stays") {
  constexpr std::uint32_t threads = 4, each = 2000;
  Io near, far;
  Host host{far};
  host.also([](Link& link, const SessionNews& news) {
    if (const auto* in = std::get_if<MessageIn>(&news))
      link.consumed(in->message.size(), in->lane);
  });
  const auto caller = call(near, host.port());
  REQUIRE(caller.log->wait_up());
  std::vector<std::thread> senders;
  for (std::uint32_t t = 0; t != threads; ++t)
    senders.emplace_back([&, t] {
      for (std::uint32_t i = 0; i != each; ++i) {
        while (!caller.link->send(numbered(t * each + i, 100), Lane::control))
          std::this_thread::yield();
        caller.link->counters();
        caller.link->rtt();
        caller.link->remote();
      }
    });
  for (auto& s : senders)
    s.join();
  const auto callee = host.wait(0);
  REQUIRE(callee.log->wait([](const auto& news) { return news.size() == 1 + threads * each; }));
  std::array<std::uint32_t, threads> next{};
  for (const auto& message : callee.log->messages(Lane::control)) {
    const auto number = get<std::uint32_t>(message, 0);
    CHECK(number % each == next[number / each]++);
  }
}

TEST_CASE("the outbox of a link refuses beyond its bound, and takes again when it empties") {
  auto limits = SessionLimits{};
  limits.outbox_bytes_max = 3 << 20;
  Io near, far;
  Host host{far};
  const auto caller = call(near, host.port(), limits);
  REQUIRE(caller.log->wait_up());
  const auto callee = host.wait(0); // It consumes nothing: 4 MB of credit, and no more.
  // Three go and most of a fourth; behind its rest there is room for two, not for three.
  std::size_t taken = 0;
  const auto until = Clock::now() + patience;
  while ((caller.link->counters().bytes_out < limits.credit_bytes || taken < 6) &&
         Clock::now() < until)
    if (caller.link->send(Bytes(1 << 20), Lane::bulk))
      ++taken;
    else
      std::this_thread::yield();
  CHECK(taken == 6);
  CHECK_FALSE(caller.link->send(Bytes(1 << 20), Lane::bulk));
  CHECK(caller.link->send({1}, Lane::control));
  CHECK(callee.log->wait([](const auto& news) { return news.size() == 1 + 4; }));
  callee.link->consumed(3 << 20, Lane::bulk);
  CHECK(callee.log->wait([](const auto& news) { return news.size() == 1 + 7; }));
  CHECK(caller.link->send(Bytes(1 << 20), Lane::bulk));
}

TEST_CASE("a link whose owner holds too much reads no more, and goes on when it lets go") {
  constexpr std::uint32_t messages = 900;
  constexpr std::size_t size = 8 << 10;
  auto limits = SessionLimits{};
  limits.held_bytes_max = 100 << 10;
  limits.ping_every = 20ms;
  limits.suspect_after = 1s; // A busy machine is silent for a while, too.
  limits.dead_after = 3s;
  Io near, far;
  Host host{far, limits};
  const auto caller = call(near, host.port());
  REQUIRE(caller.log->wait_up());
  for (std::uint32_t i = 0; i != messages; ++i)
    REQUIRE(caller.link->send(numbered(i, size), Lane::control));
  const auto callee = host.wait(0);
  const auto held = [](const auto& news) { return news.size() * size > 100 << 10; };
  REQUIRE(callee.log->wait(held));
  // It still pings, for longer than the suspicion takes, and does not take its own deafness for the
  // peer's silence.
  const auto pinged = caller.link->counters().bytes_in + 60 * 27;
  const auto until = Clock::now() + patience;
  while (caller.link->counters().bytes_in < pinged && Clock::now() < until)
    std::this_thread::yield();
  const auto news = callee.log->copy();
  CHECK(callee.log->count<MessageIn>() == news.size() - 1);
  CHECK((news.size() - 1) * size <= (100 << 10) + (256 << 10)); // And what one read may bring.

  for (std::size_t done = 0; done != messages;) {
    REQUIRE(callee.log->wait([&](const auto& all) { return all.size() > 1 + done; }));
    for (const auto have = callee.log->messages(Lane::control).size(); done != have; ++done)
      callee.link->consumed(size, Lane::control);
  }
  const auto all = callee.log->messages(Lane::control);
  for (std::uint32_t i = 0; i != messages; ++i)
    CHECK(get<std::uint32_t>(all[i], 0) == i);
}

TEST_CASE("what is held of a link that is gone counts until its link is let go") {
  auto limits = SessionLimits{};
  limits.budget = std::make_shared<Budget>();
  auto near = std::make_unique<Io>();
  Io far;
  Host host{far};
  auto caller = call(*near, host.port(), limits);
  const auto callee = host.wait(0);
  REQUIRE(callee.log->wait_up());
  for (std::uint32_t i = 0; i != 5; ++i)
    REQUIRE(callee.link->send(numbered(i, 10'000), i % 2 ? Lane::bulk : Lane::control));
  REQUIRE(caller.log->wait([](const auto& news) { return news.size() == 1 + 5; }));
  callee.link->close("bye");
  REQUIRE(caller.log->wait_down() == "they closed: bye");
  near.reset(); // Its pump ends here at the latest.
  CHECK(limits.budget->used() == 5 * (10'000 + 1024));
  caller.link->consumed(10'000, Lane::control); // Too late to be told from the others.
  CHECK(limits.budget->used() == 5 * (10'000 + 1024));
  caller.link.reset();
  CHECK(limits.budget->used() == 0);
}

TEST_CASE("a link refuses at once what the budget of all sessions has no room for") {
  auto limits = SessionLimits{};
  limits.budget = std::make_shared<Budget>(1 << 20, 1000);
  Budget::Share others{limits.budget};
  Io near, far;
  Host host{far};
  const auto caller = call(near, host.port(), limits);
  REQUIRE(caller.log->wait_up());
  others.hold(1 << 20);
  CHECK_FALSE(caller.link->send(Bytes(1000), Lane::control));
  CHECK(caller.link->send(Bytes(500), Lane::control)); // The least share.
  CHECK(host.wait(0).log->wait([](const auto& news) { return news.size() == 2; }));
  others.hold(0);
  CHECK(caller.link->send(Bytes(1000), Lane::control));
}

TEST_CASE("a dial that finds nobody says so, once") {
  Io io;
  std::uint16_t port = 0;
  {
    asio::io_context other;
    tcp::acceptor closed{other, {asio::ip::make_address("127.0.0.1"), 0}};
    port = closed.local_endpoint().port();
  }
  const auto caller = call(io, port);
  CHECK(caller.log->wait_down() == "connection refused");
  CHECK(caller.log->copy().size() == 1);
  CHECK(caller.link->remote() == "127.0.0.1:" + std::to_string(port));
  CHECK_FALSE(caller.link->send({1}, Lane::control));
}

TEST_CASE("a dial that is never answered ends in time") {
  Io io;
  asio::io_context other;
  tcp::acceptor deaf{other, {asio::ip::make_address("127.0.0.1"), 0}};
  auto limits = SessionLimits{};
  limits.handshake_deadline = 100ms;
  const auto caller = call(io, deaf.local_endpoint().port(), limits);
  CHECK(caller.log->wait_down() == "the handshake took longer than 100 ms");
  CHECK(caller.log->copy().size() == 1);
}

TEST_CASE("garbage on the port is closed at once, and others do not notice") {
  Io io;
  Host host{io};
  const auto caller = call(io, host.port());
  REQUIRE(caller.log->wait_up());
  REQUIRE(host.wait(0).log->wait_up());
  std::mt19937_64 rng{7};
  for (std::size_t i = 0; i != 20; ++i) {
    INFO("stranger " << i);
    Bytes garbage(1 + rng() % 100'000);
    for (auto& b : garbage)
      b = std::uint8_t(rng());
    garbage[0] = 'G';
    Stranger stranger{host.port()};
    stranger.say(garbage);
    CHECK(stranger.closed());
    const auto met = host.wait(1 + i);
    CHECK(met.log->wait_down() == "they do not speak Tessera");
    CHECK(met.log->copy().size() == 1);
  }
  CHECK(caller.link->send({1}, Lane::control));
  CHECK(host.wait(0).log->wait([](const auto& news) { return news.size() == 2; }));
  CHECK(caller.log->copy().size() == 1);
}

TEST_CASE("a mismatch is told in words at both ends") {
  Io io;
  Host host{io};
  auto log = std::make_shared<Log>();
  auto other_mesh = handshake_of(NoiseRole::initiator, 2, false);
  other_mesh.mesh = digest_of("another mesh", {});
  dial(io.context, "127.0.0.1", host.port(), other_mesh, {}, events_of(log));
  CHECK(log->wait_down() == "they are in another mesh");
  CHECK(host.wait(0).log->wait_down() == "they are in another mesh");
}

TEST_CASE("who drags its handshake out is cut, and its place is free again") {
  auto limits = SessionLimits{};
  limits.handshake_deadline = 300ms;
  Io io;
  Host host{io, limits};
  std::deque<Stranger> slow;
  for (int i = 0; i != 4; ++i) {
    slow.emplace_back(host.port());
    slow.back().say(view("tessera"));
  }
  for (auto& stranger : slow)
    CHECK(stranger.closed());
  for (std::size_t i = 0; i != 4; ++i)
    CHECK(host.wait(i).log->wait_down() == "the handshake took longer than 300 ms");
  // This deadline may be too short for a good handshake on a busy machine.
  const auto until = Clock::now() + patience;
  bool up = false;
  while (!up && Clock::now() < until) {
    const auto caller = call(io, host.port());
    REQUIRE(caller.log->wait([](const auto& news) { return !news.empty(); }));
    up = caller.log->count<SessionUp>() == 1;
  }
  CHECK(up);
}

TEST_CASE("four handshakes of one address and 64 in all may be under way") {
  auto limits = SessionLimits{};
  limits.handshake_deadline = patience; // None of them ends by it.
  Io io;
  Host host{io, limits};
  std::deque<Stranger> silent;
  for (int n = 1; n <= 16; ++n) {
    const auto from = "127.0.0." + std::to_string(n);
    for (int i = 0; i != 4; ++i)
      silent.emplace_back(host.port(), from);
    Stranger fifth{host.port(), from};
    CHECK(fifth.closed());
  }
  Stranger sixty_fifth{host.port(), "127.0.0.99"};
  CHECK(sixty_fifth.closed());
  for (auto& stranger : silent)
    CHECK_FALSE(stranger.closed_by_now());
  silent.pop_front();
  // The place of the one that went is free as soon as that is seen, and only that one.
  host.wait(0).log->wait_down();
  CHECK(call(io, host.port()).log->wait_up());
  CHECK(host.wait(1).log->wait_up());
  CHECK(host.met() == 2);
}

TEST_CASE("sessions that are up take no place from handshakes") {
  Io io;
  Host host{io};
  std::vector<Met> callers;
  for (std::uint8_t i = 0; i != 10; ++i) {
    callers.push_back(call(io, host.port(), {}, std::uint8_t(10 + i)));
    REQUIRE(callers.back().log->wait_up());
    REQUIRE(host.wait(i).log->wait_up());
  }
}

TEST_CASE("a peer that falls silent is suspected, then given up") {
  auto limits = SessionLimits{};
  limits.ping_every = 20ms;
  limits.suspect_after = 100ms;
  limits.dead_after = 300ms;
  Io io;
  Host host{io, limits};
  Stranger stranger{host.port()};
  stranger.meet();
  const auto met = host.wait(0);
  CHECK(met.log->wait_down() == "silent for 300 ms");
  const auto news = met.log->copy();
  REQUIRE(news.size() == 3);
  CHECK(std::holds_alternative<Suspected>(news[1]));
  CHECK(stranger.closed());
}

TEST_CASE("close lets out what was sent before, and both ends learn why") {
  Io near, far;
  Host host{far};
  const auto caller = call(near, host.port());
  REQUIRE(caller.log->wait_up());
  for (std::uint32_t i = 0; i != 1000; ++i)
    REQUIRE(caller.link->send(numbered(i, 2000), i % 2 ? Lane::bulk : Lane::control));
  caller.link->close("bye");
  caller.link->close("again");
  CHECK(caller.log->wait_down() == "bye");
  const auto callee = host.wait(0);
  CHECK(callee.log->wait_down() == "they closed: bye");
  CHECK(callee.log->count<MessageIn>() == 1000);
  CHECK_FALSE(caller.link->send({1}, Lane::control));
  CHECK_FALSE(callee.link->send({1}, Lane::control));
  check_one_down(*caller.log);
  check_one_down(*callee.log);
}

TEST_CASE("close does not wait for a peer that takes nothing") {
  Io near, far;
  Host host{far};
  const auto caller = call(near, host.port());
  REQUIRE(caller.log->wait_up());
  for (int i = 0; i != 7; ++i) // More than its credit: these never go.
    REQUIRE(caller.link->send(Bytes(1 << 20), Lane::bulk));
  caller.link->close("bye");
  CHECK(caller.log->wait_down() == "bye");
  CHECK(host.wait(0).log->wait_down() == "the connection was cut");
}

TEST_CASE("a link whose handshake is too old ends at both ends, and can be dialled again") {
  auto limits = SessionLimits{};
  limits.renew_within = 50ms;
  Io near, far;
  Host host{far};
  const auto caller = call(near, host.port(), limits);
  CHECK(caller.log->wait_down() == "a new handshake is due");
  CHECK(host.wait(0).log->wait_down() == "they closed: a new handshake is due");
  check_one_down(*caller.log);
  CHECK(call(near, host.port()).log->wait_up());
}

TEST_CASE("a link closed at any moment tells of it once, and nothing after") {
  Io near, far;
  Host host{far};
  std::vector<Met> callers;
  for (std::uint32_t i = 0; i != 60; ++i) {
    callers.push_back(call(near, host.port()));
    if (i % 3) // Before, in the midst of, or after the handshake.
      callers.back().log->wait([](const auto& news) { return !news.empty(); });
    for (std::uint32_t k = 0; k != i; ++k)
      callers.back().link->send(numbered(k, 5000), Lane::bulk);
    callers.back().link->close("enough");
  }
  for (const auto& c : callers)
    CHECK(c.log->wait_down() == "enough");
  near.stop();
  for (const auto& c : callers)
    check_one_down(*c.log);
}

TEST_CASE("the far end's death is seen at once") {
  auto far = std::make_unique<Io>();
  Io near;
  auto host = std::make_unique<Host>(*far);
  const auto caller = call(near, host->port());
  REQUIRE(caller.log->wait_up());
  const auto callee = host->wait(0);
  REQUIRE(callee.log->wait_up());
  far->stop();
  far.reset(); // With its sockets. Who still holds a link may ask, and is refused.
  CHECK(caller.log->wait_down() == "the connection was cut");
  CHECK_FALSE(callee.link->send({1}, Lane::control));
  callee.link->consumed(1, Lane::control);
  callee.link->close("late");
  CHECK(callee.link->remote() != "");
  host->close();
}

TEST_CASE("a listener that is closed accepts no more; what it accepted stays") {
  Io io;
  Host host{io};
  const auto caller = call(io, host.port());
  REQUIRE(caller.log->wait_up());
  host.close();
  std::string why;
  while (why.empty() || why == "the connection was cut") // Accepted by the kernel, at most.
    why = call(io, host.port()).log->wait_down();
  CHECK(why == "connection refused");
  CHECK(caller.link->send({1}, Lane::control));
  CHECK(host.wait(0).log->wait([](const auto& news) { return news.size() == 2; }));
}

TEST_CASE("an address that is in use, or not ours, is refused in three lines") {
  Io io;
  Host host{io};
  const auto attempt = [&](const std::string& address, std::uint16_t port) {
    return listen(
        io.context, address, port,
        [](NoiseRole role, std::optional<NodeId>) { return handshake_of(role, 1); }, {},
        [](std::shared_ptr<Link>) { return LinkEvents{}; });
  };
  const auto used = attempt("127.0.0.1", host.port());
  REQUIRE_FALSE(used.ok());
  CHECK(used.error().code == "E303");
  CHECK(used.error().what == "cannot listen on 127.0.0.1:" + std::to_string(host.port()));
  CHECK(used.error().why.find("in use") != std::string::npos);

  const auto foreign = attempt("192.0.2.1", 0);
  REQUIRE_FALSE(foreign.ok());
  CHECK(foreign.error().code == "E303");
  INFO(foreign.error().why);
  CHECK(foreign.error().why.find("not one of this machine's") != std::string::npos);
}
