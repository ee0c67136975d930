#include "node/worker/worker.hpp"

#include "crypto/little_endian.hpp"
#include "node/worker/system.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace tessera {

void Fd::reset(int fd) {
  if (fd_ >= 0)
    ::close(fd_);
  fd_ = fd;
}

namespace {

bool write_all(int fd, ByteView bytes) {
  while (!bytes.empty()) {
    const auto n = again([&] { return ::write(fd, bytes.data(), bytes.size()); });
    if (n <= 0)
      return false;
    bytes = bytes.subspan(std::size_t(n));
  }
  return true;
}

Error no_room(std::uint64_t size) {
  return {"E707", "no room for " + std::to_string(size) + " bytes between node and worker",
          errno_text(), "free memory or descriptors, or run fewer slots: tessera start --slots N"};
}

} // namespace

Result<Fd> memfd_of(ByteView bytes) {
  Fd fd{::memfd_create("tessera", MFD_CLOEXEC | MFD_ALLOW_SEALING)};
  // Written, not mapped: where memory ends this is an error and not a SIGBUS.
  if (!fd || !write_all(fd.get(), bytes) || ::fcntl(fd.get(), F_ADD_SEALS, all_seals) != 0)
    return no_room(bytes.size());
  return fd;
}

Result<Mapping> Mapping::of(const Fd& fd) {
  // Not fstat: glibc makes a newfstatat of it, which takes paths and is no call for a worker.
  const auto size = ::lseek(fd.get(), 0, SEEK_END);
  if (size < 0)
    return no_room(0);
  Mapping mapping;
  if (size == 0)
    return mapping;
  // Private: kernels before 6.7 refuse shared mappings of sealed files, even read-only ones.
  void* const at = ::mmap(nullptr, std::size_t(size), PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (at == MAP_FAILED)
    return no_room(std::uint64_t(size));
  mapping.data_ = static_cast<const std::uint8_t*>(at);
  mapping.size_ = std::size_t(size);
  return mapping;
}

Mapping::Mapping(Mapping&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

Mapping::~Mapping() {
  if (data_)
    ::munmap(const_cast<std::uint8_t*>(data_), size_);
}

Result<Payload> Payload::of(ByteView bytes) {
  Payload payload;
  payload.size = bytes.size();
  if (bytes.size() <= inline_bytes_max) {
    payload.bytes = to_bytes(bytes);
    return payload;
  }
  auto fd = memfd_of(bytes);
  if (!fd)
    return fd.error();
  payload.fd = std::move(*fd);
  return payload;
}

Result<Payload> Payload::take(Bytes bytes) {
  if (bytes.size() > inline_bytes_max)
    return of(bytes);
  Payload payload;
  payload.size = bytes.size();
  payload.bytes = std::move(bytes);
  return payload;
}

Result<std::vector<PieceRow>> rows_of(CallDone& done) {
  constexpr std::size_t row_bytes = 32 + 8;
  const Error unfit{"E703", "a worker speaks nonsense", "its pieces are not of their sizes",
                    "it is replaced, and what it did is done again"};
  const auto table = Contents::of(std::move(done.piece_rows));
  if (!table)
    return table.error();
  std::vector<PieceRow> rows(table->bytes().size() / row_bytes);
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i != rows.size(); ++i) {
    const auto row = table->bytes().subspan(i * row_bytes, row_bytes);
    std::copy_n(row.begin(), rows[i].id.bytes.size(), rows[i].id.bytes.begin());
    rows[i].size = get<std::uint64_t>(row, 32);
    if (rows[i].size > done.pieces.size - sum)
      return unfit;
    sum += rows[i].size;
  }
  if (sum != done.pieces.size || table->bytes().size() % row_bytes)
    return unfit;
  return rows;
}

Result<Contents> Contents::of(Payload payload) {
  Contents contents;
  if (!payload.fd) {
    contents.bytes_ = std::move(payload.bytes);
    return contents;
  }
  auto mapping = Mapping::of(payload.fd);
  if (!mapping)
    return mapping.error();
  contents.mapping_ = std::move(*mapping);
  return contents;
}

} // namespace tessera
