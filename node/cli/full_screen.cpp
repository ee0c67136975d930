#include "node/cli/full_screen.hpp"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

namespace tessera::cli {
namespace {

constexpr const char* enter = "\x1b[?1049h\x1b[?25l\x1b[2J"; // The other screen, no cursor, clear.
constexpr const char* leave = "\x1b[?25h\x1b[?1049l";

termios before;
bool changed = false;
constexpr int signals[] = {SIGTERM, SIGHUP, SIGINT};
struct sigaction handlers_before[std::size(signals)];

void say(const char* text) {
  [[maybe_unused]] const auto said = ::write(STDOUT_FILENO, text, std::strlen(text));
}

// Only what POSIX allows in a signal handler.
void restore() {
  say(leave);
  if (changed)
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
  changed = false;
}

void on_signal(int signal) {
  restore();
  ::_exit(128 + signal);
}

} // namespace

FullScreen::FullScreen() : keys_(::isatty(STDIN_FILENO) == 1) {
  if (keys_ && ::tcgetattr(STDIN_FILENO, &before) == 0) {
    auto raw = before;
    raw.c_lflag &= ~tcflag_t(ICANON | ECHO | ISIG);
    changed = ::tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
  }
  struct sigaction action {};
  action.sa_handler = on_signal;
  for (std::size_t i = 0; i < std::size(signals); ++i)
    ::sigaction(signals[i], &action, &handlers_before[i]);
  say(enter);
}

FullScreen::~FullScreen() {
  for (std::size_t i = 0; i < std::size(signals); ++i)
    ::sigaction(signals[i], &handlers_before[i], nullptr);
  restore();
}

FullScreen::Size FullScreen::size() const {
  winsize now{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &now) != 0 || now.ws_col == 0 || now.ws_row == 0)
    return {};
  return {now.ws_col, now.ws_row};
}

void FullScreen::draw(const std::vector<std::string>& lines) {
  std::string out;
  const auto size_now = size();
  if (size_now != drawn_size_) {
    out += "\x1b[2J";
    drawn_.clear();
    drawn_size_ = size_now;
  }
  for (std::size_t i = 0; i < std::max(lines.size(), drawn_.size()); ++i) {
    const auto line = i < lines.size() ? lines[i] : std::string{};
    if (i < drawn_.size() && drawn_[i] == line)
      continue;
    out += "\x1b[" + std::to_string(i + 1) + ";1H" + line + "\x1b[K";
  }
  drawn_ = lines;
  for (std::size_t at = 0; at < out.size();) {
    const auto n = ::write(STDOUT_FILENO, out.data() + at, out.size() - at);
    if (n <= 0)
      return;
    at += std::size_t(n);
  }
}

char FullScreen::key(std::chrono::milliseconds patience) {
  pollfd in{STDIN_FILENO, POLLIN, 0};
  if (::poll(&in, keys_ ? 1 : 0, int(patience.count())) <= 0)
    return 0; // Also when the window's size changed.
  char pressed = 0;
  if (::read(STDIN_FILENO, &pressed, 1) != 1)
    keys_ = false;
  return pressed;
}

} // namespace tessera::cli
