#include "crypto/identity.hpp"
#include "node/cli/api.hpp"
#include "node/cli/failed.hpp"
#include "node/cli/verbs.hpp"
#include "node/kernels/nearest.hpp"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <thread>

namespace tessera::cli {

using Json = nlohmann::json;

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto stop_time_max = 30s;
constexpr auto stop_poll = 50ms;

// A zombie is gone, as far as its folder and ports are concerned.
bool process_lives(std::uint64_t pid) {
  std::ifstream in{"/proc/" + std::to_string(pid) + "/stat"};
  std::string line;
  if (pid == 0 || !std::getline(in, line))
    return false;
  const auto name_end = line.rfind(')');
  const char state = name_end + 2 < line.size() ? line[name_end + 2] : 'X';
  return state != 'Z' && state != 'X';
}

void wait_until_gone(Api& api, std::uint64_t pid) {
  const auto give_up = Clock::now() + stop_time_max;
  while (process_lives(pid) || api.answers()) {
    if (Clock::now() >= give_up)
      throw Failed{Exit::timeout,
                   {"E309", "the node is still there",
                    "it was told to stop " + std::to_string(stop_time_max.count()) + " s ago",
                    "wait, or end process " + std::to_string(pid)}};
    std::this_thread::sleep_for(stop_poll);
  }
}

// A node may be gone before its answer is.
void ask_to_stop(Api& api) {
  try {
    api.post("/v1/stop");
  } catch (const Failed& failed) {
    if (failed.exit() != Exit::no_node)
      throw;
  }
}

std::string slots_of(const Json& of) {
  return std::to_string(number_at(of, "running")) + "/" + std::to_string(number_at(of, "slots"));
}

std::string rtt_of(const Json& peer) {
  const auto rtt = peer.find("rtt_ms");
  if (rtt == peer.end() || !rtt->is_number())
    return "-";
  char text[32];
  std::snprintf(text, sizeof text, rtt->get<double>() < 10 ? "%.1f ms" : "%.0f ms",
                rtt->get<double>());
  return text;
}

// Whether others can dial this node, as far as they said.
std::string reach_text(const Json& status) {
  const auto reach = status.value("reach", Json::object());
  const auto by = short_node(text_at(reach, "by")) + " " + shown(text_at(reach, "by_name"));
  const auto can = reach.value("dialable", Json{});
  if (!can.is_boolean())
    return number_at(status, "peers") > 1 ? "nobody could check yet" : "";
  if (can == true)
    return "can be dialled, " + by + " did";
  const auto tried = number_at(reach, "tried");
  return "cannot be dialled: " + shown(text_at(reach, "why")) + ", when " + by +
         (tried > 1 ? " and others" : "") + " tried; open the port, or give --listen";
}

std::vector<std::string> row(const Json& peer) {
  const bool self = peer.value("self", Json{}) == true;
  return {short_node(text_at(peer, "id")) + (self ? " (me)" : ""),
          shown(text_at(peer, "name")),
          shown(text_at(peer, "via")),
          rtt_of(peer),
          slots_of(peer),
          shown(text_at(peer, "version")),
          shown(text_at(peer, "state")) +
              (peer.value("dialable", Json{}) == false ? ", cannot be dialled" : "")};
}

// "size=1024, 1 to 16384": default and bounds, as far as they are known.
std::string range_of(const Json& param) {
  const auto as_text = [&](const char* name) {
    const auto it = param.find(name);
    if (it == param.end() || it->is_null())
      return std::string{};
    return it->is_string() ? shown(it->get<std::string>()) : it->dump();
  };
  std::string out = shown(text_at(param, "type"));
  if (const auto choices = param.value("choices", Json::array()); !choices.empty()) {
    out.clear();
    for (const auto& choice : choices)
      out += (out.empty() ? "" : "|") + shown(choice.is_string() ? choice.get<std::string>() : "?");
  } else if (!as_text("min").empty() || !as_text("max").empty()) {
    out += " " + as_text("min") + " to " + as_text("max");
  }
  return out;
}

std::string default_of(const Json& param) {
  const auto it = param.find("default");
  if (it == param.end() || it->is_null())
    return "-";
  return it->is_string() ? shown(it->get<std::string>()) : it->dump();
}

void show_kernel(const Json& kernel, Terminal& terminal) {
  const auto name = shown(text_at(kernel, "name"));
  const bool input = kernel.value("wants_input", Json{}) == true;
  const bool items = kernel.value("wants_items", Json{}) == true;
  terminal.data(name + "  " + shown(text_at(kernel, "help")));
  std::vector<std::vector<std::string>> rows{{"PARAMETER", "DEFAULT", "VALUES", "MEANING"}};
  for (const auto& param : kernel.value("params", Json::array()))
    rows.push_back({shown(text_at(param, "name")), default_of(param), range_of(param),
                    shown(text_at(param, "help"))});
  if (rows.size() > 1)
    terminal.data(table(rows));
  if (name == "wasm")
    return terminal.next("tessera run FILE.wasm --items 1000000");
  terminal.next("tessera submit " + name + (items ? " --items 1000000" : "") +
                (input ? " --input FILE" : ""));
}

std::string listed(const Json& list, const char* separator) {
  std::string out;
  for (const auto& item : list)
    out +=
        (out.empty() ? "" : separator) + (item.is_string() ? shown(item.get<std::string>()) : "?");
  return out;
}

constexpr std::size_t digits_shown = 12; // Of a module's hash.

std::vector<std::string> module_row(const Json& module) {
  const auto signers = module.value("signed_by", Json::array());
  const auto first = signers.empty() ? Json{} : signers.front();
  return {shown(text_at(module, "module")).substr(0, digits_shown),
          shown(text_at(module, "name")),
          bytes(number_at(module, "size")),
          listed(module.value("exports", Json::array()), ","),
          bytes(number_at(module, "memory")),
          number_at(module, "fuel") ? std::to_string(number_at(module, "fuel")) : "-",
          seconds(number_at(module, "time_ms")),
          std::to_string(number_at(module, "jobs")),
          (first.is_string() ? short_node(first.get<std::string>()) : "?") +
              (signers.size() > 1 ? " +" + std::to_string(signers.size() - 1) : "")};
}

// Those that jobs brought here.
void show_modules(const Json& modules, Terminal& terminal) {
  if (modules.empty())
    return;
  std::vector<std::vector<std::string>> rows{
      {"MODULE", "NAME", "SIZE", "EXPORTS", "MEMORY", "FUEL", "TIME", "JOBS", "SIGNED BY"}};
  for (const auto& module : modules)
    rows.push_back(module_row(module));
  terminal.data(table(rows));
}

// What a node works on, and for whom.
std::vector<std::string> work_row(const Json& work) {
  const auto name = text_at(work, "name");
  const auto submitter = text_at(work, "submitter_name");
  return {
      short_job(text_at(work, "job")),
      shown(text_at(work, "kernel")) +
          (name.empty()
               ? ""
               : "  " + shown(name) + " " + shown(text_at(work, "module")).substr(0, digits_shown)),
      short_node(text_at(work, "submitter")) + (submitter.empty() ? "" : " " + shown(submitter))};
}

const Json& named_kernel(const Json& list, const std::string& name) {
  std::vector<std::string> names;
  for (const auto& kernel : list) {
    if (text_at(kernel, "name") == name)
      return kernel;
    names.push_back(text_at(kernel, "name"));
  }
  const auto near = nearest(name, names);
  throw Failed{exit_of("E423", 0),
               {"E423", "there is no kernel \"" + name + "\"", "this node knows no such kernel",
                near.empty() ? "see them all: tessera kernels" : "did you mean " + near + "?"}};
}

} // namespace

