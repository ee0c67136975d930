#include "node/cli/job_talk.hpp"

#include "node/cli/failed.hpp"
#include "node/cli/output_file.hpp"
#include "node/cli/progress.hpp"

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstring>
#include <unistd.h>

namespace tessera::cli {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t log_every_ms = 10'000;
constexpr std::string_view single_tasks = "application/x-ndjson";
constexpr std::size_t text_kept_max = std::size_t{1} << 20;

char last_words[1024];
char last_answer[256];
struct sigaction before_interrupt;

// Only what POSIX allows in a signal handler.
void detach(int) {
  if (unfinished_file()[0])
    unlink(unfinished_file());
  [[maybe_unused]] auto said = write(STDERR_FILENO, last_words, std::strlen(last_words));
  said = write(STDOUT_FILENO, last_answer, std::strlen(last_answer));
  _exit(int(Exit::interrupted));
}

bool ended(const std::string& state) {
  return state == "done" || state == "failed" || state == "cancelled";
}

std::uint64_t since(Clock::time_point start) {
  return std::uint64_t(
      std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start).count());
}

Failed still_runs(const std::string& job, std::chrono::seconds timeout) {
  return {Exit::timeout,
          {"E413", "job " + short_job(job) + " still runs",
           "it did not end in " + std::to_string(timeout.count()) + " s",
           "wait longer: tessera wait " + short_job(job)}};
}

std::string kernel_name(const Json& job) {
  std::string name;
  for (const char c : text_at(job, "kernel")) {
    if (c == '@')
      break;
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    name += plain || c == '_' ? c : '-';
  }
  return name.empty() ? "result" : name;
}

std::string extension(const std::string& type) {
  if (type.starts_with("image/png"))
    return ".png";
  if (type.starts_with("image/jpeg"))
    return ".jpg";
  if (type.starts_with("image/x-portable"))
    return ".pnm";
  if (type.starts_with("application/json"))
    return ".json";
  if (type.starts_with(single_tasks))
    return ".ndjson";
  return type.starts_with("text/") ? ".txt" : ".bin";
}

// " (32 peer gone, 1 crashed)"; empty: none was.
std::string rerun_why(const Json& job) {
  std::string text;
  const auto why = job.value("rerun_why", Json::object());
  for (const auto& [reason, count] : why.items())
    if (count.is_number_unsigned() && count.get<std::uint64_t>() > 0) {
      auto words = reason;
      std::ranges::replace(words, '_', ' ');
      text += (text.empty() ? "" : ", ") + std::to_string(count.get<std::uint64_t>()) + " " + words;
    }
  return text.empty() ? "" : " (" + shown(text) + ")";
}

// "1.2 MiB moved  93 % efficient", as far as the node says.
std::string spent(const Json& job) {
  std::string text;
  if (job.contains("moved_bytes"))
    text += bytes(number_at(job, "moved_bytes")) + " moved";
  if (const auto e = job.find("efficiency"); e != job.end() && e->is_number())
    text += "  " + std::to_string(std::lround(e->get<double>() * 100)) + " % efficient";
  return text;
}

std::string percent(std::uint64_t part, std::uint64_t whole) {
  return std::to_string(whole ? part * 100 / whole : 0) + " %";
}

} // namespace

std::string job_path(std::string_view job) {
  return "/v1/jobs/" + segment(job);
}

std::string round_of(const Json& job) {
  const auto rounds = number_at(job, "rounds");
  if (job.contains("tasks") && job["tasks"].is_number())
    return std::to_string(number_at(job, "tasks")) + " tasks  " +
           (ended(text_at(job, "state"))
                ? ""
                : std::to_string(number_at(job, "tasks_left")) + " wait  ") +
           "round " + std::to_string(number_at(job, "round")) + "  ";
  return rounds == 0 ? ""
                     : "round " + std::to_string(number_at(job, "round")) + "/" +
                           std::to_string(rounds) + "  ";
}

Json watch(Api& api, Terminal& terminal, const std::string& job,
           std::optional<std::chrono::seconds> timeout) {
  const auto start = Clock::now();
  std::uint64_t next_log = log_every_ms;
  Progress progress;
  for (;;) {
    auto now = api.get(job_path(job) + "?wait=1");
    if (ended(text_at(now, "state")))
      return terminal.over(""), now;
    progress.see({since(start), number_at(now, "done"), number_at(now, "microtasks"),
                  number_at(now, "peers")});
    terminal.over(round_of(now) + progress.bar());
    if (!terminal.live() && since(start) >= next_log) {
      terminal.note(round_of(now) + progress.line());
      next_log += log_every_ms;
    }
    if (timeout && Clock::now() - start >= *timeout)
      throw still_runs(job, *timeout);
  }
}

