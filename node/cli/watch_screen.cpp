#include "node/cli/watch_screen.hpp"

#include "node/cli/job_talk.hpp"
#include "node/cli/terminal.hpp"

#include <algorithm>
#include <cmath>

namespace tessera::cli {
namespace {

constexpr std::size_t bar_cells = 20, strip_least = 10;

bool continues(char c) { // A code point that began before.
  return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

std::size_t cells(std::string_view text) {
  return std::size_t(std::count_if(text.begin(), text.end(), [](char c) { return !continues(c); }));
}

// Its first `width` cells.
std::string cut(const std::string& text, std::size_t width) {
  std::size_t at = 0;
  for (std::size_t seen = 0; at < text.size(); ++at)
    if (!continues(text[at]) && seen++ == width)
      break;
  return text.substr(0, at);
}

std::string padded(const std::string& text, std::size_t width) {
  const auto have = cells(text);
  return have < width ? text + std::string(width - have, ' ') : text;
}

std::string bar(double part, std::size_t width) {
  const auto share = std::isfinite(part) ? std::clamp(part, 0.0, 1.0) : 0.0;
  const auto full = std::size_t(share * double(width));
  return "[" + std::string(full, '#') + std::string(width - full, '.') + "]";
}

double part_of(const nlohmann::json& job) {
  const auto total = number_at(job, "microtasks");
  return total ? double(number_at(job, "done")) / double(total) : 0;
}

std::string percent(double part) {
  return std::to_string(int(std::clamp(part, 0.0, 1.0) * 100)) + " %";
}

std::string rate_text(double per_second) {
  if (per_second <= 0)
    return "-";
  return per_second < 10 ? std::to_string(std::lround(per_second * 60)) + "/min"
                         : std::to_string(std::lround(per_second)) + "/s";
}

bool runs(const nlohmann::json& job) {
  const auto state = text_at(job, "state");
  return state == "running" || state == "queued";
}

const Progress* progress_of(const WatchView& view, const nlohmann::json& job) {
  const auto known = view.progress.find(text_at(job, "job"));
  return known == view.progress.end() ? nullptr : &known->second;
}

std::string eta_of(const WatchView& view, const nlohmann::json& job) {
  const auto* seen = progress_of(view, job);
  const auto to_go = seen && runs(job) ? seen->seconds_to_go() : std::nullopt;
  return to_go ? seconds(*to_go * 1000) : "-";
}

double rate_of(const WatchView& view, const nlohmann::json& job) {
  const auto* seen = progress_of(view, job);
  return seen && runs(job) ? seen->rate() : 0;
}

class Screen {
public:
  Screen(const WatchView& view, const WatchSize& size) : v_(view), size_(size) {}

  std::vector<std::string> made() {
    head();
    if (v_.one)
      one_job();
    else
      all_jobs();
    peers();
    foot();
    return std::move(lines_);
  }

private:
  std::size_t room() const { // But for the last line.
    return size_.height > lines_.size() + 1 ? size_.height - lines_.size() - 1 : 0;
  }
  void line(const std::string& text, const char* paint = nullptr) {
    if (room() == 0)
      return;
    const auto shown = cut(text, size_.width);
    lines_.push_back(size_.colour && paint ? "\x1b[" + std::string{paint} + "m" + shown + "\x1b[0m"
                                           : shown);
  }
  void rows(const std::vector<std::vector<std::string>>& table, std::size_t most) {
    std::vector<std::size_t> widths;
    for (const auto& row : table)
      for (std::size_t i = 0; i < row.size(); ++i) {
        widths.resize(std::max(widths.size(), i + 1));
        widths[i] = std::max(widths[i], cells(row[i]));
      }
    for (std::size_t r = 0; r < table.size() && r < most; ++r) {
      std::string text;
      for (std::size_t i = 0; i < table[r].size(); ++i)
        text += padded(table[r][i], widths[i] + 2);
      line(text, r == 0 ? "2" : nullptr);
    }
    if (table.size() > most && most > 0)
      line("... " + std::to_string(table.size() - most) + " more", "2");
  }

  void head() {
    const auto& s = v_.status;
    std::size_t running = 0;
    for (const auto& job : v_.jobs)
      running += runs(job);
    line("tessera  " + shown(text_at(s, "name")) + "  " + short_node(text_at(s, "id")) + "  " +
             std::to_string(number_at(s, "running")) + "/" + std::to_string(number_at(s, "slots")) +
             " slots  " + std::to_string(v_.peers.size()) + " nodes" +
             (v_.one ? "" : "  " + std::to_string(running) + " jobs run") +
             (s.contains("pause") && s["pause"].is_object() ? "  paused" : ""),
         "1");
    if (!v_.trouble.empty())
      line(shown(v_.trouble), "31");
    line("");
  }

  void all_jobs() {
    std::vector<std::vector<std::string>> table{
        {"JOB", "KERNEL", "STATE", "PRIO", "PROGRESS", "", "RATE", "PEERS", "ETA"}};
    auto jobs = v_.jobs;
    std::stable_partition(jobs.begin(), jobs.end(), runs);
    for (const auto& job : jobs) {
      const auto priority = job.find("priority");
      table.push_back({short_job(text_at(job, "job")), shown(text_at(job, "kernel")),
                       shown(text_at(job, "state")),
                       priority != job.end() && priority->is_number_integer()
                           ? std::to_string(priority->get<int>())
                           : "0",
                       bar(part_of(job), bar_cells),
                       percent(part_of(job)) + "  " + std::to_string(number_at(job, "done")) + "/" +
                           std::to_string(number_at(job, "microtasks")),
                       rate_text(rate_of(v_, job)), std::to_string(number_at(job, "peers")),
                       eta_of(v_, job)});
    }
    // Peers have a third of the screen, if they need it.
    const auto wanted = std::min(v_.peers.size() + 2, size_.height / 3);
    const auto most = room() > wanted + 1 ? room() - wanted - 1 : room();
    if (v_.jobs.empty())
      return line("no jobs yet");
    rows(table, table.size() > most && most > 0 ? most - 1 : most);
    line("");
  }

  // # done, + with peers, = here, . queued.
  std::string strip() const {
    const auto& job = v_.jobs.front();
    const auto total = double(std::max<std::uint64_t>(1, number_at(job, "microtasks")));
    const auto width = std::max(strip_least, size_.width > 2 ? size_.width - 2 : 0);
    std::string text;
    double sum = 0;
    const auto add = [&](std::uint64_t leaves, char sign) {
      sum += double(leaves);
      const auto end = std::min(width, std::size_t(std::llround(sum / total * double(width))));
      text += std::string(end > text.size() ? end - text.size() : 0, sign);
    };
    add(number_at(job, "done"), '#');
    add(v_.why.is_object() ? number_at(v_.why, "leased") : 0, '+');
    add(v_.why.is_object() ? number_at(v_.why, "running") : 0, '=');
    return "[" + text + std::string(width - text.size(), '.') + "]";
  }

  void one_job() {
    if (v_.jobs.empty())
      return line("the job is not known any more");
    const auto& job = v_.jobs.front();
    line("job " + short_job(text_at(job, "job")) + "  " + shown(text_at(job, "kernel")) + "  " +
         shown(text_at(job, "state")) + "  " + seconds(number_at(job, "elapsed_ms")));
    line(round_of(job) + percent(part_of(job)) + "  " + std::to_string(number_at(job, "done")) +
         "/" + std::to_string(number_at(job, "microtasks")) + "  " + rate_text(rate_of(v_, job)) +
         "  " + std::to_string(number_at(job, "rerun")) + " re-run  " +
         bytes(number_at(job, "moved_bytes")) + " moved  ETA " + eta_of(v_, job));
    line(strip(), "32");
    line("# done  + with peers  = here  . queued", "2");
    if (v_.why.is_object())
      for (const auto& reason : v_.why.value("why", nlohmann::json::array()))
        line("  " + shown(reason.is_string() ? reason.get<std::string>() : ""));
    line("");
    shares(job);
  }

  void shares(const nlohmann::json& job) {
    const auto list = job.value("shares", nlohmann::json::array());
    std::uint64_t whole = 0;
    for (const auto& share : list)
      whole += number_at(share, "microtasks");
    std::vector<std::vector<std::string>> table{
        {"NODE", "NAME", "SHARE", "", "MICROTASKS", "CPU", "RECEIVED"}};
    for (const auto& share : list) {
      const auto part = whole ? double(number_at(share, "microtasks")) / double(whole) : 0;
      table.push_back(
          {short_node(text_at(share, "node")), shown(text_at(share, "name")), bar(part, bar_cells),
           percent(part), std::to_string(number_at(share, "microtasks")),
           seconds(number_at(share, "cpu_ms")), bytes(number_at(share, "received_bytes"))});
    }
    if (table.size() > 1)
      rows(table, std::max<std::size_t>(2, room() / 2));
    line("");
  }

  void peers() {
    std::vector<std::vector<std::string>> table{
        {"PEER", "NAME", "VIA", "LOAD", "", "SPEED", "STATE"}};
    for (const auto& peer : v_.peers) {
      const auto slots = number_at(peer, "slots"), running = number_at(peer, "running");
      const bool self = peer.contains("self") && peer["self"] == true;
      table.push_back({short_node(text_at(peer, "id")) + (self ? " (me)" : ""),
                       shown(text_at(peer, "name")), shown(text_at(peer, "via")),
                       bar(slots ? double(running) / double(slots) : 0, 8),
                       std::to_string(running) + "/" + std::to_string(slots),
                       std::to_string(number_at(peer, "speed")), shown(text_at(peer, "state"))});
    }
    rows(table, table.size() > room() && room() > 0 ? room() - 1 : room());
  }

  void foot() {
    if (size_.height == 0)
      return;
    while (lines_.size() + 1 < size_.height)
      lines_.emplace_back();
    const auto text = cut("q quits", size_.width);
    lines_.push_back(size_.colour ? "\x1b[2m" + text + "\x1b[0m" : text);
  }

  const WatchView& v_;
  const WatchSize& size_;
  std::vector<std::string> lines_;
};

} // namespace

void WatchView::see(std::uint64_t at_ms) {
  std::map<std::string, Progress> seen;
  for (const auto& job : jobs) {
    const auto id = text_at(job, "job");
    auto& p = seen[id] = std::move(progress[id]);
    p.see({at_ms, number_at(job, "done"), number_at(job, "microtasks"), number_at(job, "peers")});
  }
  progress = std::move(seen); // Those that are gone are forgotten.
}

std::vector<std::string> watch_lines(const WatchView& view, const WatchSize& size) {
  return Screen{view, size}.made();
}

std::string watch_line(const WatchView& view, const nlohmann::json& job) {
  return short_job(text_at(job, "job")) + "  " + shown(text_at(job, "kernel")) + "  " +
         shown(text_at(job, "state")) + "  " + round_of(job) + percent(part_of(job)) + "  " +
         std::to_string(number_at(job, "done")) + "/" +
         std::to_string(number_at(job, "microtasks")) + "  " + rate_text(rate_of(view, job)) +
         "  " + std::to_string(number_at(job, "peers")) + " peers  ETA " + eta_of(view, job);
}

} // namespace tessera::cli