void stop(const Command& c, Terminal& terminal) {
  Api api{c.common};
  // A process id means something on the node's own machine only.
  const auto pid = c.common.api.empty() ? number_at(api.get("/v1/status"), "pid") : 0;
  ask_to_stop(api);
  wait_until_gone(api, pid);
  if (c.common.json)
    return terminal.json({{"stopped", true}});
  terminal.note("stopped; what it was working on goes on elsewhere");
  terminal.next("tessera start");
}

void status(const Command& c, Terminal& terminal) {
  Api api{c.common};
  const auto s = api.get("/v1/status");
  if (c.common.json)
    return terminal.json(s);
  const bool open = s.value("open", Json{}) == true;
  const auto mesh = text_at(s, "mesh");
  std::vector<std::vector<std::string>> lines{
      {"node", shown(text_at(s, "name")) + "  " + shown(text_at(s, "id"))},
      {"mesh", (open ? "open" : "private") + (mesh.empty() ? "" : "  " + shown(mesh))},
      {"listening", shown(text_at(s, "listen"))},
      {"slots", std::to_string(number_at(s, "running")) + " of " +
                    std::to_string(number_at(s, "slots")) + " running"},
      {"peers", std::to_string(number_at(s, "peers"))},
      {"jobs", std::to_string(number_at(s, "jobs"))},
      {"up", seconds(number_at(s, "uptime_ms") / 1000 * 1000)},
      {"version", shown(text_at(s, "version"))},
  };
  const auto paused = pause_text(s);
  if (!paused.empty())
    lines.insert(lines.begin() + 1, {"paused", paused});
  if (const auto reach = reach_text(s); !reach.empty())
    lines.insert(std::next(lines.begin(), paused.empty() ? 3 : 4), {"reach", reach});
  if (const auto policy = shown(text_at(s, "policy")); !policy.empty())
    lines.push_back({"works", policy});
  terminal.data(table(lines));
  std::vector<std::vector<std::string>> works{{"JOB", "KERNEL", "FOR"}};
  for (const auto& work : s.value("working", Json::array()))
    works.push_back(work_row(work));
  if (works.size() > 1)
    terminal.data(table(works));
  if (!paused.empty())
    return terminal.next("tessera resume");
  terminal.next(number_at(s, "peers") <= 1 && !open ? "tessera invite"
                                                    : "tessera submit mandelbrot -o m.png");
}

