#include "node/api_json.hpp"
#include "node/http/server.hpp"
#include "tests/fuzz/input.hpp"

// What is posted: a job, or a pause. Input: 0 or 1 (which), then the body. What is taken can be
// said again, and means the same; what is refused is told in three lines that a client can read.
namespace {

using namespace tessera;
using fuzz::must;

void check_error(const Error& e) {
  must(!e.code.empty() && !e.what.empty() && !e.why.empty() && !e.fix.empty());
  must(e.what.size() < 500 && e.why.size() < 2000);
  const auto reply = problem(400, e, "/v1/jobs");
  const auto json = Json::parse(reply.body->begin(), reply.body->end());
  must(json.at("code") == e.code && json.at("status") == 400);
}

const KernelInfo& info_of(const JobRequest& r) {
  return r.kernel ? r.kernel->info() : wasm::module_info();
}

Json body_of(const JobRequest& r) {
  Json body{{"kernel", info_of(r).name}, {"params", Json::object()}};
  for (const auto& [name, value] : r.params)
    std::visit([&, &name = name](const auto& v) { body["params"][name] = v; }, value);
  for (const auto& [key, number] : {std::pair{"items", r.items},
                                    {"leaf", r.leaf},
                                    {"rounds", std::uint64_t{r.rounds}},
                                    {"budget", std::uint64_t{r.budget}}})
    if (number)
      body[key] = std::to_string(number);
  if (r.auto_leaf)
    body["leaf"] = "auto";
  if (r.tree)
    body["tree"] = true;
  if (!r.kernel)
    body["module"] = to_hex(r.module.view());
  for (const auto& [key, blob] :
       {std::pair{"input", &r.input}, {"module_params", &r.module_params}, {"state", &r.state}})
    if (*blob)
      body[key] = to_hex((*blob)->view());
  return body;
}

bool same(const JobRequest& a, const JobRequest& b) {
  return a.kernel == b.kernel && a.params == b.params && a.items == b.items && a.leaf == b.leaf &&
         a.auto_leaf == b.auto_leaf && a.input == b.input && a.module == b.module &&
         a.module_params == b.module_params && a.rounds == b.rounds && a.tree == b.tree &&
         a.budget == b.budget && a.state == b.state;
}

void check_job(ByteView body) {
  const auto request = job_request(body);
  if (!request)
    return check_error(request.error());
  must(decode_params(info_of(*request), encode_params(request->params)).ok());
  must(request->items <= std::uint64_t{1} << 63 && request->leaf <= std::uint64_t{1} << 63);
  must(!request->tree || (!request->kernel && !request->rounds && !request->items));
  must(request->tree || !request->budget);
  must(!request->rounds || !request->kernel);
  const auto again = job_request(view(body_of(*request).dump()));
  must(again && same(*request, *again));
}

void check_pause(ByteView body) {
  const auto pause = pause_request(body);
  if (!pause)
    return check_error(pause.error());
  if (!*pause)
    return;
  must((*pause)->count() >= 1 && **pause <= pause_max);
  const auto again = pause_request(view("{\"seconds\":" + std::to_string((*pause)->count()) + "}"));
  must(again && *again == *pause);
}

} // namespace

std::vector<Bytes> tessera::fuzz::seeds() {
  const std::string hash = '"' + std::string(64, '0') + '"';
  const auto job = [](const std::string& body) { return seed({0}, body); };
  return {job(R"({"kernel":"sumsq","items":100,"leaf":"auto"})"),
          job(R"({"kernel":"mandelbrot","params":{"size":"512","cx":-0.5},"leaf":3,"items":null})"),
          job(R"({"kernel":"sumsq","params":{},"items":"9223372036854775808","leaf":1})"),
          job(R"({"kernel":"filter","params":{"op":"gauss"},"input":)" + hash + "}"),
          job(R"({"kernel":"wasm","items":5,"params":{"fuel":9,"nan":"strict"},"module":)" + hash +
              R"(,"module_params":)" + hash + R"(,"rounds":4,"state":)" + hash + "}"),
          job(R"({"kernel":"wasm","params":{"merge":"topk_f64:3"},"tree":true,"budget":7,)"
              R"("module":)" +
              hash + "}"),
          seed({1}, "{}"),
          seed({1}, R"({"seconds":3600})"),
          seed({1})};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input{{data, size}};
  if (input.byte() % 2)
    check_pause(input.rest);
  else
    check_job(input.rest);
  return 0;
}
