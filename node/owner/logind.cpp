#include "node/owner/logind.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace tessera {

namespace {

constexpr int patience_ms = 2000; // Of each read: a machine that is busy.
constexpr std::size_t message_bytes_max = 64 << 10;
constexpr auto again_after = std::chrono::minutes(1);
constexpr const char *bus = "org.freedesktop.DBus", *login = "org.freedesktop.login1";

void pad(std::string& to, std::size_t boundary) {
  to.resize((to.size() + boundary - 1) / boundary * boundary);
}
void put(std::string& to, std::uint32_t number) { // Little-endian, as the message says.
  pad(to, 4);
  for (int i = 0; i < 4; ++i)
    to += char(number >> (8 * i));
}
void put(std::string& to, const std::string& text) {
  put(to, std::uint32_t(text.size()));
  to += text + '\0';
}
void put_field(std::string& to, char code, char type, const std::string& value) {
  pad(to, 8);
  to += {code, 1, type, '\0'};
  if (type == 'g')
    to += char(value.size()) + value + '\0';
  else
    put(to, value);
}
std::uint64_t number_at(const std::string& from, std::size_t at, std::size_t bytes) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < bytes; ++i)
    number |= std::uint64_t(std::uint8_t(from.at(at + i))) << (8 * i);
  return number;
}

} // namespace

std::optional<Duration> Logind::idle(std::int64_t unix_ms, Time now) {
  if (not_before_ && now < *not_before_)
    return {};
  const auto hint = fd_ >= 0 || connect() ? property("IdleHint", 'b') : std::nullopt;
  const auto since_us =
      hint && *hint ? property("IdleSinceHint", 't') : std::optional<std::uint64_t>{0};
  if (!hint || !since_us) {
    hang_up();
    not_before_ = now + again_after;
    return {};
  }
  if (!*hint)
    return Duration{};
  return std::chrono::milliseconds(
      std::max<std::int64_t>(0, unix_ms - std::int64_t(*since_us / 1000)));
}

bool Logind::connect() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const auto path = socket_.string();
  if (path.size() >= sizeof address.sun_path)
    return false;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd_ >= 0 &&
      ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 && sign_on())
    return true;
  hang_up();
  return false;
}

// As whom the kernel says we are; then Hello, without which nothing is answered.
bool Logind::sign_on() {
  constexpr const char* digits = "0123456789abcdef";
  std::string hex;
  for (const unsigned char c : std::to_string(::getuid()))
    hex += {digits[c >> 4], digits[c & 15]};
  if (!send(std::string{'\0'} + "AUTH EXTERNAL " + hex + "\r\n"))
    return false;
  std::string line;
  while (!line.ends_with("\r\n"))
    if (line.size() > 512 || !receive(line, 1))
      return false;
  return line.starts_with("OK ") && send("BEGIN\r\n") &&
         call("/org/freedesktop/DBus", bus, "Hello", bus, "", "") && reply();
}

void Logind::hang_up() {
  if (fd_ >= 0)
    ::close(fd_);
  fd_ = -1;
}

bool Logind::call(const std::string& path, const std::string& interface, const std::string& member,
                  const std::string& to, const std::string& signature, const std::string& body) {
  std::string fields;
  put_field(fields, 1, 'o', path);
  put_field(fields, 2, 's', interface);
  put_field(fields, 3, 's', member);
  put_field(fields, 6, 's', to);
  if (!signature.empty())
    put_field(fields, 8, 'g', signature);
  std::string message{'l', 1, 0, 1};
  put(message, std::uint32_t(body.size()));
  put(message, ++serial_);
  put(message, std::uint32_t(fields.size()));
  message += fields; // Begins at 16.
  pad(message, 8);
  return send(message + body);
}

// A variant: its type's name, and the value at its own boundary.
std::optional<std::uint64_t> Logind::property(const std::string& name, char type) {
  std::string body;
  put(body, std::string{login} + ".Manager");
  put(body, name);
  if (!call("/org/freedesktop/login1", std::string{bus} + ".Properties", "Get", login, "ss", body))
    return {};
  const auto answer = reply();
  const std::size_t size = type == 'b' ? 4 : 8;
  if (!answer || answer->size() != 2 * size || (*answer)[1] != type)
    return {};
  return number_at(*answer, size, size);
}

// The next message that answers; signals may stand before it.
std::optional<std::string> Logind::reply() {
  for (;;) {
    std::string head;
    if (!receive(head, 16) || head[0] != 'l')
      return {};
    const auto body = number_at(head, 4, 4), fields = (number_at(head, 12, 4) + 7) / 8 * 8;
    std::string rest;
    if (body + fields > message_bytes_max || !receive(rest, body + fields))
      return {};
    if (head[1] == 2)
      return rest.substr(fields);
    if (head[1] == 3) // An error: there is no logind on this bus.
      return {};
  }
}

bool Logind::send(const std::string& bytes) {
  return ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == ssize_t(bytes.size());
}

bool Logind::receive(std::string& into, std::size_t bytes) {
  const auto end = into.size() + bytes;
  while (into.size() < end) {
    pollfd p{fd_, POLLIN, 0};
    char buffer[4096];
    if (::poll(&p, 1, patience_ms) <= 0)
      return false;
    const auto n = ::recv(fd_, buffer, std::min(sizeof buffer, end - into.size()), 0);
    if (n <= 0)
      return false;
    into.append(buffer, std::size_t(n));
  }
  return true;
}

} // namespace tessera
