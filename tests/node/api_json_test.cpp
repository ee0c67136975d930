#include "node/api_json.hpp"
#include "node/http/server.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <random>
#include <regex>
#include <set>
#include <sstream>

using namespace tessera;

namespace {

const std::string hash(64, '7');

std::string code_of(const std::string& body) {
  const auto request = job_request(view(body));
  if (request)
    return "ok";
  const auto& e = request.error();
  CHECK((!e.what.empty() && !e.why.empty() && !e.fix.empty()));
  CHECK(e.what.size() + e.why.size() < 2000); // Whatever was said to us.
  return e.code;
}

JobRequest wanted(const std::string& body) {
  CAPTURE(body);
  auto request = job_request(view(body));
  REQUIRE(request.ok());
  return *request;
}

// The part of API.md that begins so, up to the line's end or the next empty line.
std::string told(const std::string& begin, const std::string& end) {
  std::ifstream in{"node/http/API.md"};
  std::stringstream text;
  text << in.rdbuf();
  const auto doc = text.str();
  const auto at = doc.find(begin);
  REQUIRE(at != doc.npos);
  return doc.substr(at, doc.find(end, at + begin.size()) - at);
}

// Words in quotes that are keys: no values, which stand behind a colon or in a list of choices.
std::set<std::string> keys_told(const std::string& text) {
  static const std::regex key{"(^|[^:|\\[])\"([a-z_]+)\""};
  std::set<std::string> keys;
  for (std::sregex_iterator it{text.begin(), text.end(), key}, none; it != none; ++it)
    keys.insert((*it)[2]);
  return keys;
}

void collect(const Json& json, std::set<std::string>& keys) {
  if (json.is_object())
    for (const auto& [key, value] : json.items())
      keys.insert(key);
  if (json.is_structured())
    for (const auto& value : json)
      collect(value, keys);
}
std::set<std::string> keys_of(const Json& json) {
  std::set<std::string> keys;
  collect(json, keys);
  return keys;
}

JobStatus status_in(JobState state) {
  auto spec = std::make_shared<SignedSpec>();
  spec->id.bytes.fill(0x7f);
  spec->spec.kernel = "sumsq";
  spec->spec.items = 1000;
  spec->spec.leaf_items = 30;
  spec->spec.require = {1 << 20, "x86_64"};
  JobStatus status;
  status.spec = std::move(spec);
  status.root.key.fill(2);
  status.state = state;
  status.leaves_done = 34;
  status.error = {"E701", "what", "why", "fix"};
  status.result.bytes.fill(9);
  status.result_size = 7;
  status.shares = {{status.root, 20, 1, 2}, {NodeId{}, 14, 0, 3}};
  return status;
}

} // namespace

TEST_CASE("a job's body says what was wanted") {
  auto request = wanted(R"({"kernel":"sumsq","items":100})");
  CHECK(request.kernel->info().name == "sumsq");
  CHECK(request.items == 100);
  CHECK(request.leaf == 0);
  CHECK(!request.auto_leaf);
  CHECK(!request.input);

  request = wanted(R"({"kernel":"sumsq","params":null,"items":null,"leaf":null,"input":null})");
  CHECK(request.items == 0);
  CHECK(request.params.empty());

  request = wanted(R"({"kernel":"sumsq","items":"7","leaf":"auto"})");
  CHECK(request.items == 7);
  CHECK(request.leaf == 0);
  CHECK(request.auto_leaf);

  const auto said = wanted(R"({"kernel":"mandelbrot","params":{"size":"64","cx":"-0.5"}})");
  const auto meant = wanted(R"({"kernel":"mandelbrot","params":{"size":64,"cx":-0.5},"leaf":3})");
  CHECK(said.params == meant.params);
  CHECK(std::get<std::int64_t>(meant.params.at("size")) == 64);
  CHECK(meant.leaf == 3);

  request = wanted(R"({"kernel":"filter","input":")" + hash + R"("})");
  REQUIRE(request.input);
  CHECK(to_hex(*request.input) == hash);
}

