#pragma once

#include "node/worker/packet.hpp"

// Requests and replies as packets. Numbers are little-endian; a payload is its size and then its
// bytes, or a mark that the packet's next descriptor holds them. Decoding believes nothing: every
// length, tag, seal and size is checked, and a packet with anything left over is nonsense.
namespace tessera {

inline constexpr std::size_t error_text_bytes_max = 1024;

// Into a packet that is used again and again, so that no call allocates. What the packet borrows
// lives as long as the message.
void encode(const WorkerRequest& request, OutPacket& packet);
void encode(const WorkerReply& reply, OutPacket& packet);

std::optional<WorkerRequest> decode_request(InPacket packet);
std::optional<WorkerReply> decode_reply(InPacket packet);

} // namespace tessera
