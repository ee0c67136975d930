#pragma once

#include "crypto/digest.hpp"
#include "net/message.hpp"

#include <optional>

// What a node says of a job that it does not know: an empty table, which voids what the sender
// thinks they share.
namespace tessera {

inline std::optional<Message> answer_for_unknown(const Message& message) {
  if (const auto* beat = std::get_if<LeaseBeat>(&message))
    return LeaseTable{beat->job, {}};
  if (const auto* result = std::get_if<LeaseResult>(&message))
    return LeaseTable{result->job, {}};
  if (const auto* keep = std::get_if<KeepAsk>(&message))
    return KeepAnswer{keep->job, blob_id(keep->manifest), false};
  // An empty table is never answered: two strangers would go on for ever.
  if (const auto* table = std::get_if<LeaseTable>(&message); table && !table->rows.empty())
    return LeaseTable{table->job, {}};
  return std::nullopt;
}

} // namespace tessera