void id(const Command& c, Terminal& terminal) {
  std::string text;
  if (c.common.api.empty()) {
    const auto file = c.common.paths().key;
    std::error_code bad;
    if (!std::filesystem::exists(file, bad))
      throw Failed{Exit::not_found,
                   {"E102", "there is no identity yet", file.string() + " does not exist",
                    "the first start makes one: tessera start"}};
    const auto identity = Identity::load_or_create(file);
    if (!identity)
      throw Failed{Exit::denied, identity.error()};
    text = to_text(identity->id());
  } else {
    text = text_at(Api{c.common}.get("/v1/status"), "id");
  }
  if (c.common.json)
    return terminal.json({{"id", text}});
  terminal.data(shown(text));
}

void invite(const Command& c, Terminal& terminal) {
  Api api{c.common};
  const auto answer = api.get("/v1/invite");
  if (c.common.json)
    return terminal.json(answer);
  const auto text = shown(text_at(answer, "invite"));
  terminal.data(text);
  terminal.note(" next  on another machine: tessera start --join " + text);
}

void peers(const Command& c, Terminal& terminal) {
  Api api{c.common};
  const auto list = api.get("/v1/peers").value("peers", Json::array());
  if (c.common.json) {
    for (const auto& peer : list)
      terminal.json(peer);
    return;
  }
  std::vector<std::vector<std::string>> rows{
      {"PEER", "NAME", "VIA", "RTT", "SLOTS", "VERSION", "STATE"}};
  for (const auto& peer : list)
    rows.push_back(row(peer));
  terminal.data(table(rows));
  terminal.next(list.size() > 1 ? "tessera submit mandelbrot -o m.png" : "tessera invite");
}

void kernels(const Command& c, Terminal& terminal) {
  Api api{c.common};
  const auto answer = api.get("/v1/kernels");
  const auto list = answer.value("kernels", Json::array());
  const auto modules = answer.value("modules", Json::array());
  if (!c.subject.empty()) {
    const auto& kernel = named_kernel(list, c.subject);
    return c.common.json ? terminal.json(kernel) : show_kernel(kernel, terminal);
  }
  if (c.common.json) {
    for (const auto* each : {&list, &modules})
      for (const auto& kernel : *each)
        terminal.json(kernel);
    return;
  }
  std::vector<std::vector<std::string>> rows;
  for (const auto& kernel : list)
    rows.push_back({shown(text_at(kernel, "name")), shown(text_at(kernel, "help"))});
  terminal.data(table(rows));
  show_modules(modules, terminal);
  terminal.next("tessera kernels NAME");
}

} // namespace tessera::cli
