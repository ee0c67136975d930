#pragma once

#include "net/message.hpp"
#include "net/time.hpp"

#include <string>

// One line for each message of the histories that somebody wants to read.
namespace tessera::sim {

inline std::string text_of(const Block& b) {
  return std::to_string(b.level) + ":" + std::to_string(b.index);
}

struct Told {
  std::string operator()(const StealAsk& m) const { return "ask " + number(m.ask); }
  std::string operator()(const Grant& m) const {
    auto text = "grant " + number(m.ask);
    for (const auto& lease : m.leases) {
      text += " " + job(lease.job) + " lease " + number(lease.id) + " attempt " +
              std::to_string(lease.attempt) + " of";
      for (const auto& b : lease.blocks)
        text += " " + text_of(b);
    }
    return text;
  }
  std::string operator()(const LeaseRefused& m) const {
    return "refused " + job(m.job) + " lease " + number(m.lease) + " " + m.why;
  }
  std::string operator()(const LeaseResult& m) const {
    auto text = "result " + job(m.job) + " lease " + number(m.lease) + " number " +
                std::to_string(m.sequence) + (m.last ? " last" : "") + " of";
    for (const auto& r : m.done)
      text += " " + text_of(r.block);
    for (const auto& b : m.undone)
      text += " undone " + text_of(b);
    for (const auto& b : m.failed)
      text += " failed " + text_of(b);
    return text;
  }
  std::string operator()(const Receipt& m) const {
    return "receipt " + job(m.job) + " lease " + number(m.lease) + " number " +
           std::to_string(m.sequence) + (m.covered ? " covered" : "");
  }
  std::string operator()(const LeaseBeat& m) const {
    return "beat " + job(m.job) + " " + to_hex(m.table).substr(0, 4);
  }
  std::string operator()(const LeaseTable& m) const {
    auto text = "table " + job(m.job);
    for (const auto& row : m.rows)
      text += (row.lessor ? " gave " : " holds ") + number(row.lease) + "/" +
              std::to_string(row.sequence);
    return text;
  }
  std::string operator()(const JobOver& m) const { return "over " + job(m.job); }
  std::string operator()(const auto&) const { return "something else"; }

private:
  static std::string number(std::uint64_t n) { return std::to_string(n % 100000); }
  static std::string job(const JobId& id) { return to_hex(id).substr(0, 4); }
};

inline std::string told(Time at, std::size_t from, std::size_t to, const Message& message) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(at.time_since_epoch());
  return std::to_string(double(us.count()) / 1e6) + "  " + std::to_string(from) + " -> " +
         std::to_string(to) + "  " + std::visit(Told{}, message);
}

} // namespace tessera::sim