TEST_CASE("counts are exact up to 2^63, as numbers and as text") {
  const auto items = [](const std::string& said) {
    return wanted(R"({"kernel":"sumsq","items":)" + said + "}").items;
  };
  const auto leaf = [](const std::string& said) {
    return wanted(R"({"kernel":"sumsq","items":1,"leaf":)" + said + "}").leaf;
  };
  for (const std::uint64_t count :
       {std::uint64_t{1}, (std::uint64_t{1} << 53) - 1, (std::uint64_t{1} << 53) + 1,
        (std::uint64_t{1} << 63) - 1, std::uint64_t{1} << 63}) {
    const auto digits = std::to_string(count);
    for (const auto& said : {digits, "\"" + digits + "\""}) {
      CHECK(items(said) == count);
      CHECK(leaf(said) == count);
    }
  }
  for (const char* count : {"0",
                            "-1",
                            "1.5",
                            "1e3",
                            "9223372036854775809",
                            "18446744073709551616",
                            "1e400",
                            "\"0\"",
                            "\"-1\"",
                            "\"+1\"",
                            "\" 1\"",
                            "\"1 \"",
                            "\"1.0\"",
                            "\"0x10\"",
                            "\"\"",
                            "\"many\"",
                            "\"9223372036854775809\"",
                            "\"18446744073709551617\"",
                            "\"AUTO\"",
                            "true",
                            "[]",
                            "[1]",
                            "{}"}) {
    CAPTURE(count);
    const bool json = std::string{count} != "1e400"; // Which no parser of JSON takes.
    for (const auto* what : {"items", "leaf"})
      CHECK(code_of(std::string{R"({"kernel":"sumsq","items":1,")"} + what + "\":" + count + "}") ==
            (json ? "E421" : "E400"));
  }
  CHECK(code_of(R"({"kernel":"sumsq","items":"auto"})") == "E421");
}

TEST_CASE("each bad body has its code") {
  const auto bad = [](const std::string& body, const char* code) {
    CAPTURE(body.substr(0, 200));
    CHECK(code_of(body) == code);
  };
  for (const auto* body : {"",
                           " ",
                           "null",
                           "7",
                           "\"sumsq\"",
                           "[]",
                           "[{\"kernel\":\"sumsq\"}]",
                           "{",
                           "{}",
                           "{\"kernel\":}",
                           "{\"kernel\":7}",
                           "{\"kernel\":null}",
                           "{\"kernel\":[\"sumsq\"]}",
                           "{\"kernel\":\"sumsq\",}",
                           "{'kernel':'sumsq'}",
                           "{\"kernel\":\"sumsq\"} x",
                           "{\"kernel\":\"sumsq\"}{}",
                           "{\"kernel\":\"\xff\"}",
                           "{\"kernel\":\"sumsq\",\"shape\":1}",
                           "{\"kernel\":\"sumsq\",\"Items\":1}",
                           "{\"kernel\":\"sumsq\",\"\":1}"})
    bad(body, "E400");
  bad(R"({"kernel":""})", "E423");
  bad(R"({"kernel":"sumsqq"})", "E423");
  bad(R"({"kernel":"sumsq@1"})", "E423");
  bad(R"({"kernel":"SUMSQ"})", "E423");
  bad(R"({"kernel":"sum\u0000sq"})", "E423");
  for (const auto* params : {"7", "\"size=1\"", "[]", "true", "{\"size\":true}", "{\"size\":null}",
                             "{\"size\":[]}", "{\"size\":{}}"})
    bad(std::string{R"({"kernel":"mandelbrot","params":)"} + params + "}", "E400");
  for (const auto* params : {"{\"siz\":1}", "{\"\":1}", "{\"size\":\"big\"}", "{\"size\":1.5}",
                             "{\"size\":-1}", "{\"size\":1e300}", "{\"size\":\"\"}",
                             "{\"size\":99999999999999999999}", "{\"cx\":\"nan\"}"})
    bad(std::string{R"({"kernel":"mandelbrot","params":)"} + params + "}", "E420");
  bad(R"({"kernel":"filter"})", "E422");
  bad(R"({"kernel":"filter","input":null})", "E422");
  bad(R"({"kernel":"sumsq","items":1,"input":")" + hash + R"("})", "E422");
  for (const auto& input :
       std::vector<std::string>{"7", "\"\"", "\"" + hash.substr(1) + "\"", "\"" + hash + "77\"",
                                "[]", "{}", "true", "\"" + std::string(64, 'g') + "\""})
    bad(R"({"kernel":"filter","input":)" + input + "}", "E400");
}

