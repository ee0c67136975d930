#include "node/wasm/text.hpp"
#include "node/worker/wasm/guest.hpp"

#include <algorithm>

// The functions of tessera0. Arguments come and answers go in `v`.
namespace tessera::wasm {

namespace {

const ByteView* slot(Guest& guest, const char* function, std::int32_t number) {
  auto& slots = guest.host().slots;
  if (number >= 0 && std::size_t(number) < slots.size())
    return &slots[std::size_t(number)];
  guest.misused(function, "slot " + std::to_string(number) + ", and there are 0, 1 and 2");
  return nullptr;
}

bool len(Guest& guest, wasmtime_val_raw_t* v) {
  const auto* from = slot(guest, "len", v[0].i32);
  if (from)
    v[0].i32 = std::int32_t(from->size());
  return from;
}

// Past the slot's end there is nothing: it answers fewer bytes than asked for, or 0. The stretch
// must be the guest's own in full all the same, so that a fault shows on short slots too.
bool read(Guest& guest, wasmtime_val_raw_t* v) {
  const auto* from = slot(guest, "read", v[0].i32);
  if (!from)
    return false;
  const auto to = guest.stretch("read", std::uint32_t(v[2].i32), std::uint32_t(v[3].i32));
  if (!to)
    return false;
  const auto offset = std::min<std::size_t>(std::uint32_t(v[1].i32), from->size());
  const auto size = std::min(to->size(), from->size() - offset);
  if (size)
    std::memcpy(to->data(), from->data() + offset, size);
  v[0].i32 = std::int32_t(size);
  return true;
}

bool write(Guest& guest, wasmtime_val_raw_t* v) {
  const auto from = guest.stretch("write", std::uint32_t(v[0].i32), std::uint32_t(v[1].i32));
  return from && guest.append("write", *from);
}

bool spawn(Guest& guest, wasmtime_val_raw_t* v) {
  const auto from = guest.stretch("spawn", std::uint32_t(v[0].i32), std::uint32_t(v[1].i32));
  if (!from)
    return false;
  auto& host = guest.host();
  if (!host.tasks)
    return guest.misused("spawn", "a child task, and only run in a tree job may");
  const auto count = host.tasks->size() - host.tasks_before + 1;
  host.spawned_bytes += from->size();
  if (count > host.limits.spawned_tasks || host.spawned_bytes > host.limits.spawned_bytes)
    return guest.ended({"E725", "a task spawns too much",
                        "at most " + std::to_string(host.limits.spawned_tasks) + " children of " +
                            std::to_string(host.limits.spawned_bytes) +
                            " bytes together are allowed for one call",
                        "spawn a few larger tasks that spawn the rest"});
  host.tasks->push_back(to_bytes(*from));
  return true;
}

bool fail(Guest& guest, wasmtime_val_raw_t* v) {
  const auto from = guest.stretch("fail", std::uint32_t(v[0].i32), std::uint32_t(v[1].i32));
  if (!from)
    return false;
  const auto message = plain_text(*from, message_bytes_max);
  return guest.ended({"E726", "the module gave up",
                      message.empty() ? "it gave no reason" : "it says: " + message,
                      "look at its parameters and input; its author knows what it means"});
}

} // namespace

HostCall kernel_call(std::string_view name) {
  if (name == "len")
    return len;
  if (name == "read")
    return read;
  if (name == "write")
    return write;
  if (name == "spawn")
    return spawn;
  return name == "fail" ? fail : nullptr;
}

} // namespace tessera::wasm
