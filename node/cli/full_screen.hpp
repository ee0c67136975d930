#pragma once

#include <termios.h>

#include <chrono>
#include <string>
#include <vector>

// A terminal's other screen, and its keys one by one. However the process ends, the terminal is as
// it was. One at a time.
namespace tessera::cli {

class FullScreen {
public:
  FullScreen();
  FullScreen(const FullScreen&) = delete;
  FullScreen& operator=(const FullScreen&) = delete;
  ~FullScreen();

  struct Size {
    std::size_t width = 80, height = 24;
    bool operator==(const Size&) const = default;
  };
  Size size() const; // Of now.

  void draw(const std::vector<std::string>& lines); // Only what is another than before.
  // A key within this time; 0: none. Ctrl-C is a key, 3.
  char key(std::chrono::milliseconds patience);

private:
  bool keys_ = false; // stdin is a terminal.
  std::vector<std::string> drawn_;
  Size drawn_size_;
};

} // namespace tessera::cli
