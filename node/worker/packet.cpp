#include "node/worker/packet.hpp"

#include "node/worker/system.hpp"

#include <cstring>
#include <sys/socket.h>
#include <sys/uio.h>

namespace tessera {

namespace {

// Room for exactly packet_fds_max: the kernel drops the rest, and says so by MSG_CTRUNC.
constexpr std::size_t control_bytes = CMSG_SPACE(packet_fds_max * sizeof(int));

struct Control {
  alignas(cmsghdr) std::uint8_t bytes[control_bytes];
};

void attach(msghdr& message, Control& control, const OutPacket& packet) {
  const auto size = packet.fd_count * sizeof(int);
  std::memset(control.bytes, 0, sizeof control.bytes);
  message.msg_control = control.bytes;
  message.msg_controllen = CMSG_SPACE(size);
  auto* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(size);
  std::memcpy(CMSG_DATA(header), packet.fds.data(), size);
}

// Takes every descriptor into its owner before anything is judged.
bool adopt(msghdr& message, InPacket& packet) {
  bool sane = true;
  for (auto* c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
      sane = false;
      continue;
    }
    const auto count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i != count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof fd);
      Fd owned{fd};
      if (packet.fd_count == packet_fds_max)
        sane = false;
      else
        packet.fds[packet.fd_count++] = std::move(owned);
    }
  }
  return sane;
}

Line send_failure() {
  switch (errno) {
  case EAGAIN:
  case ENOBUFS:
  case ENOMEM:
  case ETOOMANYREFS: // The user's descriptors in flight are counted together, by all processes.
    return Line::full;
  default:
    return Line::gone;
  }
}

} // namespace

Line send_packet(int socket, const OutPacket& packet) {
  iovec part{const_cast<std::uint8_t*>(packet.bytes.data()), packet.bytes.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  Control control;
  if (packet.fd_count > 0)
    attach(message, control, packet);
  const auto n = again([&] { return ::sendmsg(socket, &message, MSG_NOSIGNAL); });
  return n < 0 ? send_failure() : Line::open;
}

Line receive_packet(int socket, PacketBuffer& buffer, InPacket& packet) {
  iovec part{buffer.data(), buffer.size()};
  Control control;
  msghdr message{};
  const auto n = again([&] {
    message = msghdr{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof control.bytes;
    return ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  });
  if (n < 0)
    return errno == EAGAIN ? Line::empty : Line::gone;
  packet = InPacket{};
  const bool sane = adopt(message, packet) && !(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC));
  if (n == 0)
    return Line::gone; // End of file. An empty packet looks the same, and no honest side sends one.
  packet.bytes = ByteView{buffer}.first(std::size_t(n));
  return sane ? Line::open : Line::nonsense;
}

} // namespace tessera
