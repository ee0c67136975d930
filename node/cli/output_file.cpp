#include "node/cli/output_file.hpp"

#include "node/cli/failed.hpp"

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace tessera::cli {

namespace fs = std::filesystem;

namespace {

char unfinished[PATH_MAX] = {};

Failed cannot_write(const std::string& name, int error) {
  const auto shown = name == "-" ? "standard output" : name;
  return {Exit::failed,
          {"E440", "cannot write " + shown, std::strerror(error),
           error == ENOSPC || error == EDQUOT
               ? "free some space, then fetch it again: tessera result JOB -o FILE"
               : "choose another place: tessera result JOB -o FILE"}};
}

bool in_place(const fs::path& target) {
  struct stat info {};
  return stat(target.c_str(), &info) == 0 && !S_ISREG(info.st_mode);
}

fs::path behind_links(const std::string& name) {
  std::error_code bad;
  const auto target = fs::weakly_canonical(name, bad);
  return bad ? fs::absolute(name) : target;
}

mode_t allowed_mode() {
  const auto mask = umask(0);
  umask(mask);
  return 0666 & ~mask;
}

} // namespace

OutputFile::OutputFile(const std::string& name) : name_(name) {
  if (name == "-") {
    fd_ = dup(STDOUT_FILENO);
  } else {
    target_ = behind_links(name);
    if (in_place(target_)) {
      fd_ = open(target_.c_str(), O_WRONLY | O_CLOEXEC);
    } else {
      temporary_ =
          (target_.parent_path() / ("." + target_.filename().string() + ".XXXXXX")).string();
      fd_ = mkostemp(temporary_.data(), O_CLOEXEC);
    }
  }
  const int error = errno;
  if (fd_ < 0) {
    temporary_.clear();
    throw cannot_write(name_, error);
  }
  if (temporary_.size() < sizeof unfinished)
    std::strcpy(unfinished, temporary_.c_str());
}

OutputFile::~OutputFile() {
  if (fd_ >= 0)
    close(fd_);
  if (!temporary_.empty())
    unlink(temporary_.c_str());
  unfinished[0] = '\0';
}

void OutputFile::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto written = ::write(fd_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      throw cannot_write(name_, errno);
    bytes.remove_prefix(std::size_t(written));
  }
}

void OutputFile::commit() {
  const bool whole = temporary_.empty() || (fchmod(fd_, allowed_mode()) == 0 && fsync(fd_) == 0);
  const int sync_error = errno;
  const bool closed = close(std::exchange(fd_, -1)) == 0;
  if (!whole || !closed)
    throw cannot_write(name_, whole ? errno : sync_error);
  if (temporary_.empty())
    return;
  if (rename(temporary_.c_str(), target_.c_str()) != 0)
    throw cannot_write(name_, errno);
  temporary_.clear();
}

void check_writable(const std::string& name) {
  if (!name.empty())
    OutputFile{name};
}

const char* unfinished_file() {
  return unfinished;
}

} // namespace tessera::cli
