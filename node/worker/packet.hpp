#pragma once

#include "node/worker/worker.hpp"

#include <array>

// One packet of the SOCK_SEQPACKET line between node and worker: some bytes, and at most four
// descriptors. Who receives is hostile-minded: what does not fit is nonsense, and no descriptor
// leaks.
namespace tessera {

inline constexpr std::size_t packet_fds_max = 4;            // A module job has as many inputs.
inline constexpr std::size_t packet_bytes_max = 160 * 1024; // Below the kernel's default sndbuf.

struct OutPacket {
  Bytes bytes;
  std::array<int, packet_fds_max> fds{}; // Borrowed.
  std::size_t fd_count = 0;
};

struct InPacket {
  ByteView bytes; // Into the receiver's buffer.
  std::array<Fd, packet_fds_max> fds;
  std::size_t fd_count = 0;
};

using PacketBuffer = std::array<std::uint8_t, packet_bytes_max>;

enum class Line { open, full, empty, gone, nonsense };

// `full`: nothing was sent. Never half a packet.
Line send_packet(int socket, const OutPacket& packet);
// `empty`: nothing has come. Blocks where the socket does.
Line receive_packet(int socket, PacketBuffer& buffer, InPacket& packet);

} // namespace tessera
