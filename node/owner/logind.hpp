#pragma once

#include "net/time.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

// What logind says of idleness: the desktops and terminals of a machine tell it. Two properties,
// over D-Bus (its specification, 0.43), of which no more is spoken here than that takes.
namespace tessera {

class Logind {
public:
  // Of the system's bus.
  explicit Logind(std::filesystem::path socket) : socket_(std::move(socket)) {}
  Logind(const Logind&) = delete;
  ~Logind() { hang_up(); }

  // Since when nobody has used any session; zero while somebody does. Nothing: there is no logind.
  // Waits two seconds at most for each answer; a bus that fails is tried again a minute later.
  std::optional<Duration> idle(std::int64_t unix_ms, Time now);

private:
  bool connect();
  bool sign_on();
  void hang_up();
  bool call(const std::string& path, const std::string& interface, const std::string& member,
            const std::string& to, const std::string& signature, const std::string& body);
  std::optional<std::uint64_t> property(const std::string& name, char type);
  std::optional<std::string> reply(); // Its body.
  bool send(const std::string& bytes);
  bool receive(std::string& into, std::size_t bytes);

  std::filesystem::path socket_;
  int fd_ = -1;
  std::uint32_t serial_ = 0;
  std::optional<Time> not_before_;
};

} // namespace tessera
