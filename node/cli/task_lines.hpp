#pragma once

#include <cstdint>
#include <string>
#include <string_view>

// Counts what became of single tasks (kernels/each_lines.hpp) while their lines pass by in pieces.
namespace tessera::cli {

class TaskLines {
public:
  void pass(std::string_view piece);

  std::uint64_t tasks() const { return lines_; } // Whole lines.
  std::uint64_t failed() const { return failed_; }
  // Throws E603, exit code 6, if any did.
  void check() const;

private:
  void end_line();

  std::string line_; // Its beginning.
  std::uint64_t lines_ = 0, failed_ = 0, first_failed_ = 0;
  std::string first_;
};

} // namespace tessera::cli
