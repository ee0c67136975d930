#include "node/api_json.hpp"

#include "node/kernels/native.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace tessera {
namespace {

constexpr std::size_t pause_body_bytes_max = 4096;
struct Most {
  std::uint64_t count;
  const char* text;
};
constexpr Most items_most{std::uint64_t{1} << 63, "2^63"}, rounds_most{0xffffffff, "2^32 - 1"},
    budget_most{1 << 20, "2^20"};

// What a caller said, cut to what fits a line.
std::string shown(const std::string& said) {
  return said.substr(0, 40) + (said.size() > 40 ? "..." : "");
}

Error bad_body(std::string why) {
  return {"E400", "this job cannot be read", std::move(why),
          "wanted is {\"kernel\", \"params\", \"items\", \"leaf\", \"input\", \"module\", "
          "\"module_params\", \"rounds\", \"state\", \"tree\", \"budget\", \"each\", "
          "\"priority\", \"require\", \"ttl\", \"wait_for_peers\"}"};
}

// A count may come as a number or, past 2^53, as text. 0: not said.
Result<std::uint64_t> count_of(const Json* value, const std::string& name,
                               const Most& most = items_most) {
  if (!value)
    return std::uint64_t{0};
  std::uint64_t count = 0;
  if (value->is_number_unsigned()) {
    count = value->get<std::uint64_t>();
  } else if (value->is_string()) {
    const auto& text = value->get_ref<const std::string&>();
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (error != std::errc{} || end != text.data() + text.size())
      count = 0;
  }
  if (count >= 1 && count <= most.count)
    return count;
  const auto said = value->is_structured() ? std::string{} : " " + shown(value->dump());
  return Error{"E421", name + said + " is not possible",
               "it must be a whole number from 1 to " + std::string{most.text},
               "give another --" + name};
}

// Values are text; a number is taken for the text that it is.
Result<Params> params_of(const KernelInfo& info, const Json* params) {
  std::map<std::string, std::string> given;
  if (params && !params->is_object())
    return bad_body("\"params\" is no object");
  if (params)
    for (const auto& [name, value] : params->items()) {
      if (!value.is_string() && !value.is_number())
        return bad_body("\"" + shown(name) + "\" of \"params\" is neither text nor a number");
      given[name] = value.is_string() ? value.get<std::string>() : value.dump();
    }
  return check_params(info, given);
}

Json value_json(const ParamValue& value) {
  return std::visit([](const auto& v) { return Json(v); }, value);
}

Json param_json(const ParamSpec& param) {
  static constexpr std::array types{"integer", "number", "text"};
  Json json{{"name", param.name},
            {"type", types[param.fallback.index()]},
            {"default", value_json(param.fallback)},
            {"choices", param.choices},
            {"help", param.help}};
  if (std::holds_alternative<std::int64_t>(param.fallback)) {
    json["min"] = std::int64_t(param.min);
    json["max"] = std::int64_t(param.max);
  } else if (std::holds_alternative<double>(param.fallback)) {
    json["min"] = param.min;
    json["max"] = param.max;
  }
  return json;
}

Error unknown_kernel(const std::string& name) {
  const auto near = nearest_kernel(name);
  return {"E423", "there is no kernel \"" + shown(name) + "\"", "this node knows no such kernel",
          near.empty() ? "see them all: tessera kernels" : "did you mean " + near + "?"};
}

std::optional<Error> wrong_input(const KernelInfo& info, bool given) {
  if (info.wants_input && !given)
    return Error{"E422", info.name + " wants an input", "none was given", "name one: --input FILE"};
  if (!info.wants_input && given)
    return Error{"E422", info.name + " takes no input", "one was given", "leave out --input"};
  return std::nullopt;
}

std::optional<Error> wrong_tree(const KernelInfo& info, bool module, const JobRequest& request) {
  if (request.tree && !module)
    return Error{"E422", info.name + " has no tasks", "only modules spawn them",
                 "leave out --tree"};
  if (request.budget && !request.tree)
    return Error{"E422", "a budget is for a tree job", "it is how many tasks a lane runs",
                 "add --tree, or leave out --budget"};
  if (request.tree && (request.rounds || request.items || request.leaf || request.auto_leaf))
    return Error{"E422", "a tree job has no items, leaves or rounds of yours",
                 "it is of as many tasks as it spawns", "leave out --items, --leaf and --rounds"};
  return std::nullopt;
}

std::optional<Error> wrong_rounds(const KernelInfo& info, bool module, std::uint32_t rounds,
                                  bool state) {
  if (rounds && !module)
    return Error{"E422", info.name + " has no rounds", "only modules step from one to the next",
                 "leave out --rounds"};
  if (state && !rounds)
    return Error{"E422", "a state is for a job of rounds", "it is what the first begins with",
                 "say how many at most: --rounds N; or leave out --state"};
  return std::nullopt;
}

// A native kernel for each line is the kernel `each`, whose parameters are its name and theirs.
Result<JobRequest> each_request(const JobRequest& one, const Json* params, const Json* items) {
  const auto& each = each_kernel();
  auto with = params ? *params : Json::object();
  if (items)
    with["items"] = one.items;
  const auto checked =
      check_params(each.info(), {{"kernel", one.kernel->info().name}, {"with", with.dump()}});
  if (!checked)
    return checked.error();
  auto request = one;
  request.kernel = &each;
  request.params = *checked;
  request.items = 0;
  return request;
}

std::optional<Error> wrong_each(const KernelInfo& info, bool module, bool input,
                                const JobRequest& request) {
  if (info.wants_input)
    return Error{"E422", info.name + " cannot be run for each line", "it wants an input of its own",
                 "submit a job for each input, without --each"};
  if (input || request.rounds || request.tree || (module && request.items))
    return Error{"E422", "a map of single tasks has no input, rounds, tree or count of its own",
                 "each line or record of its file is a task",
                 "leave out --input, --rounds, --tree and --items"};
  return std::nullopt;
}

bool blob_of(const Json& hash, BlobId& to) {
  const auto bytes = hash.is_string() ? from_hex(hash.get<std::string>()) : std::optional<Bytes>{};
  if (!bytes || bytes->size() != to.bytes.size())
    return false;
  std::copy(bytes->begin(), bytes->end(), to.bytes.begin());
  return true;
}
Error bad_hash(const std::string& name) {
  return bad_body("\"" + name + "\" is no blob's hash of 64 hex digits");
}

// Which kernel is meant: a native one, or a module that is given.
std::optional<Error> kernel_of(const Json* name, const Json* module, JobRequest& request) {
  if (!name || !name->is_string())
    return bad_body("\"kernel\" is missing, or no text");
  const auto text = name->get<std::string>();
  const bool wasm = text == wasm::module_info().name;
  if (wasm && !module)
    return Error{"E422", "a module is missing", "the kernel wasm runs a module of your own",
                 "give it: tessera run FILE.wasm --items N"};
  if (!wasm && module)
    return Error{"E422", shown(text) + " takes no module", "one was given",
                 "modules are for the kernel wasm"};
  request.kernel = find_kernel(text);
  return wasm || request.kernel ? std::nullopt : std::optional{unknown_kernel(text)};
}

Json info_json(const KernelInfo& info) {
  Json params = Json::array();
  for (const auto& param : info.params)
    params.push_back(param_json(param));
  return {{"name", info.name},
          {"version", info.version},
          {"help", info.help},
          {"wants_input", info.wants_input},
          {"wants_items", info.wants_items},
          {"result", info.result},
          {"params", std::move(params)}};
}

Json module_json(const BlobId& id, const ModuleBook::Seen& seen) {
  Json signed_by = Json::array();
  for (const auto& node : seen.signed_by)
    signed_by.push_back(to_text(node));
  return {{"module", to_hex(id)},
          {"name", seen.name},
          {"size", seen.size},
          {"exports", seen.exports ? Json(*seen.exports) : Json(nullptr)},
          {"memory", seen.limits.memory_bytes},
          {"output", seen.limits.output_bytes},
          {"fuel", seen.limits.fuel},
          {"time_ms", seen.call_time.count()},
          {"jobs", seen.jobs},
          {"signed_by", std::move(signed_by)}};
}

} // namespace

