#include "net/asio/probe.hpp"

#include "net/asio/pump.hpp"

#include <asio/post.hpp>

namespace tessera {

namespace {

constexpr auto patience = std::chrono::seconds(5);

// Lives as long as one of the two is waited for.
struct Attempt {
  asio::ip::tcp::socket socket;
  asio::steady_timer clock;
  std::function<void(bool, std::string)> then;

  void over(bool reached, std::string why) {
    if (const auto tell = std::exchange(then, nullptr))
      tell(reached, std::move(why));
    std::error_code ignored;
    socket.close(ignored);
    clock.cancel();
  }
};

} // namespace

void probe(asio::io_context& io, const std::string& host, std::uint16_t port,
           std::function<void(bool, std::string)> then) {
  const auto attempt = std::make_shared<Attempt>(
      Attempt{asio::ip::tcp::socket{io}, asio::steady_timer{io}, std::move(then)});
  asio::post(io, [=] {
    std::error_code bad;
    const auto address = asio::ip::make_address(host, bad);
    if (bad)
      return attempt->over(false, "no such host");
    attempt->clock.expires_after(patience);
    attempt->clock.async_wait([=](std::error_code failed) {
      if (!failed)
        attempt->over(false, "no answer");
    });
    attempt->socket.async_connect({address, port}, [=](std::error_code failed) {
      attempt->over(!failed, failed ? words_of(failed) : "");
    });
  });
}

} // namespace tessera
