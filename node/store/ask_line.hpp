#pragma once

#include "net/message.hpp"
#include "net/time.hpp"

#include <algorithm>
#include <deque>
#include <optional>
#include <vector>

// What is asked of one holder and has not come. A session delivers in order, so what a later answer
// overtakes is lost, and what nothing overtakes is on its way, however slow the line. As much is
// asked for at once as keeps the line full and its queue short: it grows while answers come within
// half a second of what the quickest took, and shrinks when they take a second longer (as LEDBAT,
// RFC 6817, in chunks).
namespace tessera {

class AskLine {
public:
  static constexpr std::uint32_t window_min = 2, window_first = 8; // Chunks. Guesses.
  static constexpr std::uint32_t window_max = 64;                  // What is served at once.
  static constexpr Duration patience_min = std::chrono::seconds(5);
  static constexpr int patience_gaps = 4; // Of the longest gap that was seen lately.
  static constexpr int probes_max = 2;    // After 1 and 3 patiences; at 7 nothing will come.

  struct Asked {
    BlobId blob;
    std::uint64_t chunk;
    Time at;
  };

  void asked(const BlobAsk& ask, Time now);
  // Those that were asked for before it and were overtaken; nothing: it was not asked for.
  std::optional<std::vector<Asked>> arrived(const BlobId& blob, std::uint64_t chunk, Time now);
  void missing(const BlobId& blob, Time now); // There is no such blob there: nothing of it comes.
  std::vector<Asked> give_up();               // All that has not come.

  // How much more to ask for now. Not chunk by chunk: an ask costs the holder a message.
  std::uint32_t room() const;
  const std::deque<Asked>& in_flight() const { return in_flight_; }

  // When silence is long: to look for another holder, and to ask for the newest once more, whose
  // answer tells whether those before it are lost (as TCP's tail loss probe, RFC 8985).
  std::optional<Time> due() const { return due_; }
  bool dead() const { return probes_ >= probes_max; } // When due once more.
  void probed(Time now);

private:
  Duration patience() const { return std::max<Duration>(patience_min, gap_ * patience_gaps); }
  void heard(Time now);
  void wait_from(Time now);
  void adapt(Duration took);

  std::deque<Asked> in_flight_;
  std::uint32_t window_ = window_first;
  std::optional<Duration> quickest_;
  Duration gap_{}; // The longest between answers, of late.
  Time heard_{};   // Or asked, when nothing was in flight.
  std::optional<Time> due_;
  int probes_ = 0; // Since then.
};

} // namespace tessera
