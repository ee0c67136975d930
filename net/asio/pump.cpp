#include "net/asio/pump.hpp"

#include <asio/buffer.hpp>
#include <asio/co_spawn.hpp>
#include <asio/connect.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>

#include <netinet/tcp.h>

#include <algorithm>
#include <new>
#include <random>

namespace tessera {

namespace {

using asio::ip::tcp;

constexpr std::size_t read_bytes_max = 256 << 10;
// What may lie between a session and the wire, twice: a control message waits behind no more.
constexpr std::size_t write_bytes_max = 128 << 10;
constexpr std::align_val_t inbox_alignment{64};
constexpr auto last_words_within = std::chrono::seconds(1);

using NotSentLowWater = asio::detail::socket_option::integer<IPPROTO_TCP, TCP_NOTSENT_LOWAT>;

Time now() {
  return Clock::now();
}

asio::redirect_error_t<asio::use_awaitable_t<>> into(std::error_code& ec) {
  return asio::redirect_error(asio::use_awaitable, ec);
}

} // namespace

std::string words_of(const std::error_code& error) {
  if (error == asio::error::connection_refused)
    return "connection refused";
  if (error == asio::error::connection_reset || error == asio::error::eof ||
      error == asio::error::broken_pipe)
    return "the connection was cut";
  if (error == asio::error::host_not_found || error == asio::error::host_not_found_try_again ||
      error == asio::error::no_data)
    return "no such host";
  auto words = error.message();
  if (!words.empty() && words[0] >= 'A' && words[0] <= 'Z')
    words[0] = char(words[0] - 'A' + 'a');
  return words;
}

std::string text_of(const tcp::endpoint& endpoint) {
  auto address = endpoint.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped())
    address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  const auto host = address.is_v6() ? "[" + address.to_string() + "]" : address.to_string();
  return host + ":" + std::to_string(endpoint.port());
}

std::shared_ptr<Pump> Pump::make(asio::io_context& io, std::shared_ptr<Line> line,
                                 SessionLimits limits, Meet meet) {
  auto pump = std::make_shared<Pump>(io, line, limits, std::move(meet));
  line->join(pump);
  return pump;
}

Pump::Pump(asio::io_context& io, std::shared_ptr<Line> line, SessionLimits limits, Meet meet)
    : io_(io), socket_(io), alarm_(io), input_(io), output_(io), line_(std::move(line)),
      limits_(limits), meet_(std::move(meet)) {}

void Pump::Free::operator()(std::uint8_t* bytes) const {
  ::operator delete(bytes, inbox_alignment);
}

Pump::~Pump() {
  line_->shut(); // An io_context that ends takes its pumps along.
  if (session_)
    line_->keep(session_->unreturned());
}

// An exception out of a pump is our own bug: it leaves through io_context::run().
void Pump::spawn(asio::awaitable<void> coroutine) {
  asio::co_spawn(io_, std::move(coroutine), [](std::exception_ptr bug) {
    if (bug)
      std::rethrow_exception(bug);
  });
}

void Pump::dial(std::string host, std::uint16_t port, HandshakeConfig handshake) {
  deadline_ = now() + limits_.handshake_deadline;
  spawn(watch(shared_from_this()));
  spawn(connect(shared_from_this(), std::move(host), port, std::move(handshake)));
}

void Pump::adopt(tcp::socket socket, HandshakeConfig handshake, std::shared_ptr<void> pending) {
  socket_ = std::move(socket);
  pending_ = std::move(pending);
  spawn(watch(shared_from_this()));
  begin(std::move(handshake));
}

asio::awaitable<void> Pump::connect(Self self, std::string host, std::uint16_t port,
                                    HandshakeConfig handshake) {
  auto& p = *self;
  std::error_code ec;
  tcp::resolver resolver{p.io_};
  // Numbers need no name server, nor the thread that asks it.
  const auto address = asio::ip::make_address(host, ec);
  if (!ec) {
    co_await p.socket_.async_connect({address, port}, into(ec));
  } else {
    ec.clear();
    const auto found = co_await resolver.async_resolve(host, std::to_string(port), into(ec));
    if (!ec && !p.gone_)
      co_await asio::async_connect(p.socket_, found, into(ec));
  }
  if (p.gone_)
    co_return;
  if (ec)
    p.lost(ec);
  else
    p.begin(std::move(handshake));
}

void Pump::begin(HandshakeConfig handshake) {
  std::error_code ignored;
  const auto remote = socket_.remote_endpoint(ignored);
  line_->connected(text_of(remote));
  socket_.set_option(tcp::no_delay(true), ignored);
  socket_.set_option(NotSentLowWater(write_bytes_max), ignored);
  deadline_.reset();
  inbox_.reset(static_cast<std::uint8_t*>(::operator new(read_bytes_max, inbox_alignment)));
  session_.emplace(std::move(handshake), limits_, std::random_device{}(), now());
  spawn(read_all(shared_from_this()));
  spawn(write_all(shared_from_this()));
  stepped();
}

