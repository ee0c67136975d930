#include "node/worker/wasm/guest.hpp"

#include <algorithm>

// The ten functions of WASI preview 1 that a command may use: descriptor 0 reads the input slot, 1
// is the output, 2 goes into the failure's message. Errors are WASI's errno.
namespace tessera::wasm {

namespace {

constexpr std::int32_t success = 0, bad_descriptor = 8, not_seekable = 70;

bool standard(std::int32_t fd) {
  return fd >= 0 && fd <= 2;
}

// No arguments, no environment: two counts of 0.
bool no_sizes(Guest& guest, wasmtime_val_raw_t* v) {
  const auto count = std::uint32_t(v[0].i32), bytes = std::uint32_t(v[1].i32);
  v[0].i32 = success;
  return guest.put32("sizes_get", count, 0) && guest.put32("sizes_get", bytes, 0);
}

bool nothing_to_get(Guest&, wasmtime_val_raw_t* v) {
  v[0].i32 = success;
  return true;
}

bool fd_close(Guest&, wasmtime_val_raw_t* v) {
  v[0].i32 = standard(v[0].i32) ? success : bad_descriptor;
  return true;
}

// Of an unknown file type, so that C's stdio buffers it in full.
bool fd_fdstat_get(Guest& guest, wasmtime_val_raw_t* v) {
  constexpr std::uint8_t may_read = 1 << 1, may_write = 1 << 6;
  const auto to = guest.stretch("fd_fdstat_get", std::uint32_t(v[1].i32), 24);
  if (!to)
    return false;
  if (standard(v[0].i32)) {
    std::ranges::fill(*to, std::uint8_t(0));
    (*to)[8] = v[0].i32 == 0 ? may_read : may_write;
  }
  v[0].i32 = standard(v[0].i32) ? success : bad_descriptor;
  return true;
}

bool fd_seek(Guest&, wasmtime_val_raw_t* v) {
  v[0].i32 = standard(v[0].i32) ? not_seekable : bad_descriptor;
  return true;
}

// `each` takes one buffer, answers how much of it was used, or nothing to end the call. Stops at
// the first that is not used up.
template<class Each>
bool over_buffers(Guest& guest, const char* function, wasmtime_val_raw_t* v, Each each) {
  const auto list = std::uint32_t(v[1].i32), count = std::uint32_t(v[2].i32);
  const auto total_at = std::uint32_t(v[3].i32);
  if (!guest.stretch(function, list, std::uint64_t{count} * 8))
    return false;
  std::uint32_t total = 0;
  for (std::uint32_t i = 0; i != count; ++i) {
    const auto at = guest.get32(function, list + 8 * i);
    const auto size = at ? guest.get32(function, list + 8 * i + 4) : std::nullopt;
    const auto buffer = size ? guest.stretch(function, *at, *size) : std::nullopt;
    const auto used = buffer ? each(*buffer) : std::nullopt;
    if (!used)
      return false;
    total += std::uint32_t(*used);
    if (*used != buffer->size())
      break;
  }
  v[0].i32 = success;
  return guest.put32(function, total_at, total);
}

bool fd_read(Guest& guest, wasmtime_val_raw_t* v) {
  if (v[0].i32 != 0) {
    v[0].i32 = bad_descriptor;
    return true;
  }
  auto& host = guest.host();
  return over_buffers(guest, "fd_read", v, [&](std::span<std::uint8_t> to) {
    const auto rest = host.slots[1].subspan(host.stdin_at);
    const auto size = std::min(to.size(), rest.size());
    if (size)
      std::memcpy(to.data(), rest.data(), size);
    host.stdin_at += size;
    return std::optional{size};
  });
}

void complain(Bytes& complaint, ByteView words) {
  complaint.insert(complaint.end(), words.begin(),
                   words.begin() + long(std::min(words.size(), message_bytes_max)));
  if (complaint.size() > message_bytes_max)
    complaint.erase(complaint.begin(), complaint.end() - message_bytes_max);
}

bool fd_write(Guest& guest, wasmtime_val_raw_t* v) {
  const auto fd = v[0].i32;
  if (fd != 1 && fd != 2) {
    v[0].i32 = bad_descriptor;
    return true;
  }
  return over_buffers(guest, "fd_write", v, [&](ByteView from) -> std::optional<std::size_t> {
    if (fd == 2)
      complain(guest.host().complaint, from);
    else if (!guest.append("fd_write", from))
      return std::nullopt;
    return from.size();
  });
}

bool proc_exit(Guest& guest, wasmtime_val_raw_t* v) {
  guest.host().exited = v[0].i32;
  return false;
}

constexpr std::pair<std::string_view, HostCall> calls[] = {
    {"args_get", nothing_to_get},
    {"args_sizes_get", no_sizes},
    {"environ_get", nothing_to_get},
    {"environ_sizes_get", no_sizes},
    {"fd_close", fd_close},
    {"fd_fdstat_get", fd_fdstat_get},
    {"fd_read", fd_read},
    {"fd_seek", fd_seek},
    {"fd_write", fd_write},
    {"proc_exit", proc_exit},
};

} // namespace

HostCall command_call(std::string_view name) {
  for (const auto& [is, call] : calls)
    if (is == name)
      return call;
  return nullptr;
}

} // namespace tessera::wasm
