#include "node/worker/codec.hpp"

// The node's end of a worker's socket.
namespace tessera {

namespace {

Error gone() {
  return {"E701", "a worker process is gone", "it crashed, was killed, or ran out of its limits",
          "its block is tried elsewhere; look at the job's input if this comes again"};
}

Error full() {
  return {"E702", "a worker's socket is full", "it has more requests than it has answered",
          "ask again when it is writable"};
}

Error nonsense() {
  return {"E703", "a worker speaks nonsense", "its answer does not parse",
          "the worker is replaced; its block is tried elsewhere"};
}

Error too_long(const std::string& what, std::size_t bytes_max) {
  return {"E708", what + " too long for a worker",
          "at most " + std::to_string(bytes_max) + " bytes are passed on", "say it shorter"};
}

Status bounded(const Payload& payload) {
  if (payload.size > payload_bytes_max)
    return too_long("an input is", payload_bytes_max);
  return Nothing{};
}

template<class HasKernel>
Status bounded_kernel(const HasKernel& m) {
  if (m.kernel.size() > kernel_name_bytes_max)
    return too_long("a kernel's name is", kernel_name_bytes_max);
  if (m.params.size() > call_params_bytes_max)
    return too_long("a job's parameters are", call_params_bytes_max);
  return bounded(m.input);
}

Status bounded(const OpenJob& m) {
  for (const auto* payload : {&m.module, &m.module_params, &m.state})
    if (auto fits = bounded(*payload); !fits)
      return fits;
  return bounded_kernel(m);
}
Status bounded(const PrepareCall& m) {
  return bounded_kernel(m);
}
Status bounded(const MergeCall& m) {
  const auto left = bounded(m.left);
  return left ? bounded(m.right) : left;
}
Status bounded(const FinishCall& m) {
  return bounded(m.partial);
}
Status bounded(const CloseJob&) {
  return Nothing{};
}
Status bounded(const RunCall&) {
  return Nothing{};
}
Status bounded(const OpenedCall&) {
  return Nothing{};
}

} // namespace

Status send(const Fd& socket, const WorkerRequest& request) {
  if (auto fits = std::visit([](const auto& m) { return bounded(m); }, request); !fits)
    return fits;
  OutPacket packet;
  packet.bytes.reserve(64); // A RunCall and more.
  encode(request, packet);
  switch (send_packet(socket.get(), packet)) {
  case Line::open:
    return Nothing{};
  case Line::full:
    return full();
  default:
    return gone();
  }
}

Result<std::optional<WorkerReply>> receive(const Fd& socket) {
  PacketBuffer buffer;
  InPacket packet;
  Result<std::optional<WorkerReply>> reply{std::nullopt};
  switch (receive_packet(socket.get(), buffer, packet)) {
  case Line::open:
    *reply = decode_reply(std::move(packet));
    if (!*reply)
      return nonsense();
    return reply;
  case Line::empty:
    return reply;
  case Line::nonsense:
    return nonsense();
  default:
    return gone();
  }
}

} // namespace tessera
