#pragma once

#include "crypto/handshake.hpp"
#include "net/message.hpp"

#include <optional>
#include <variant>

// Messages as Cap'n Proto bytes and back. Reads with a traversal limit of 4 x the message and 16
// levels of nesting, checks every bound, and verifies every seal: what decode() yields was said by
// who it says. No Cap'n Proto type leaves here.
namespace tessera {

// Named maxima of lists in messages; decode() refuses more.
inline constexpr std::size_t message_bytes_max = 1 << 20;
inline constexpr std::size_t records_max = 64;
inline constexpr std::size_t addresses_max = 8;
inline constexpr std::size_t kernels_max = 64;
inline constexpr std::size_t text_bytes_max = 256;
inline constexpr std::size_t params_bytes_max = 64 * 1024;
inline constexpr std::size_t lease_blocks_max = 1024;
inline constexpr std::size_t leases_max = 64;
inline constexpr std::size_t lease_path_max = 64;
inline constexpr std::size_t result_blocks_max = 128;
inline constexpr std::size_t ran_max = 2048;
inline constexpr std::size_t commitments_max = 256;
inline constexpr std::size_t table_rows_max = 4096;
inline constexpr std::size_t shares_max = 1024;
inline constexpr std::size_t statuses_max = 256;
inline constexpr std::size_t sample_max = 32;
inline constexpr std::size_t proof_max = 64;
inline constexpr std::size_t inputs_max = 4; // One of each role.
inline constexpr std::size_t prefix_digits_max = 64;
inline constexpr std::size_t detail_bytes_max = 256 * 1024;
inline constexpr std::size_t blob_ask_chunks_max = 1024;
inline constexpr std::uint8_t hops_max = 16; // Of everything that is passed on, ttl included.

// And of what is signed, looked at before the signature.
inline constexpr std::size_t record_bytes_max = 8 * 1024; // So that 64 fit into a message.
inline constexpr std::size_t spec_bytes_max = params_bytes_max + 2 * 1024;
inline constexpr std::size_t cancel_bytes_max = 256;
inline constexpr std::size_t receipt_bytes_max = 256;
inline constexpr std::size_t commitment_bytes_max = 80 * ran_max + 1024;
inline constexpr std::size_t commitments_bytes_max =
    240 * 1024; // Those passed on in one result, together: beside the fullest result they fit.

class Codec {
public:
  Codec(const Identity& self, const MeshId& mesh) : self_(self), mesh_(mesh) {}

  // Seals what must be sealed. Asserts on bounds: machines keep them. What is of others' making and
  // would not fit into one message is left out from the end: passed-on commitments past
  // commitments_bytes_max, statuses past message_bytes_max.
  Bytes encode(const Message& message) const;

  // `from` is the session's peer: sealed messages must bear its key. A peer's fault is Closed{why}.
  std::variant<Message, Closed> decode(const NodeId& from, ByteView bytes) const;

  std::shared_ptr<const SignedRecord> seal_record(const Record& record) const;
  SpecPtr seal_spec(const JobSpec& spec) const; // submitter must be self.
  std::shared_ptr<const SignedCancel> seal_cancel(const JobId& job) const;
  // Null: not a cancellation, or forged.
  std::shared_ptr<const SignedCancel> open_cancel(const Signed& seal) const;

  // For the journal: an envelope's bytes, and the spec in it once verified. Nothing: not one, or
  // forged.
  static Bytes envelope_bytes(const Signed& seal);
  std::optional<Signed> envelope(ByteView bytes) const;
  SpecPtr open_spec(const Signed& seal) const; // Null: not a spec, or forged.

private:
  const Identity& self_;
  MeshId mesh_;
};

} // namespace tessera
