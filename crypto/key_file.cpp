#include "crypto/key_file.hpp"

#include <cerrno>
#include <fcntl.h>
#include <optional>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace tessera {

namespace fs = std::filesystem;

namespace {

struct Descriptor {
  int fd;

  explicit Descriptor(int f) : fd(f) {}
  Descriptor(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd >= 0)
      ::close(fd);
  }
  explicit operator bool() const { return fd >= 0; }
};

std::string system_words(int code) {
  return std::system_category().message(code);
}

Error refused(const fs::path& file, std::string why, std::string fix) {
  return {"E101", "cannot use the key file " + file.string(), std::move(why), std::move(fix)};
}

Error cannot_make(const fs::path& file, int code) {
  return {"E101", "cannot make the key file " + file.string(), system_words(code),
          "make its folder writable, or name another with --data"};
}

fs::path folder_of(const fs::path& file) {
  return file.has_parent_path() ? file.parent_path() : fs::path{"."};
}

// Who may write the folder may put another key in our place.
std::optional<Error> folder_refused(const fs::path& file) {
  const auto folder = folder_of(file);
  struct stat st {};
  if (::stat(folder.c_str(), &st) != 0)
    return {}; // Opening the file tells it better.
  if ((st.st_mode & (S_IWGRP | S_IWOTH)) && !(st.st_mode & S_ISVTX))
    return refused(file, "other users may write to its folder", "chmod go-w " + folder.string());
  return {};
}

std::optional<Error> file_refused(const fs::path& file, const struct stat& st) {
  if (!S_ISREG(st.st_mode))
    return refused(file, "it is not a plain file", "name another place with --data");
  if (st.st_uid != ::geteuid() && st.st_uid != 0)
    return refused(file, "it belongs to another user", "start the node as the key's owner");
  if (st.st_mode & (S_IRWXG | S_IRWXO))
    return refused(file, "other users may read it, and may have done so",
                   "move it away for a new identity, or: chmod 600 " + file.string());
  if (st.st_size != off_t(KeyFileContent{}.bytes.size()))
    return refused(file, "it has " + std::to_string(st.st_size) + " bytes, a key has 64",
                   "restore it from a copy, or move it away for a new identity");
  return {};
}

// The number of bytes that could be read.
std::size_t read_all(int fd, std::span<std::uint8_t> out) {
  std::size_t done = 0;
  while (done != out.size()) {
    const auto n = ::read(fd, out.data() + done, out.size() - done);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      break;
    done += std::size_t(n);
  }
  return done;
}

bool write_all(int fd, ByteView bytes) {
  while (!bytes.empty()) {
    const auto n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return false;
    bytes = bytes.subspan(std::size_t(n));
  }
  return ::fsync(fd) == 0;
}

// Nothing where there is no such file.
std::optional<Result<KeyFileContent>> read_key_file(const fs::path& file) {
  // Not blocking, lest a pipe in its place hold the node up.
  const Descriptor in{::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (!in && errno == ENOENT)
    return {};
  struct stat st {};
  if (!in || ::fstat(in.fd, &st) != 0)
    return refused(file, system_words(errno), "start the node as the key's owner");
  if (auto error = file_refused(file, st))
    return *error;
  if (auto error = folder_refused(file))
    return *error;
  KeyFileContent content;
  if (read_all(in.fd, content.bytes) != content.bytes.size())
    return refused(file, "it cannot be read to its end", "check the disk, restore it from a copy");
  return content;
}

// 0, or errno.
int make_folder(const fs::path& folder) {
  std::error_code failed;
  if (fs::is_directory(folder, failed))
    return 0;
  if (folder.has_parent_path())
    fs::create_directories(folder.parent_path(), failed);
  return ::mkdir(folder.c_str(), 0700) == 0 || errno == EEXIST ? 0 : errno;
}

// A draft beside the file, linked to its name once it is on the disk: the name never shows a torn
// key, and never replaces one. 0, or errno.
int publish(const fs::path& draft, const fs::path& file, const KeyFileContent& content) {
  const Descriptor out{::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
  if (!out)
    return errno;
  const bool linked = ::fchmod(out.fd, 0600) == 0 && write_all(out.fd, content.view()) &&
                      ::link(draft.c_str(), file.c_str()) == 0;
  const int code = linked || errno == EEXIST ? 0 : errno;
  ::unlink(draft.c_str());
  const Descriptor folder{::open(folder_of(file).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (folder)
    ::fsync(folder.fd); // A name that a power cut takes back would be a new identity.
  return code;
}

std::optional<Error> create_key_file(const fs::path& file, const KeyFileContent& content) {
  if (const int code = make_folder(folder_of(file)))
    return cannot_make(file, code);
  if (auto error = folder_refused(file))
    return error;
  std::array<std::uint8_t, 8> salt;
  fill_random(salt);
  auto draft = file;
  draft += "." + to_hex(salt) + ".new";
  if (const int code = publish(draft, file, content))
    return cannot_make(file, code);
  return {};
}

} // namespace

Result<KeyFileContent> read_or_create_key_file(const fs::path& file,
                                               const std::function<KeyFileContent()>& make) {
  if (auto content = read_key_file(file))
    return *content;
  if (auto error = create_key_file(file, make()))
    return *error;
  // Read back: another start may have been first, and its key counts.
  if (auto content = read_key_file(file))
    return *content;
  return cannot_make(file, ENOENT);
}

Error key_file_damaged(const fs::path& file) {
  return refused(file, "its two halves do not fit each other: it is damaged",
                 "restore it from a copy, or move it away for a new identity");
}

} // namespace tessera