TEST_CASE("a mistyped kernel is met with the nearest one") {
  const auto request = job_request(view(R"({"kernel":"mandelbrod"})"));
  REQUIRE(!request.ok());
  CHECK(request.error().fix == "did you mean mandelbrot?");
}

TEST_CASE("no depth and no length brings the parser down") {
  for (const std::size_t depth : {100, 10'000, 500'000})
    for (const auto& [open, close] :
         {std::pair<std::string, std::string>{"[", "]"}, {"{\"a\":", "}"}}) {
      const auto n = std::min(depth, (job_body_bytes_max - 100) / (open.size() + close.size()));
      std::string nested;
      for (std::size_t i = 0; i < n; ++i)
        nested += open;
      nested += "1";
      for (std::size_t i = 0; i < n; ++i)
        nested += close;
      for (const auto* key : {"kernel", "params", "items", "leaf", "input", "other"}) {
        const auto kernel = std::string{key} == "kernel" ? "" : R"("kernel":"sumsq","items":1,)";
        const auto code = code_of(std::string{"{"} + kernel + "\"" + key + "\":" + nested + "}");
        CHECK((code == "E400" || code == "E420" || code == "E421" || code == "E422"));
      }
      CHECK(code_of(nested) == "E400");
      CHECK(code_of(nested.substr(0, nested.size() / 2)) == "E400");
    }
  const std::string good = R"({"kernel":"sumsq","items":1)";
  const auto padded = [&](std::size_t size) {
    return code_of(good + std::string(size - good.size() - 1, ' ') + "}");
  };
  CHECK(padded(job_body_bytes_max) == "ok");
  CHECK(padded(job_body_bytes_max + 1) == "E400");
  const std::string endless(500'000, 'x');
  CHECK(code_of(R"({"kernel":")" + endless + R"("})") == "E423");
  CHECK(code_of(R"({"kernel":"sumsq",")" + endless + R"(":1})") == "E400");
  CHECK(code_of(R"({"kernel":"sumsq","items":")" + endless + R"("})") == "E421");
  CHECK(code_of(R"({"kernel":"mandelbrot","params":{")" + endless + R"(":1}})") == "E420");
  CHECK(code_of(R"({"kernel":"mandelbrot","params":{")" + endless + R"(":{}}})") == "E400");
  CHECK(code_of(R"({"kernel":"mandelbrot","params":{"size":")" + endless + R"("}})") == "E420");
}

TEST_CASE("noise and damaged bodies are refused or meant, and nothing else") {
  const std::vector<std::string> good{
      R"({"kernel":"sumsq","items":100,"leaf":"auto"})",
      R"({"kernel":"mandelbrot","params":{"size":"512","cx":-0.5},"leaf":3,"items":null})",
      R"({"kernel":"filter","params":{},"input":")" + hash + R"("})"};
  const std::set<std::string> codes{"ok", "E400", "E420", "E421", "E422", "E423"};
  for (std::uint64_t seed = 0; seed < 20'000; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 dice{seed};
    std::string text;
    if (seed % 4) {
      text = good[dice() % good.size()];
      for (auto n = 1 + dice() % 6; n && !text.empty(); --n) {
        const auto at = dice() % text.size();
        const auto byte = dice() % 2 ? char(dice() % 256) : "{}[]\",:0-e\\"[dice() % 11];
        switch (dice() % 4) {
        case 0:
          text[at] = byte;
          break;
        case 1:
          text.insert(at, 1, byte);
          break;
        case 2:
          text.erase(at, 1 + dice() % 4);
          break;
        default:
          text.insert(at, text.substr(dice() % text.size(), dice() % 20));
        }
      }
    } else {
      for (auto n = dice() % 100; n; --n)
        text += char(dice() % 256);
    }
    const auto request = job_request(view(text));
    REQUIRE(codes.contains(request ? "ok" : request.error().code));
    if (!request) {
      const auto reply = problem(400, request.error());
      REQUIRE(Json::parse(*reply.body).at("code") == request.error().code);
    } else {
      REQUIRE(request->kernel->info().wants_input == request->input.has_value());
      REQUIRE(request->leaf <= std::uint64_t{1} << 63);
      REQUIRE(decode_params(request->kernel->info(), encode_params(request->params)).ok());
    }
  }
}

TEST_CASE("a job's object has the keys that API.md names, error and result in their time") {
  const auto name = [](const NodeId& id) { return std::string{id == NodeId{} ? "" : "desk"}; };
  const auto done = job_json(status_in(JobState::done), name);
  CHECK(done.at("job") == to_hex(Digest{status_in(JobState::done).spec->id}));
  CHECK(done.at("kernel") == "sumsq@1");
  CHECK(done.at("microtasks") == 34);
  CHECK(done.at("items") == 1000);
  CHECK(done.at("leaf") == 30);
  CHECK(done.at("result").at("type") == "text/plain");
  CHECK(done.at("result").at("size") == 7);
  CHECK(done.at("error") == nullptr);
  CHECK(done.at("shares").at(0).at("name") == "desk");
  CHECK(done.at("shares").at(1).at("name") == "");
  const auto failed = job_json(status_in(JobState::failed), name);
  CHECK(failed.at("error") ==
        Json{{"code", "E701"}, {"what", "what"}, {"why", "why"}, {"fix", "fix"}});
  CHECK(failed.at("result") == nullptr);
  auto all = done;
  all["error"] = failed.at("error");
  CHECK(keys_of(all) == keys_told(told("\njob: `", "\n\n")));
  for (const auto& [state, word] : {std::pair{JobState::queued, "queued"},
                                    {JobState::running, "running"},
                                    {JobState::cancelled, "cancelled"}}) {
    const auto json = job_json(status_in(state), name);
    CHECK(json.at("state") == word);
    CHECK(json.at("error") == nullptr);
    CHECK(json.at("result") == nullptr);
  }
}

TEST_CASE("a job's summary adds up its shares, and its efficiency is that of those who ran some") {
  auto status = status_in(JobState::done);
  status.elapsed_ms = 1000;
  status.reruns = {.peer_gone = 3, .crashed = 2};
  status.shares = {{NodeId{{1}}, 30, 0, 9, 1'500'000'000, 100, 2},
                   {NodeId{{2}}, 10, 4, 5, 900'000'000, 50, 1},
                   {NodeId{{3}}, 0, 0, 5, 0, 7, 8}}; // It merged alone.
  const auto json = job_json(status, [](const NodeId&) { return std::string{}; });
  CHECK(json.at("cpu_ms") == 2400);
  CHECK(json.at("moved_bytes") == 157);
  CHECK(json.at("efficiency") == doctest::Approx(0.8));
  CHECK(json.at("rerun") == 5);
  CHECK(json.at("rerun_why").at("peer_gone") == 3);
  CHECK(json.at("rerun_why").at("crashed") == 2);
  CHECK(json.at("rerun_why").at("lost") == 0);
  status.shares.clear();
  CHECK_FALSE(summary_of(status).efficiency);
}

TEST_CASE("a peer's object has the keys that API.md names") {
  PeerView peer;
  peer.record.addresses = {{"10.0.0.5", 7700}, {"::1", 7701}};
  peer.record.slots = 4;
  peer.record.slots_free = 1;
  peer.direct = true;
  peer.rtt_ms = 1.5;
  auto json = peer_json(peer);
  CHECK(keys_of(json) == keys_told(told("\npeer: `", "\n\n")));
  CHECK(json.at("addresses") == Json{"10.0.0.5:7700", "[::1]:7701"});
  CHECK(json.at("running") == 3);
  CHECK(json.at("rtt_ms") == 1.5);
  CHECK(json.at("via") == "direct");
  CHECK(json.at("state") == "ok");
  peer.record.paused = true;
  CHECK(peer_json(peer).at("state") == "paused");
  CHECK(peer_json(peer).at("running") == 0);
  peer.record.paused = false;
  peer.record.slots_free = 9; // What a liar says.
  peer.record.leaving = true;
  peer.direct = false;
  peer.rtt_ms.reset();
  json = peer_json(peer);
  CHECK(json.at("running") == 0);
  CHECK(json.at("rtt_ms") == nullptr);
  CHECK(json.at("via") == "gossip");
  CHECK(json.at("state") == "leaving");
  peer.self = true;
  CHECK(peer_json(peer).at("via") == "-");
}

TEST_CASE("a module comes with settings, and blobs by their roles") {
  const auto h = "\"" + std::string{hash} + "\"";
  const auto request =
      wanted(R"({"kernel":"wasm","items":9,"params":{"fuel":7,"merge":"sum_f64"},"module":)" + h +
             R"(,"module_params":)" + h + R"(,"input":)" + h + "}");
  CHECK(request.kernel == nullptr);
  CHECK(request.items == 9);
  CHECK(request.settings.limits.fuel == 7);
  CHECK(request.settings.merge.name() == "sum_f64");
  CHECK(to_hex(request.module) == hash);
  CHECK(request.module_params == request.module);
  CHECK(request.input == request.module);
  CHECK_FALSE(wanted(R"({"kernel":"wasm","items":9,"module":)" + h + "}").input);

  CHECK(code_of(R"({"kernel":"wasm","items":9})") == "E422");
  CHECK(code_of(R"({"kernel":"wasm-1g","items":9,"module":)" + h + "}") == "E422");
  CHECK(code_of(R"({"kernel":"sumsq","items":9,"module":)" + h + "}") == "E422");
  CHECK(code_of(R"({"kernel":"sumsq","items":9,"module_params":)" + h + "}") == "E422");
  CHECK(code_of(R"({"kernel":"wasm","items":9,"module":"12"})") == "E400");
  CHECK(code_of(R"({"kernel":"wasm","params":{"merge":"avg"},"module":)" + h + "}") == "E426");
  CHECK(code_of(R"({"kernel":"wasm","params":{"memory":1},"module":)" + h + "}") == "E420");
}

TEST_CASE("a job of rounds says how many at most, and its first state") {
  const auto h = "\"" + std::string{hash} + "\"";
  const auto body = [&](const std::string& more) {
    return R"({"kernel":"wasm","items":9,"module":)" + h + more + "}";
  };
  CHECK(wanted(body("")).rounds == 0);
  CHECK(wanted(body(R"(,"rounds":7)")).rounds == 7);
  CHECK(wanted(body(R"(,"rounds":4294967295)")).rounds == 4294967295);
  CHECK_FALSE(wanted(body(R"(,"rounds":7)")).state);
  CHECK(to_hex(*wanted(body(R"(,"rounds":7,"state":)" + h)).state) == hash);
  for (const auto* said : {"0", "4294967296", "-1", "1.5", "\"x\""})
    CHECK(code_of(body(R"(,"rounds":)" + std::string{said})) == "E421");
  CHECK(code_of(body(R"(,"state":)" + h)) == "E422");
  CHECK(code_of(body(R"(,"rounds":7,"state":"12")")) == "E400");
  CHECK(code_of(R"({"kernel":"sumsq","items":9,"rounds":7})") == "E422");
}

TEST_CASE("people see which round a job is in, of how many") {
  auto status = status_in(JobState::running);
  const auto json = [&] { return job_json(status, [](const NodeId&) { return std::string{}; }); };
  CHECK(json().at("rounds") == nullptr);
  CHECK(json().at("round") == nullptr);
  auto spec = *status.spec;
  spec.spec.shape = Shape::rounds;
  spec.spec.rounds = 9;
  status.spec = std::make_shared<const SignedSpec>(spec);
  status.round = 3;
  CHECK(json().at("rounds") == 9);
  CHECK(json().at("round") == 3);
  CHECK(json().at("tasks") == nullptr);
}

TEST_CASE("people see how many tasks of a tree job ran, and wait") {
  auto status = status_in(JobState::running);
  auto spec = *status.spec;
  spec.spec.shape = Shape::tree;
  spec.spec.rounds = 0xffffffff;
  status.spec = std::make_shared<const SignedSpec>(spec);
  status.tasks_run = 100;
  status.tasks_left = 7;
  status.budget = 50;
  const auto json = job_json(status, [](const NodeId&) { return std::string{}; });
  CHECK(json.at("rounds") == nullptr);
  CHECK(json.at("tasks") == 100);
  CHECK(json.at("tasks_left") == 7);
  CHECK(json.at("budget") == 50);
}

TEST_CASE("a tree job is asked for by its own words, and by no other's") {
  const std::string hash(64, 'a'), h = '"' + hash + '"';
  const auto body = [&](const std::string& more) {
    return R"({"kernel":"wasm","params":{"merge":"count"},"module":)" + h + more + "}";
  };
  CHECK_FALSE(wanted(body("")).tree);
  const auto tree = wanted(body(R"(,"tree":true,"budget":1000,"state":)" + h));
  CHECK(tree.tree);
  CHECK(tree.budget == 1000);
  CHECK(to_hex(*tree.state) == hash);
  CHECK(wanted(body(R"(,"tree":true)")).budget == 0);
  for (const auto* more :
       {R"(,"tree":true,"items":9)", R"(,"tree":true,"leaf":9)", R"(,"tree":true,"leaf":"auto")",
        R"(,"tree":true,"rounds":9)", R"(,"budget":9)"})
    CHECK(code_of(body(more)) == "E422");
  CHECK(code_of(body(R"(,"tree":1)")) == "E400");
  for (const auto* said : {"0", "1048577", "\"x\""})
    CHECK(code_of(body(R"(,"tree":true,"budget":)" + std::string{said})) == "E421");
  CHECK(code_of(R"({"kernel":"sumsq","tree":true})") == "E422");
}

TEST_CASE("a native kernel for each line is the kernel each, with its name and parameters") {
  const std::string hash(64, 'a');
  const auto request =
      job_request(view(R"({"kernel":"mandelbrot","params":{"size":64},"each":")" + hash + R"("})"));
  REQUIRE(request.ok());
  CHECK(request->kernel->info().name == "each");
  CHECK(request->params.at("kernel") == ParamValue{"mandelbrot"});
  CHECK(request->params.at("with") == ParamValue{R"({"size":64})"});
  CHECK(to_hex(*request->input) == hash);
  CHECK(!request->each);
  CHECK(job_request(view(R"({"kernel":"sumsq","items":7,"each":")" + hash + R"("})"))
            ->params.at("with") == ParamValue{R"({"items":7})"});
}

TEST_CASE("a map of single tasks is refused where it can be no such thing") {
  const std::string each = R"(,"each":")" + std::string(64, 'a') + R"("})";
  const auto code = [&](const std::string& body) {
    return job_request(view(body + each)).error().code;
  };
  CHECK(code(R"({"kernel":"filter")") == "E422");
  CHECK(code(R"({"kernel":"sumsq","input":")" + std::string(64, 'b') + "\"") == "E422");
  CHECK(code(R"({"kernel":"mandelbrot","params":{"sise":1})") == "E420");
  CHECK(job_request(view(R"({"kernel":"sumsq","each":"ff"})")).error().code == "E400");
}

TEST_CASE("every kernel is told with its parameters, and their defaults are taken") {
  ModuleBook::Seen seen;
  seen.exports.emplace().push_back("run");
  const auto json = kernels_json({{digest_of(view("a module")), seen}});
  CHECK(keys_of(json) == keys_told(told("| `GET /v1/kernels`", "\n")));
  REQUIRE(json.at("kernels").size() == kernels().size() + 1); // And modules.
  for (const auto& kernel : json.at("kernels")) {
    Json body{{"kernel", kernel.at("name")}, {"params", Json::object()}};
    for (const auto& param : kernel.at("params"))
      body["params"][param.at("name").get<std::string>()] = param.at("default");
    if (kernel.at("wants_input") == true)
      body["input"] = hash;
    if (kernel.at("name") == "wasm")
      body["module"] = hash;
    CAPTURE(body.dump());
    CHECK(code_of(body.dump()) == "ok");
  }
}
