#include "node/api_json.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace tessera {
namespace {

constexpr std::uint64_t items_max = std::uint64_t{1} << 63;

Error bad_body(std::string why) {
  return {"E400", "this job cannot be read", std::move(why),
          "wanted is {\"kernel\", \"params\", \"items\", \"leaf\", \"input\"}"};
}

// A count may come as a number or, past 2^53, as text.
Result<std::uint64_t> count_of(const Json& value, const std::string& name) {
  const Error bad{"E421", name + " " + value.dump() + " is not possible",
                  "it must be a whole number from 1 to 2^63", "give another --" + name};
  std::uint64_t count = 0;
  if (value.is_number_unsigned()) {
    count = value.get<std::uint64_t>();
  } else if (value.is_string()) {
    const auto text = value.get<std::string>();
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (error != std::errc{} || end != text.data() + text.size())
      return bad;
  } else {
    return bad;
  }
  return count >= 1 && count <= items_max ? Result<std::uint64_t>{count} : bad;
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

std::string type_of_result(const JobSpec& spec) {
  const auto* kernel = find_kernel(spec.kernel);
  return kernel ? kernel->info().result : "application/octet-stream";
}

Error unknown_kernel(const std::string& name) {
  const auto near = nearest_kernel(name);
  return {"E423", "there is no kernel \"" + name + "\"", "this node knows no such kernel",
          near.empty() ? "see them all: tessera kernels" : "did you mean " + near + "?"};
}

std::optional<Error> wrong_input(const KernelInfo& info, bool given) {
  if (info.wants_input && !given)
    return Error{"E422", info.name + " wants an input", "none was given", "name one: --input FILE"};
  if (!info.wants_input && given)
    return Error{"E422", info.name + " takes no input", "one was given", "leave out --input"};
  return std::nullopt;
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

Json job_json(const JobStatus& status, const NameOf& name) {
  const auto& spec = status.spec->spec;
  Json json{{"schema", 1},
            {"job", to_hex(status.spec->id)},
            {"kernel", spec.kernel + "@" + std::to_string(spec.kernel_version)},
            {"state", to_text(status.state)},
            {"microtasks", spec.leaves()},
            {"done", status.leaves_done},
            {"rerun", status.leaves_rerun},
            {"items", spec.items},
            {"leaf", spec.leaf_items},
            {"elapsed_ms", status.elapsed_ms},
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
                              {"merges", share.merges}});
  return json;
}

Json kernels_json() {
  Json list = Json::array();
  for (const auto* kernel : kernels()) {
    const auto& info = kernel->info();
    Json params = Json::array();
    for (const auto& param : info.params)
      params.push_back(param_json(param));
    list.push_back({{"name", info.name},
                    {"version", info.version},
                    {"help", info.help},
                    {"wants_input", info.wants_input},
                    {"wants_items", info.wants_items},
                    {"result", info.result},
                    {"params", std::move(params)}});
  }
  return {{"schema", 1}, {"kernels", std::move(list)}};
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
          {"running", r.slots - std::min(r.slots, r.slots_free)},
          {"speed", r.speed},
          {"load", r.load},
          {"version", r.version},
          {"addresses", std::move(addresses)},
          {"kernels", r.kernels},
          {"state", r.leaving ? "leaving" : "ok"}};
}

Result<JobRequest> job_request(ByteView body) {
  const auto json = Json::parse(body.begin(), body.end(), nullptr, false);
  if (!json.is_object())
    return bad_body("the body is no JSON object");
  static const std::vector<std::string> known{"kernel", "params", "items", "leaf", "input"};
  for (const auto& [key, value] : json.items())
    if (std::find(known.begin(), known.end(), key) == known.end())
      return bad_body("\"" + key + "\" is not known");
  JobRequest request;
  const auto kernel = json.find("kernel");
  if (kernel == json.end() || !kernel->is_string())
    return bad_body("\"kernel\" is missing, or no text");
  request.kernel = find_kernel(kernel->get<std::string>());
  if (!request.kernel)
    return unknown_kernel(kernel->get<std::string>());

  std::map<std::string, std::string> given;
  const auto params = json.value("params", Json::object());
  if (!params.is_object())
    return bad_body("\"params\" is no object");
  for (const auto& [key, value] : params.items())
    given[key] = value.is_string() ? value.get<std::string>() : value.dump();
  auto checked = check_params(request.kernel->info(), given);
  if (!checked)
    return checked.error();
  request.params = std::move(*checked);

  if (const auto items = json.find("items"); items != json.end() && !items->is_null()) {
    const auto count = count_of(*items, "items");
    if (!count)
      return count.error();
    request.items = *count;
  }
  if (const auto leaf = json.find("leaf"); leaf != json.end() && !leaf->is_null()) {
    request.auto_leaf = *leaf == "auto";
    if (!request.auto_leaf) {
      const auto count = count_of(*leaf, "leaf");
      if (!count)
        return count.error();
      request.leaf = *count;
    }
  }
  const auto input = json.find("input");
  const bool with_input = input != json.end() && !input->is_null();
  if (auto wrong = wrong_input(request.kernel->info(), with_input))
    return *wrong;
  if (with_input) {
    const auto bytes =
        input->is_string() ? from_hex(input->get<std::string>()) : std::optional<Bytes>{};
    if (!bytes || bytes->size() != request.input.emplace().bytes.size())
      return bad_body("\"input\" is no blob's hash of 64 hex digits");
    std::copy(bytes->begin(), bytes->end(), request.input->bytes.begin());
  }
  return request;
}

} // namespace tessera