DetachOnInterrupt::DetachOnInterrupt(const Common& common, const std::string& job) {
  const auto where = common.data ? " --data " + *common.data : std::string{};
  const auto words = "\ndetached; job " + short_job(job) + " goes on\n next  tessera wait" + where +
                     " " + short_job(job) + "\n";
  const auto answer =
      common.json ? "{\"detached\":true,\"job\":\"" + shown(job) + "\",\"schema\":1}\n" : "";
  // A data folder's name too long for this is cut; the job's id stands before it.
  std::strncpy(last_words, words.c_str(), sizeof last_words - 1);
  std::strncpy(last_answer, answer.c_str(), sizeof last_answer - 1);
  struct sigaction action {};
  action.sa_handler = detach;
  sigaction(SIGINT, &action, &before_interrupt);
}

DetachOnInterrupt::~DetachOnInterrupt() {
  sigaction(SIGINT, &before_interrupt, nullptr);
}

void check_done(const Json& job) {
  const auto state = text_at(job, "state");
  const auto id = short_job(text_at(job, "job"));
  if (state == "cancelled")
    throw Failed{Exit::failed,
                 {"E602", "job " + id + " was cancelled", "its submitter asked for that",
                  "submit it again if you need it"}};
  if (state != "failed")
    return;
  const auto error = job.value("error", Json::object());
  const auto said = [&](const char* name, const char* otherwise) {
    const auto text = text_at(error, name);
    return text.empty() ? std::string{otherwise} : text;
  };
  throw Failed{exit_of(text_at(error, "code"), 0),
               {said("code", "E600"), said("what", ("job " + id + " failed").c_str()),
                said("why", "the node gives no reason"), said("fix", "see: tessera jobs")}};
}

void summarize(Terminal& terminal, const Json& job, const std::string& file) {
  const auto microtasks = number_at(job, "microtasks");
  terminal.note(terminal.painted("done", Paint::good) + " " +
                seconds(number_at(job, "elapsed_ms")) + "  " + round_of(job) +
                std::to_string(microtasks) + (microtasks == 1 ? " microtask  " : " microtasks  ") +
                std::to_string(number_at(job, "rerun")) + " re-run" + rerun_why(job) +
                (number_at(job, "fuel") ? "  fuel " + std::to_string(number_at(job, "fuel")) : "") +
                (file.empty() ? "" : "  " + file));
  if (const auto text = spent(job); !text.empty())
    terminal.note(text);
  std::vector<std::vector<std::string>> rows{
      {"NODE", "NAME", "SHARE", "MICROTASKS", "STEALS", "MERGES"}};
  const auto shares = job.value("shares", Json::array());
  std::uint64_t whole = 0;
  for (const auto& share : shares)
    whole += number_at(share, "microtasks");
  for (const auto& share : shares)
    rows.push_back({short_node(text_at(share, "node")), shown(text_at(share, "name")),
                    percent(number_at(share, "microtasks"), whole),
                    std::to_string(number_at(share, "microtasks")),
                    std::to_string(number_at(share, "steals")),
                    std::to_string(number_at(share, "merges"))});
  if (rows.size() == 1)
    return;
  auto text = table(rows);
  text.pop_back();
  terminal.note(text);
}

Saved save_result(Api& api, const Json& job, const std::string& output, bool keep_text) {
  Saved saved;
  std::optional<OutputFile> file;
  std::size_t size = 0;
  bool kept = false, single = false;
  char last = '\n';
  const auto opened = [&](const std::string& type) {
    single = type.starts_with(single_tasks);
    const bool to_screen = output.empty() && (single || type.starts_with("text/plain") ||
                                              type.starts_with("application/json"));
    kept = to_screen && keep_text;
    if (kept)
      return;
    if (!to_screen)
      saved.file = !output.empty() ? output
                                   : "./" + kernel_name(job) + "-" +
                                         short_job(text_at(job, "job")) + extension(type);
    file.emplace(to_screen ? "-" : saved.file);
  };
  const auto chunk = [&](std::string_view bytes) {
    size += bytes.size();
    if (single)
      saved.tasks.pass(bytes);
    last = bytes.empty() ? last : bytes.back();
    if (!kept)
      return file->write(bytes);
    if (size > text_kept_max)
      throw usage("the result is too long for --json", "it has more than 1 MiB of text",
                  "name a file: -o FILE");
    saved.text.append(bytes);
  };
  api.download(job_path(text_at(job, "job")) + "/result", opened, chunk);
  if (file && saved.file.empty() && last != '\n')
    file->write("\n");
  if (file)
    file->commit();
  if (saved.file == "-")
    saved.file.clear();
  return saved;
}

} // namespace tessera::cli