asio::awaitable<void> Pump::read_all(Self self) {
  auto& p = *self;
  while (!p.gone_) {
    std::error_code ec;
    if (!p.ended_ && !p.session_->wants_input()) {
      p.input_.expires_at(Time::max());
      co_await p.input_.async_wait(into(ec));
      continue;
    }
    const auto size =
        co_await p.socket_.async_read_some(asio::buffer(p.inbox_.get(), read_bytes_max), into(ec));
    if (p.gone_)
      break;
    if (ec)
      p.lost(ec);
    else
      p.arrived(size);
  }
}

asio::awaitable<void> Pump::write_all(Self self) {
  auto& p = *self;
  while (!p.gone_) {
    std::error_code ec;
    if (p.session_->has_output()) {
      const auto out = p.session_->take_output(write_bytes_max, now());
      p.line_->show(*p.session_);
      p.rearm(); // What may not go yet has its time now.
      co_await asio::async_write(p.socket_, asio::buffer(out), into(ec));
      if (ec) { // The reader learns more: the peer's last words may still lie in the socket.
        p.deadline_ = p.deadline_.value_or(now() + last_words_within);
        p.stepped();
        co_return;
      }
    } else if (p.session_->closed()) {
      p.socket_.shutdown(tcp::socket::shutdown_send, ec);
      if (p.close_why_)
        p.end(*p.close_why_);
      if (!p.opened_) // A stranger is not worth a socket that waits for its end.
        p.finish();
      co_return;
    } else {
      p.output_.expires_at(Time::max());
      co_await p.output_.async_wait(into(ec));
    }
  }
}

asio::awaitable<void> Pump::watch(Self self) {
  auto& p = *self;
  while (!p.gone_) {
    std::error_code ec;
    p.alarm_.expires_at(p.next_alarm());
    co_await p.alarm_.async_wait(into(ec));
    if (!p.gone_)
      p.alarmed();
  }
}

Time Pump::next_alarm() const {
  auto at = deadline_.value_or(Time::max());
  if (session_ && !ended_)
    at = std::min(at, session_->next_wake().value_or(Time::max()));
  return at;
}

void Pump::arrived(std::size_t bytes) {
  if (ended_)
    return; // Read away, so that our last words are not reset with the socket.
  tell(session_->received({inbox_.get(), bytes}, now()));
  stepped();
}

void Pump::alarmed() {
  if (deadline_ && *deadline_ <= now()) {
    end(close_why_ ? *close_why_ : session_ ? "the connection was cut" : "no answer");
    finish();
  } else if (session_ && !ended_) {
    tell(session_->wake(now()));
    stepped();
  }
}

void Pump::lost(const std::error_code& why) {
  end(close_why_ ? *close_why_ : words_of(why));
  finish();
}

void Pump::serve() {
  auto requests = line_->take();
  if (ended_)
    return;
  if (requests.close && !close_why_) {
    close_why_ = std::move(requests.close);
    deadline_ = now() + last_words_within;
  }
  if (!session_) {
    if (close_why_)
      lost({});
    return;
  }
  for (auto& [message, lane] : requests.messages)
    session_->send(std::move(message), lane, now());
  session_->consumed(requests.control_consumed, Lane::control, now());
  session_->consumed(requests.bulk_consumed, Lane::bulk, now());
  if (close_why_)
    session_->close(*close_why_);
  stepped();
}

void Pump::tell(std::vector<SessionNews> news) {
  line_->show(*session_);
  for (auto& n : news) {
    if (auto* down = std::get_if<SessionDown>(&n))
      return end(close_why_ ? *close_why_ : std::move(down->why));
    if (std::holds_alternative<SessionUp>(n)) {
      opened_ = true;
      pending_.reset();
      line_->opened();
      news_ = std::exchange(meet_, nullptr)().news;
    }
    news_(std::move(n));
  }
}

// The owners are told, once and at last; what stands in the session's output may still go.
void Pump::end(std::string why) {
  if (std::exchange(ended_, true))
    return;
  deadline_ = std::min(deadline_.value_or(Time::max()), now() + last_words_within);
  line_->shut();
  if (meet_)
    news_ = std::exchange(meet_, nullptr)().news;
  std::exchange(news_, nullptr)(SessionDown{std::move(why)});
  alarm_.cancel();
  input_.cancel();
}

void Pump::finish() {
  gone_ = true;
  pending_.reset();
  std::error_code ignored;
  socket_.close(ignored);
  alarm_.cancel();
  input_.cancel();
  output_.cancel();
}

// After anything that the session was told: its owners, the writer and the clock may care.
void Pump::stepped() {
  line_->show(*session_);
  if (session_->wants_input())
    input_.cancel();
  if (session_->has_output() || session_->closed())
    output_.cancel();
  rearm();
}

void Pump::rearm() {
  if (next_alarm() < alarm_.expiry())
    alarm_.cancel();
}

} // namespace tessera
