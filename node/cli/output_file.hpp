#pragma once

#include <filesystem>
#include <string>
#include <string_view>

// A result on its way to the disk: under a temporary name in the same folder until it is whole,
// then renamed. Whoever drops it before commit() leaves nothing behind.
namespace tessera::cli {

class OutputFile {
public:
  // "-": standard output. A device or a pipe is written to as it is. E440: cannot be written.
  explicit OutputFile(const std::string& name);
  OutputFile(const OutputFile&) = delete;
  ~OutputFile();

  void write(std::string_view bytes); // E440: the disk is full, most likely.
  void commit();

private:
  std::string name_;
  std::filesystem::path target_; // Behind symbolic links.
  std::string temporary_;        // Empty: written in place.
  int fd_ = -1;
};

// E440 before any work is done, where the file could not be written later. Leaves nothing.
void check_writable(const std::string& name);

// The temporary file in use, for a signal handler to unlink; empty when there is none.
const char* unfinished_file();

} // namespace tessera::cli
