#include "node/store/blobs.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace tessera {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t proofs_max = 16; // Guess: jobs whose inputs are pulled at one time.

Error disk_error(const std::string& what, int error) {
  if (error == ENOSPC || error == EDQUOT)
    return {"E111", what, "the disk is full", "free some space, or point --data at another disk"};
  return {"E110", what, std::strerror(error), "check the folder's owner and mode"};
}

Status write_all(int fd, ByteView bytes, const std::string& what) {
  while (!bytes.empty()) {
    const auto n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return disk_error(what, errno);
    bytes = bytes.subspan(std::size_t(n));
  }
  return Nothing{};
}

} // namespace

Result<Blobs> Blobs::open(fs::path folder, std::uint64_t quota) {
  std::error_code failed;
  fs::create_directories(folder, failed);
  if (!failed)
    fs::permissions(folder, fs::perms::owner_all, failed);
  if (failed)
    return disk_error("cannot use the blob folder " + folder.string(), failed.value());
  Blobs blobs{std::move(folder), quota};
  for (const auto& file : fs::directory_iterator(blobs.folder_, failed)) {
    const auto id = from_hex(file.path().filename().string());
    Digest digest;
    if (!id || id->size() != digest.bytes.size()) {
      fs::remove(file.path(), failed); // Half-written before a crash.
      continue;
    }
    std::copy(id->begin(), id->end(), digest.bytes.begin());
    struct stat info {};
    const bool told = ::stat(file.path().c_str(), &info) == 0;
    blobs.adopt(digest, told ? std::uint64_t(info.st_size) : 0, told ? info.st_mtime : 0);
  }
  blobs.make_room(0);
  return blobs;
}

fs::path Blobs::path_of(const BlobId& id) const {
  return folder_ / to_hex(id);
}

void Blobs::adopt(const BlobId& id, std::uint64_t size, std::int64_t used_s) {
  uses_.push_front(id);
  entries_[id] = {size, uses_.begin(), used_s};
  used_ += size;
}

void Blobs::touch(const BlobId& id) {
  auto& entry = entries_.at(id);
  uses_.splice(uses_.begin(), uses_, entry.use);
  entry.used_s = std::max(entry.used_s, now_s_);
}

void Blobs::remove(const BlobId& id) {
  const auto entry = entries_.find(id);
  if (entry == entries_.end())
    return;
  std::error_code gone_already;
  fs::remove(path_of(id), gone_already);
  used_ -= entry->second.size;
  uses_.erase(entry->second.use);
  entries_.erase(entry);
  proofs_.remove_if([&](const Proofs& p) { return p.id == id; });
}

bool Blobs::forget(std::uint64_t bytes) {
  const auto before = used_;
  for (auto oldest = uses_.end(); before - used_ < bytes && oldest != uses_.begin();) {
    const auto id = *--oldest;
    if (pins_.contains(id))
      continue;
    ++oldest;
    remove(id);
  }
  return used_ < before;
}

void Blobs::forget_unused_since(std::int64_t unix_s) {
  std::vector<BlobId> old;
  for (const auto& [id, entry] : entries_)
    if (entry.used_s < unix_s && !pins_.contains(id))
      old.push_back(id);
  for (const auto& id : old)
    remove(id);
}

bool Blobs::make_room(std::uint64_t bytes) {
  if (used_ + bytes > quota_)
    forget(used_ + bytes - quota_);
  if (entries_.size() >= count_max)
    forget(1);
  return used_ + bytes <= quota_;
}

Result<BlobId> Blobs::put(ByteView bytes) {
  const auto id = blob_id(bytes);
  if (auto stored = put_named(id, bytes); !stored)
    return stored.error();
  return id;
}

Status Blobs::put_named(const BlobId& id, ByteView bytes) {
  if (has(id)) {
    touch(id);
    return Nothing{};
  }
  if (!make_room(bytes.size()))
    return Error{"E111", "cannot keep " + std::to_string(bytes.size()) + " bytes",
                 "the blob quota of " + std::to_string(quota_) + " bytes is full of blobs in use",
                 "wait for jobs to end, or raise --blob-quota"};
  const auto what = "cannot write to the blob folder " + folder_.string();
  const auto half =
      folder_ / ("new-" + std::to_string(::getpid()) + "-" + std::to_string(++written_));
  Fd fd{::open(half.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
  if (!fd)
    return disk_error(what, errno);
  auto written = write_all(fd.get(), bytes, what);
  if (written && ::rename(half.c_str(), path_of(id).c_str()) != 0)
    written = disk_error(what, errno);
  if (!written) {
    ::unlink(half.c_str());
    return written;
  }
  adopt(id, bytes.size(), now_s_);
  return Nothing{};
}

std::uint64_t Blobs::size_of(const BlobId& id) const {
  const auto entry = entries_.find(id);
  return entry == entries_.end() ? 0 : entry->second.size;
}

Result<Fd> Blobs::file(const BlobId& id) {
  if (has(id)) {
    touch(id);
    if (Fd fd{::open(path_of(id).c_str(), O_RDONLY | O_CLOEXEC)})
      return fd;
    remove(id); // Somebody cleaned the cache behind us.
  }
  return Error{"E112", "blob " + to_hex(id).substr(0, 16) + " is not here",
               "it was never stored, or has expired", "ask a peer that holds it"};
}

Result<Mapping> Blobs::bytes(const BlobId& id) {
  auto fd = file(id);
  if (!fd)
    return fd.error();
  return Mapping::of(*fd);
}

const BlobTree* Blobs::tree_of(const BlobId& id, ByteView bytes) {
  for (auto known = proofs_.begin(); known != proofs_.end(); ++known)
    if (known->id == id) {
      proofs_.splice(proofs_.begin(), proofs_, known);
      return &proofs_.front().tree;
    }
  BlobTree tree{bytes};
  if (tree.id() != id)
    return nullptr;
  proofs_.push_front({id, std::move(tree)});
  if (proofs_.size() > proofs_max)
    proofs_.pop_back();
  return &proofs_.front().tree;
}

std::optional<ProvenChunk> Blobs::chunk(const BlobId& id, std::uint64_t index) {
  auto mapped = bytes(id);
  if (!mapped)
    return std::nullopt;
  const auto all = mapped->bytes();
  if (index >= chunk_count(all.size()))
    return std::nullopt;
  const auto* tree = tree_of(id, all);
  if (!tree) {
    remove(id);
    return std::nullopt;
  }
  const auto at = index * blob_chunk_bytes;
  const auto part = all.subspan(at, std::min(blob_chunk_bytes, all.size() - at));
  return ProvenChunk{all.size(), to_bytes(part), tree->proof(index)};
}

void Blobs::pin(const BlobId& id) {
  ++pins_[id];
}

void Blobs::unpin(const BlobId& id) {
  if (const auto pinned = pins_.find(id); pinned != pins_.end() && --pinned->second == 0)
    pins_.erase(pinned);
}

void Blobs::drop(const BlobId& id) {
  unpin(id);
  if (!pins_.contains(id))
    remove(id);
}

bool Blobs::intact(const BlobId& id) {
  const auto mapped = bytes(id);
  if (mapped && blob_id(mapped->bytes()) == id)
    return true;
  remove(id);
  return false;
}

} // namespace tessera
