#pragma once

#include "crypto/result.hpp"

#include <exception>
#include <string>
#include <string_view>
#include <utility>

// A command runs once and ends: what stops it is thrown as three lines and an exit code, and caught
// once, in run_cli.
namespace tessera::cli {

enum class Exit : int {
  ok = 0,
  failed = 1, // The job, or what was asked of this machine.
  usage = 2,
  no_node = 3,
  not_found = 4,
  denied = 5,
  partial = 6,
  timeout = 7,
  nobody = 8, // Nothing in the mesh can run it.
  interrupted = 130,
};

class Failed : public std::exception {
public:
  Failed(Exit exit, Error error) : exit_(exit), error_(std::move(error)) {}
  const char* what() const noexcept override { return error_.what.c_str(); }
  const Error& error() const { return error_; }
  Exit exit() const { return exit_; }

private:
  Exit exit_;
  Error error_;
};

// By the code where it says enough, else by the HTTP status (0: none).
Exit exit_of(std::string_view code, int status);

inline Failed usage(std::string what, std::string why, std::string fix) {
  return {Exit::usage, {"E400", std::move(what), std::move(why), std::move(fix)}};
}

} // namespace tessera::cli
