#include "node/metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

namespace tessera {

namespace {

using Labels = std::map<std::string, std::string>;

// From a tenth of a second to a day.
const prometheus::Histogram::BucketBoundaries seconds_buckets{0.1, 0.3, 1,    3,    10,    30,
                                                              100, 300, 1000, 3600, 14400, 86400};

// Fields of /proc/self/stat, as proc(5) numbers them from 1; none where it cannot be read.
std::vector<std::string> process_stat() {
  std::ifstream in{"/proc/self/stat"};
  std::string line;
  std::getline(in, line);
  const auto name_end = line.rfind(')'); // The name may hold anything.
  std::vector<std::string> fields{"", "", ""};
  if (name_end == line.npos)
    return {};
  std::istringstream rest{line.substr(name_end + 1)};
  for (std::string field; rest >> field;)
    fields.push_back(field);
  return fields;
}

double boot_seconds() { // Of the machine, in Unix time.
  std::ifstream in{"/proc/stat"};
  for (std::string word; in >> word;)
    if (word == "btime") {
      double at = 0;
      in >> at;
      return at;
    }
  return 0;
}

double open_fds() {
  double n = 0;
  std::error_code bad;
  for (auto it = std::filesystem::directory_iterator("/proc/self/fd", bad);
       !bad && it != std::filesystem::directory_iterator{}; it.increment(bad))
    ++n;
  return n;
}

} // namespace

struct Metrics::Families {
  prometheus::Registry registry;
  prometheus::Family<prometheus::Histogram>& job_seconds =
      prometheus::BuildHistogram()
          .Name("tessera_job_seconds")
          .Help("How long jobs rooted here took, by how they ended.")
          .Register(registry);

  void count(const char* name, const char* help, double value, const Labels& labels = {}) {
    auto& counter = prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add(labels);
    if (value > counter.Value())
      counter.Increment(value - counter.Value());
  }
  void gauge(const char* name, const char* help, double value, const Labels& labels = {}) {
    prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add(labels).Set(value);
  }

  void work(const MetricValues& v) {
    count("tessera_microtasks_total", "Microtasks run on this node.", double(v.microtasks));
    count("tessera_microtasks_again_total", "Microtasks known to be run more than once.",
          double(v.microtasks_again));
    count("tessera_merges_total", "Merges done on this node.", double(v.merges));
    constexpr auto steals = "Leases taken from peers (in), and given to them (out).";
    count("tessera_steals_total", steals, double(v.steals_in), {{"direction", "in"}});
    count("tessera_steals_total", steals, double(v.steals_out), {{"direction", "out"}});
    constexpr auto leases = "Leases given that ended, by how.";
    count("tessera_leases_ended_total", leases, double(v.leases_returned), {{"how", "returned"}});
    count("tessera_leases_ended_total", leases, double(v.leases_reclaimed), {{"how", "reclaimed"}});
    count("tessera_leases_ended_total", leases, double(v.leases_void), {{"how", "void"}});
    constexpr auto results =
        "Results of blocks that were done already; a conflict is a lie or a bug.";
    count("tessera_results_again_total", results, double(v.results_duplicate),
          {{"kind", "duplicate"}});
    count("tessera_results_again_total", results, double(v.results_overlap), {{"kind", "overlap"}});
    count("tessera_results_again_total", results, double(v.results_conflict),
          {{"kind", "conflict"}});
    count("tessera_outputs_lost_total", "Outputs lost with all nodes that held them.",
          double(v.outputs_lost));
    count("tessera_outputs_copied_total", "Copies of output asked of other nodes.",
          double(v.outputs_copied));
  }

  void state(const MetricValues& v) {
    gauge("tessera_build_info", "The version of this node, as a label.", 1,
          {{"version", v.version}});
    for (const auto& [state, n] : v.jobs)
      gauge("tessera_jobs", "Jobs rooted here, by state.", double(n), {{"state", state}});
    gauge("tessera_peers", "Nodes known to this one, itself included.", double(v.peers));
    gauge("tessera_sessions", "Peers with an open session.", double(v.sessions));
    constexpr auto slots = "Slots of this node, by state.";
    gauge("tessera_slots", slots, double(v.slots_running), {{"state", "running"}});
    gauge("tessera_slots", slots, double(v.slots_free), {{"state", "free"}});
    gauge("tessera_paused", "Whether this node's owner has it paused.", v.paused);
    gauge("tessera_blobs", "Blobs kept on this node's disk.", double(v.blobs));
    gauge("tessera_blob_bytes", "Bytes of them.", double(v.blob_bytes));
    gauge("tessera_blob_quota_bytes", "What they may take.", double(v.blob_quota_bytes));
  }

  void traffic(const MetricValues& v) {
    constexpr auto bytes = "Bytes of sessions with peers, ciphertext and framing included.";
    count("tessera_bytes_total", bytes, double(v.sent_bytes), {{"direction", "sent"}});
    count("tessera_bytes_total", bytes, double(v.received_bytes), {{"direction", "received"}});
    gauge("tessera_event_streams", "Event streams that are open.", double(v.streams));
    count("tessera_events_total", "Events written to the log.", double(v.events));
    for (const auto& [what, n] : v.requests)
      count("tessera_http_requests_total", "Calls of the local API, by route and status.",
            double(n), {{"route", what.first}, {"code", std::to_string(what.second)}});
  }

  // As client libraries tell it; of the node's own process, workers apart.
  void process() {
    const auto stat = process_stat();
    if (stat.size() <= 24)
      return;
    const auto ticks = double(::sysconf(_SC_CLK_TCK));
    const auto field = [&](std::size_t number) { return std::stod(stat[number]); };
    count("process_cpu_seconds_total", "Processor time of the node's own process.",
          (field(14) + field(15)) / ticks);
    gauge("process_start_time_seconds", "When it started, in Unix time.",
          boot_seconds() + field(22) / ticks);
    gauge("process_virtual_memory_bytes", "Its virtual memory.", field(23));
    gauge("process_resident_memory_bytes", "Its resident memory.",
          field(24) * double(::sysconf(_SC_PAGESIZE)));
    gauge("process_open_fds", "Its open files.", open_fds());
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    gauge("process_max_fds", "How many it may open.", double(files.rlim_cur));
  }
};

Metrics::Metrics() : families_(std::make_unique<Families>()) {
  for (const auto* state : {"done", "failed", "cancelled"}) // There from the start, at zero.
    families_->job_seconds.Add({{"state", state}}, seconds_buckets);
}
Metrics::~Metrics() = default;

void Metrics::job_ended(const std::string& state, double seconds) {
  families_->job_seconds.Add({{"state", state}}, seconds_buckets).Observe(seconds);
}

std::string Metrics::text(const MetricValues& values) {
  families_->work(values);
  families_->state(values);
  families_->traffic(values);
  families_->process();
  return prometheus::TextSerializer{}.Serialize(families_->registry.Collect());
}

} // namespace tessera
