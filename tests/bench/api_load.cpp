#include <asio/buffer.hpp>
#include <asio/connect.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/read.hpp>
#include <asio/read_until.hpp>
#include <asio/steady_timer.hpp>
#include <asio/streambuf.hpp>
#include <asio/write.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <istream>
#include <memory>
#include <string>
#include <vector>

// api_load PORT TOKEN SECONDS STREAMS RATE: holds event streams open on a node, and asks for its
// status at a steady rate. Prints what came back.
namespace {

using asio::ip::tcp;
using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

struct Count {
  std::uint64_t requests = 0, late = 0, failed = 0, bytes = 0, streams = 0, events = 0;
  std::vector<double> ms;
};

std::string get(const std::string& path, const std::string& token) {
  return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + token +
         "\r\n\r\n";
}

class Stream : public std::enable_shared_from_this<Stream> {
public:
  Stream(asio::io_context& io, Count& count) : socket_(io), count_(count) {}

  void open(const tcp::endpoint& node, const std::string& token) {
    socket_.connect(node);
    asio::write(socket_, asio::buffer(get("/v1/events?topics=jobs,peers,node,work", token)));
    read(true);
  }

private:
  void read(bool first) {
    socket_.async_read_some(asio::buffer(buffer_), [self = shared_from_this(),
                                                    first](asio::error_code failed, std::size_t n) {
      if (failed)
        return void(++self->count_.failed);
      const std::string_view text{self->buffer_, n};
      self->count_.bytes += n;
      self->count_.streams += first && text.starts_with("HTTP/1.1 200");
      for (auto at = text.find("\nid: "); at != text.npos; at = text.find("\nid: ", at + 1))
        ++self->count_.events;
      self->read(false);
    });
  }

  tcp::socket socket_;
  Count& count_;
  char buffer_[16 * 1024];
};

// One connection that is kept open, with one request at a time.
class Line : public std::enable_shared_from_this<Line> {
public:
  Line(asio::io_context& io, Count& count, std::deque<std::shared_ptr<Line>>& idle)
      : socket_(io), count_(count), idle_(idle) {}

  void open(const tcp::endpoint& node) { socket_.connect(node); }

  void ask(const std::string& request) {
    began_ = Clock::now();
    asio::async_write(socket_, asio::buffer(request),
                      [self = shared_from_this()](asio::error_code failed, std::size_t) {
                        failed ? self->fail() : self->read_head();
                      });
  }

private:
  void fail() { ++count_.failed; }

  void read_head() {
    asio::async_read_until(socket_, in_, "\r\n\r\n",
                           [self = shared_from_this()](asio::error_code failed, std::size_t n) {
                             failed ? self->fail() : self->read_body(n);
                           });
  }
  void read_body(std::size_t head_bytes) {
    std::string head(head_bytes, '\0');
    std::istream{&in_}.read(head.data(), std::streamsize(head_bytes));
    const auto at = head.find("Content-Length: ");
    const auto size = at == head.npos ? 0 : std::strtoul(head.c_str() + at + 16, nullptr, 10);
    const auto left = size - std::min<std::size_t>(size, in_.size());
    asio::async_read(socket_, in_, asio::transfer_exactly(left),
                     [self = shared_from_this(), size](asio::error_code failed, std::size_t) {
                       failed ? self->fail() : self->done(size);
                     });
  }
  void done(std::size_t size) {
    in_.consume(size);
    ++count_.requests;
    count_.ms.push_back(std::chrono::duration<double, std::milli>(Clock::now() - began_).count());
    idle_.push_back(shared_from_this());
  }

  tcp::socket socket_;
  Count& count_;
  std::deque<std::shared_ptr<Line>>& idle_;
  asio::streambuf in_;
  Clock::time_point began_;
};

class Load {
public:
  Load(std::uint16_t port, const std::string& token, std::chrono::seconds time, int streams,
       int rate)
      : request_(get("/v1/status", token)), until_(Clock::now() + time), rate_(rate) {
    const tcp::endpoint node{asio::ip::make_address("127.0.0.1"), port};
    for (int i = 0; i < streams; ++i)
      std::make_shared<Stream>(io_, count_)->open(node, token);
    for (int i = 0; i < 64 && rate > 0; ++i) {
      idle_.push_back(std::make_shared<Line>(io_, count_, idle_));
      idle_.back()->open(node);
    }
  }

  void run() {
    began_ = Clock::now();
    tick();
    io_.run_until(until_);
    auto& ms = count_.ms;
    std::sort(ms.begin(), ms.end());
    const auto at = [&](double share) {
      return ms.empty() ? 0 : ms[std::size_t(double(ms.size() - 1) * share)];
    };
    std::printf(
        "%lu requests, %.0f a second; %lu sent late; p50 %.2f ms, p99 %.2f ms; %lu streams, "
        "%lu events, %.1f MB; %lu failed\n",
        count_.requests,
        double(count_.requests) / std::chrono::duration<double>(Clock::now() - began_).count(),
        count_.late, at(0.5), at(0.99), count_.streams, count_.events, double(count_.bytes) / 1e6,
        count_.failed);
  }

private:
  // As many as are due by now. One that finds no free line is sent when there is one.
  void tick() {
    const auto due = std::chrono::duration<double>(Clock::now() - began_).count() * rate_;
    for (; sent_ < due; ++sent_) {
      if (idle_.empty()) {
        ++count_.late;
        break;
      }
      const auto line = idle_.front();
      idle_.pop_front();
      line->ask(request_);
    }
    timer_.expires_after(5ms);
    timer_.async_wait([this](asio::error_code) { tick(); });
  }

  asio::io_context io_;
  asio::steady_timer timer_{io_};
  Count count_;
  std::deque<std::shared_ptr<Line>> idle_;
  std::string request_;
  Clock::time_point until_, began_;
  int rate_;
  double sent_ = 0;
};

} // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr, "api_load PORT TOKEN SECONDS STREAMS RATE\n");
    return 2;
  }
  Load(std::uint16_t(std::atoi(argv[1])), argv[2], std::chrono::seconds(std::atoi(argv[3])),
       std::atoi(argv[4]), std::atoi(argv[5]))
      .run();
}