std::string_view to_text(JobState state) {
  static constexpr std::array<std::string_view, 5> words{"queued", "running", "done", "failed",
                                                         "cancelled"};
  return words[std::size_t(state)];
}

std::string to_text(const Address& address) {
  const bool v6 = address.host.find(':') != std::string::npos;
  return (v6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

std::string type_of_result(const JobSpec& spec) {
  if (const auto settings = wasm::settings_of(spec.kernel, spec.params);
      wasm::is_module_kernel(spec.kernel) && settings && settings->each)
    return each_kernel().info().result;
  return result_type(spec.kernel, spec.params);
}

JobSummary summary_of(const JobStatus& status) {
  JobSummary sum;
  std::uint64_t slots = 0;
  for (const auto& share : status.shares) {
    sum.cpu_ns += share.cpu_ns;
    sum.moved_bytes += share.received_bytes;
    slots += share.cpu_ns > 0 ? share.slots : 0;
  }
  if (slots > 0 && status.elapsed_ms > 0)
    sum.efficiency = double(sum.cpu_ns) / (1e6 * double(status.elapsed_ms) * double(slots));
  return sum;
}

namespace {

Json reruns_json(const Reruns& r) {
  return {{"peer_gone", r.peer_gone}, {"silent", r.silent},         {"crashed", r.crashed},
          {"failed", r.failed},       {"duplicated", r.duplicated}, {"lost", r.lost},
          {"untold", r.untold}};
}

Json require_json(const Require& require) {
  if (!require.any())
    return nullptr;
  return {{"memory", require.memory_bytes ? Json(require.memory_bytes) : Json(nullptr)},
          {"arch", require.arch.empty() ? Json(nullptr) : Json(require.arch)}};
}

} // namespace

Json job_json(const JobStatus& status, const NameOf& name) {
  const auto& spec = status.spec->spec;
  Json json{{"schema", 1},
            {"job", to_hex(status.spec->id)},
            {"kernel", spec.kernel + "@" + std::to_string(spec.kernel_version)},
            {"state", to_text(status.state)},
            {"microtasks", spec.leaves()},
            {"done", status.leaves_done},
            {"rerun", status.reruns.sum()},
            {"rerun_why", reruns_json(status.reruns)},
            {"priority", spec.priority},
            {"require", require_json(spec.require)},
            {"deadline_ms", spec.deadline_ms ? Json(spec.deadline_ms) : Json(nullptr)},
            {"submitted_ms", spec.submitted_ms},
            {"items", spec.items},
            {"leaf", spec.leaf_items},
            {"elapsed_ms", status.elapsed_ms},
            {"rounds", spec.shape == Shape::rounds ? Json(spec.rounds) : Json(nullptr)},
            {"tasks", spec.shape == Shape::tree ? Json(status.tasks_run) : Json(nullptr)},
            {"tasks_left", spec.shape == Shape::tree ? Json(status.tasks_left) : Json(nullptr)},
            {"budget", spec.shape == Shape::tree ? Json(status.budget) : Json(nullptr)},
            {"round", status.round ? Json(status.round) : Json(nullptr)},
            {"fuel", status.fuel ? Json(status.fuel) : Json(nullptr)},
            {"peers", status.peers},
            {"root", to_text(status.root)},
            {"submitter", to_text(spec.submitter)},
            {"error", nullptr},
            {"result", nullptr},
            {"shares", Json::array()}};
  const auto& error = status.error;
  if (status.state == JobState::failed)
    json["error"] = {
        {"code", error.code}, {"what", error.what}, {"why", error.why}, {"fix", error.fix}};
  if (status.state == JobState::done)
    json["result"] = {{"blob", to_hex(status.result)},
                      {"size", status.result_size},
                      {"type", type_of_result(spec)}};
  for (const auto& share : status.shares)
    json["shares"].push_back({{"node", to_text(share.node)},
                              {"name", name(share.node)},
                              {"microtasks", share.leaves},
                              {"steals", share.steals},
                              {"merges", share.merges},
                              {"cpu_ms", double(share.cpu_ns) / 1e6},
                              {"received_bytes", share.received_bytes},
                              {"slots", share.slots}});
  const auto sum = summary_of(status);
  json["cpu_ms"] = double(sum.cpu_ns) / 1e6;
  json["moved_bytes"] = sum.moved_bytes;
  json["efficiency"] = sum.efficiency ? Json(*sum.efficiency) : Json(nullptr);
  return json;
}

Json kernels_json(const std::map<BlobId, ModuleBook::Seen>& modules) {
  Json list = Json::array(), seen = Json::array();
  for (const auto* kernel : kernels())
    list.push_back(info_json(kernel->info()));
  list.push_back(info_json(wasm::module_info()));
  for (const auto& [id, module] : modules)
    seen.push_back(module_json(id, module));
  return {{"schema", 1}, {"kernels", std::move(list)}, {"modules", std::move(seen)}};
}

Json pause_json(const std::optional<Pause>& pause) {
  if (!pause)
    return nullptr;
  return {{"since_ms", pause->since_ms},
          {"until_ms", pause->until_ms ? Json(*pause->until_ms) : Json(nullptr)},
          {"why", pause->why.empty() ? Json(nullptr) : Json(pause->why)}};
}

std::uint32_t running_of(const Record& r) {
  return r.paused ? 0 : r.slots - std::min(r.slots, r.slots_free);
}

Json peer_json(const PeerView& peer) {
  const auto& r = peer.record;
  Json addresses = Json::array();
  for (const auto& address : r.addresses)
    addresses.push_back(to_text(address));
  return {{"schema", 1},
          {"id", to_text(r.subject)},
          {"name", r.name},
          {"self", peer.self},
          {"via", peer.self     ? "-"
                  : peer.direct ? "direct"
                                : "gossip"},
          {"rtt_ms", peer.rtt_ms ? Json(*peer.rtt_ms) : Json(nullptr)},
          {"slots", r.slots},
          {"slots_free", r.slots_free},
          {"running", running_of(r)},
          {"speed", r.speed},
          {"load", r.load},
          {"version", r.version},
          {"addresses", std::move(addresses)},
          {"kernels", r.kernels},
          {"worker_bytes", r.worker.memory_bytes},
          {"arch", r.worker.arch},
          {"state", r.leaving  ? "leaving"
                    : r.paused ? "paused"
                               : "ok"}};
}

// Nothing in a body is copied or written out whole: it may be nested as deep as it is long.
Result<JobRequest> job_request(ByteView body) {
  if (body.size() > job_body_bytes_max)
    return bad_body("the body is larger than 1 MiB");
  const auto json = Json::parse(body.begin(), body.end(), nullptr, false);
  if (!json.is_object())
    return bad_body("the body is no JSON object");
  static const std::vector<std::string> known{
      "kernel",        "params",  "items", "leaf",          "input",  "module",
      "module_params", "rounds",  "state", "tree",          "budget", "each",
      "priority",      "require", "ttl",   "wait_for_peers"};
  for (const auto& [key, value] : json.items())
    if (std::find(known.begin(), known.end(), key) == known.end())
      return bad_body("\"" + shown(key) + "\" is not known");
  const auto said = [&](const char* key) { // Null: not said.
    const auto it = json.find(key);
    return it == json.end() || it->is_null() ? nullptr : &*it;
  };
  JobRequest request;
  if (auto wrong = kernel_of(said("kernel"), said("module"), request))
    return *wrong;
  const auto wishes = wishes_of(json);
  if (!wishes)
    return wishes.error();
  request.wishes = *wishes;
  const bool module = !request.kernel;
  const auto& info = module ? wasm::module_info() : request.kernel->info();

  auto params = params_of(info, said("params"));
  if (!params)
    return params.error();
  request.params = std::move(*params);
  request.each = module && said("each");
  if (module)
    request.params["each"] = std::int64_t(request.each);
  auto settings = module ? wasm::settings_of(request.params) : wasm::Settings{};
  if (!settings)
    return settings.error();
  request.settings = std::move(*settings);

  const auto* leaf = said("leaf");
  request.auto_leaf = leaf && *leaf == "auto";
  const auto items = count_of(said("items"), "items");
  const auto leaf_items = count_of(request.auto_leaf ? nullptr : leaf, "leaf");
  if (!items || !leaf_items)
    return items ? leaf_items.error() : items.error();
  request.items = *items;
  request.leaf = *leaf_items;

  const auto* input = said("input");
  const auto* each = said("each");
  if (auto wrong = module || each ? std::nullopt : wrong_input(info, input))
    return *wrong;
  if (!module && said("module_params"))
    return Error{"E422", info.name + " is no module", "only modules have module_params",
                 "give its parameters by name: -p NAME=VALUE"};
  const auto rounds = said("rounds") ? count_of(said("rounds"), "rounds", rounds_most) : 0;
  const auto budget = said("budget") ? count_of(said("budget"), "budget", budget_most) : 0;
  if (!rounds || !budget)
    return rounds ? budget.error() : rounds.error();
  if (said("tree") && !said("tree")->is_boolean())
    return bad_body("\"tree\" is true or false");
  request.tree = said("tree") && said("tree")->get<bool>();
  request.rounds = std::uint32_t(*rounds);
  request.budget = std::uint32_t(*budget);
  if (const auto wrong = wrong_tree(info, module, request))
    return *wrong;
  if (const auto wrong = wrong_rounds(info, module, request.rounds, said("state") && !request.tree))
    return *wrong;
  if (const auto wrong = each ? wrong_each(info, module, input, request) : std::nullopt)
    return *wrong;
  for (const auto& [name, to] : {std::pair{each ? "each" : "input", &request.input},
                                 {"module_params", &request.module_params},
                                 {"state", &request.state}})
    if (const auto* hash = said(name); hash && !blob_of(*hash, to->emplace()))
      return bad_hash(name);
  if (module && !blob_of(*said("module"), request.module))
    return bad_hash("module");
  return each && !module ? each_request(request, said("params"), said("items"))
                         : Result<JobRequest>{request};
}

Result<std::optional<std::chrono::seconds>> pause_request(ByteView body) {
  const Error bad{"E400", "this pause cannot be read",
                  "wanted is {}, or {\"seconds\": N} with N from 1 to " +
                      std::to_string(pause_max.count()),
                  "see node/http/API.md"};
  if (body.empty())
    return std::optional<std::chrono::seconds>{};
  const auto json = body.size() > pause_body_bytes_max
                        ? Json{}
                        : Json::parse(body.begin(), body.end(), nullptr, false);
  if (!json.is_object() || json.size() > json.count("seconds"))
    return bad;
  const auto said = json.find("seconds");
  if (said == json.end() || said->is_null())
    return std::optional<std::chrono::seconds>{};
  const auto seconds = said->is_number_unsigned() ? said->get<std::uint64_t>() : 0;
  if (seconds < 1 || seconds > std::uint64_t(pause_max.count()))
    return bad;
  return std::optional{std::chrono::seconds(seconds)};
}

} // namespace tessera
