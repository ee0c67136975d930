#include "cli_rig.hpp"

#include "crypto/digest.hpp"
#include "crypto/identity.hpp"
#include "node/kernels/nearest.hpp"
#include "tests/support/wat.hpp"

#include <atomic>
#include <csignal>
#include <future>
#include <sys/resource.h>
#include <sys/wait.h>

using namespace tessera;
using nlohmann::json;

namespace {

const std::string job_id = "7f3a01" + std::string(58, '0');
const std::string job_call = "/v1/jobs/" + job_id;

json job_in(const std::string& state) {
  return {
      {"schema", 1},
      {"job", job_id},
      {"kernel", "sumsq@1"},
      {"state", state},
      {"microtasks", 40},
      {"done", state == "done" ? 40 : 10},
      {"rerun", 3},
      {"items", 100},
      {"leaf", 3},
      {"elapsed_ms", 6300},
      {"peers", 2},
      {"root", "AAAA-BBBB"},
      {"submitter", "AAAA-BBBB"},
      {"error", nullptr},
      {"result", nullptr},
      {"shares",
       {{{"node", "AAAA-BBBB"}, {"name", "desk"}, {"microtasks", 30}, {"steals", 0}, {"merges", 9}},
        {{"node", "CCCC-DDDD"},
         {"name", "attic"},
         {"microtasks", 10},
         {"steals", 4},
         {"merges", 5}}}}};
}

// A node that runs one job at once and has this result.
void script_job(ScriptedNode& node, const std::string& type, const std::string& bytes) {
  node.on("POST /v1/jobs", job_in("queued"), 201);
  node.on("GET " + job_call, job_in("done"));
  node.on("GET /v1/jobs/7f3a", job_in("done"));
  node.on_bytes("GET " + job_call + "/result", type, bytes);
}

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream in{text};
  for (std::string line; std::getline(in, line);)
    out.push_back(line);
  return out;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// Three lines, the second and third indented under the first.
void check_error(const Said& said, const std::string& code, int exit) {
  INFO(said.err);
  CHECK(said.exit == exit);
  CHECK(said.code() == code);
  const auto all = lines(said.err);
  REQUIRE(all.size() == 3);
  for (int i = 1; i < 3; ++i) {
    CHECK(all[i].starts_with("     "));
    CHECK(all[i].size() > 5);
  }
}

StartOptions started(std::vector<std::string> words) {
  StartOptions got;
  words.insert(words.begin(), "start");
  const auto said = tessera_says(words, [&](const StartOptions& options) {
    got = options;
    return 42;
  });
  INFO(said.err);
  REQUIRE(said.exit == 42);
  return got;
}

} // namespace

TEST_CASE("help and version are data, and fine") {
  const CleanEnvironment clean;
  CHECK(tessera_says({"--version"}).out == "tessera " TESSERA_VERSION "\n");
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"--help"}, {"submit", "--help"}, {"start", "-h"}}) {
    const auto said = tessera_says(words);
    CHECK(said.exit == 0);
    CHECK(said.err == "");
    CHECK(has(said.out, words[0] == "--help" ? "kernels" : "--json"));
  }
}

TEST_CASE("whatever is typed wrongly exits 2, with three lines and a way on") {
  const CleanEnvironment clean;
  const auto wrong = [](std::vector<std::string> words, const char* code, const char* part) {
    INFO((words.empty() ? "" : words.back()));
    const auto said = tessera_says(words);
    check_error(said, code, 2);
    INFO(said.err);
    CHECK(has(said.err, part));
    CHECK(said.out == "");
  };
  wrong({}, "E400", "--help");
  wrong({"sumbit", "sumsq"}, "E401", "tessera submit");
  wrong({"stauts"}, "E401", "tessera status");
  wrong({"frobnicate"}, "E401", "--help");
  wrong({"start", "--slot", "2"}, "E400", "--slots");
  wrong({"start", "--slots", "many"}, "E400", "slots");
  wrong({"start", "--slots", "-1"}, "E400", "slots");
  wrong({"start", "--seed", "10.0.0.5:99999"}, "E400", "HOST:PORT");
  wrong({"start", "--seed", "10.0.0.5:0"}, "E400", "HOST:PORT");
  wrong({"start", "--seed", ":7700"}, "E400", "HOST:PORT");
  wrong({"start", "--memory", "lots"}, "E400", "size");
  wrong({"start", "--join", "mess1"}, "E400", "tess1");
  wrong({"start", "--open", "--join", "tess1abc"}, "E400", "leave out");
  wrong({"start", "--name", "a\nb"}, "E400", "control");
  wrong({"submit"}, "E400", "submit --help");
  wrong({"run"}, "E400", "tessera new task");
  wrong({"run", "m.wasm", "--memory", "much"}, "E400", "--memory");
  wrong({"run", "m.wasm", "--local", "--detach"}, "E400", "--detach");
  wrong({"run", "m.wasm", "--local", "--leaf", "auto"}, "E400", "--leaf");
  wrong({"run", "m.wasm", "--rounds", "0"}, "E400", "--rounds");
  wrong({"run", "m.wasm", "--rounds", "4294967296"}, "E400", "--rounds");
  wrong({"run", "m.wasm", "--state", "s"}, "E400", "--rounds");
  wrong({"run", "/nowhere/m.wasm", "--local", "--items", "5"}, "E424", "/nowhere/m.wasm");
  wrong({"run", "m.wasm", "--local", "--fuel", "x", "--items", "5"}, "E420", "fuel");
  wrong({"submit", "sumsq", "-p", "size"}, "E400", "NAME=VALUE");
  wrong({"submit", "sumsq", "-p", "=1"}, "E400", "NAME=VALUE");
  wrong({"submit", "sumsq", "--items", "18446744073709551616"}, "E400", "items");
  wrong({"submit", "sumsq", "--items", "x"}, "E400", "items");
  wrong({"submit", "sumsq", "--leaf", "big"}, "E400", "auto");
  wrong({"submit", "sumsq", "--detach", "-o", "f"}, "E400", "result JOB");
  wrong({"submit", "sumsq", "more"}, "E400", "submit --help");
  for (const auto* time : {"1", "h", "1w", "-1h", "0s", "1.5h", "367d", "99999999999999999999d",
                           "9999999999999999d", "1h ", "1H"}) {
    wrong({"pause", "--for", time}, "E400", "--for cannot be");
    wrong({"snooze", "--for", time}, "E400", "for instance: tessera snooze --for 1h");
  }
  wrong({"resume", "--for", "1h"}, "E400", "resume --help");
  wrong({"status", "--color", "pink"}, "E400", "status --help");
  wrong({"status", "--api", "http://127.0.0.1:1"}, "E400", "--token-file");
}

TEST_CASE("each mistake is named as it was typed, and the third line is the way on") {
  const CleanEnvironment clean;
  struct Case {
    std::vector<std::string> words;
    std::string what, fix;
  };
  const std::vector<Case> cases{
      {{"--foo"}, "\"--foo\" stands where a verb should", "run: tessera --help"},
      {{"-x"}, "\"-x\" stands where a verb should", "run: tessera --help"},
      {{"--versoin"},
       "\"--versoin\" stands where a verb should",
       "did you mean: tessera --version"},
      {{"--data", "d", "status"}, "\"--data\" stands where a verb should", "run: tessera --help"},
      {{"status", "extra", "more"},
       "tessera status does not take \"extra\"",
       "run: tessera status --help"},
      {{"id", "--foo"}, "tessera id does not take \"--foo\"", "run: tessera id --help"},
      {{"peers", "-q"}, "tessera peers does not take \"-q\"", "run: tessera peers --help"},
      {{"jobs", "--mseh"}, "tessera jobs does not take \"--mseh\"", "did you mean --mesh?"},
      {{"submit", "sumsq", "--itms", "5"},
       "tessera submit does not take \"--itms\"",
       "did you mean --items?"},
      {{"submit", "sumsq", "-p", "a=1", "b=2"},
       "tessera submit does not take \"b=2\"",
       "each parameter has a -p of its own: -p b=2"},
      {{"kernels", "a", "b"}, "tessera kernels does not take \"b\"", "run: tessera kernels --help"},
      {{"start", "here"}, "tessera start does not take \"here\"", "run: tessera start --help"},
      {{"submit"}, "tessera submit needs a kernel", "run: tessera submit --help"},
      {{"wait"}, "tessera wait needs a job", "run: tessera wait --help"},
      {{"result"}, "tessera result needs a job", "run: tessera result --help"},
      {{"cancel"}, "tessera cancel needs a job", "run: tessera cancel --help"},
      {{"wait", "7f", "--timeout", "soon"},
       "Could not convert: --timeout = soon",
       "run: tessera wait --help"},
      {{"result", "7f", "-o"}, "--output: 1 required FILE missing", "run: tessera result --help"},
      {{"stop", "--data"}, "--data: 1 required DIR missing", "run: tessera stop --help"},
      {{"invite", "--color", "pink"}, "--color: pink not in", "run: tessera invite --help"},
  };
  for (const auto& c : cases) {
    INFO(c.what);
    const auto said = tessera_says(c.words);
    check_error(said, "E400", 2);
    const auto all = lines(said.err);
    CHECK(all[0].starts_with("E400 " + c.what));
    CHECK(all[2] == "     " + c.fix);
  }
}

TEST_CASE("with --json a usage error is an object on stderr") {
  const CleanEnvironment clean;
  const auto said = tessera_says({"submit", "sumsq", "--json", "-o", "-"});
  CHECK(said.exit == 2);
  CHECK(said.out == "");
  CHECK(json::parse(said.err)["error"]["code"] == "E400");
}

TEST_CASE("a mistyped verb is met with the nearest one") {
  const CleanEnvironment clean;
  const std::vector<std::string> verbs{"start",  "stop",    "status", "id",   "invite",
                                       "peers",  "jobs",    "submit", "wait", "result",
                                       "cancel", "kernels", "new",    "run"};
  for (const auto& verb : verbs)
    for (std::size_t cut = 0; cut < verb.size(); ++cut) {
      auto typed = verb;
      typed.erase(cut, 1);
      if (typed == "top") // What is left of stop is a verb, too.
        continue;
      const auto near = nearest(typed, verbs);
      const auto said = tessera_says({typed});
      CHECK(said.exit == 2);
      INFO(typed << ": " << said.err);
      CHECK((near.empty() || has(said.err, "did you mean: tessera " + near + "\n")));
    }
}

TEST_CASE("start hands over what was typed, or sound defaults") {
  const CleanEnvironment clean;
  const auto bare = started({});
  CHECK(bare.listen == Address{"0.0.0.0", default_port});
  CHECK(!bare.listen_given);
  CHECK(!bare.open);
  CHECK(!bare.slots);
  CHECK(bare.name != "");
  CHECK(bare.memory_bytes == std::uint64_t{1} << 30);
  CHECK(bare.paths.key == clean.home.path / ".local/share/tessera/identity.key");

  const auto full =
      started({"--seed",   "10.0.0.5:7701", "--seed", "attic",        "--seed", "[::1]:7702",
               "--listen", ":7800",         "--open", "--slots",      "0",      "--name",
               "desk",     "--memory",      "512M",   "--blob-quota", "2GiB",   "--api-port",
               "9000",     "--data",        "d",      "--json"});
  CHECK(full.seeds ==
        std::vector<Address>{{"10.0.0.5", 7701}, {"attic", default_port}, {"::1", 7702}});
  CHECK(full.listen == Address{"0.0.0.0", 7800});
  CHECK(full.listen_given);
  CHECK(full.open);
  CHECK(full.slots == 0u);
  CHECK(full.name == "desk");
  CHECK(full.memory_bytes == std::uint64_t{512} << 20);
  CHECK(full.blob_quota_bytes == std::uint64_t{2} << 30);
  CHECK(full.api_port == 9000);
  CHECK(full.json);
  CHECK(full.paths.key == fs::absolute("d/identity.key"));
  CHECK(started({"--join", "tess1abc"}).invite == "tess1abc");
}

TEST_CASE("flags stand above the environment, and that above the user's file") {
  const CleanEnvironment clean;
  clean.home.put(".config/tessera/tessera.toml",
                 "name = \"file\"\nslots = 1\nmemory = \"64M\"\nseed = [\"a:1\", \"b:2\"]\n");
  setenv("TESSERA_SLOTS", "2", 1);
  setenv("TESSERA_NAME", "environment", 1);
  const auto options = started({"--name", "flag"});
  CHECK(options.name == "flag");
  CHECK(options.slots == 2u);
  CHECK(options.memory_bytes == std::uint64_t{64} << 20);
  CHECK(options.seeds == std::vector<Address>{{"a", 1}, {"b", 2}});
  setenv("TESSERA_SEED", "c:3,d:4", 1);
  CHECK(started({}).seeds == std::vector<Address>{{"c", 3}, {"d", 4}});
  setenv("TESSERA_DATA", "e", 1);
  CHECK(started({}).paths.token == fs::absolute("e/token"));
}

TEST_CASE("an owner may want no modules") {
  const CleanEnvironment clean;
  CHECK(started({}).wasm);
  CHECK_FALSE(started({"--no-wasm"}).wasm);
  clean.home.put(".config/tessera/tessera.toml", "[limits]\nwasm = false\n");
  CHECK_FALSE(started({}).wasm);
  setenv("TESSERA_LIMITS_WASM", "true", 1);
  CHECK(started({}).wasm);
  unsetenv("TESSERA_LIMITS_WASM");
}

TEST_CASE("a settings file that cannot be meant is refused") {
  const CleanEnvironment clean;
  const auto wrong = [&](const char* text, const char* code, const char* part) {
    clean.home.put(".config/tessera/tessera.toml", text);
    const auto said = tessera_says({"start"});
    check_error(said, code, 2);
    INFO(said.err);
    CHECK(has(said.err, part));
  };
  wrong("slotz = 2\n", "E430", "did you mean slots?");
  wrong("[limits]\nwasn = true\n", "E430", "did you mean limits.wasm?");
  wrong("[limit]\n", "E430", "limit");
  wrong("[limits]\nwasm = 5\n", "E400", "limits.wasm");
  wrong("blob-quota = 2\n", "E430", "did you mean blob_quota?");
  wrong("[slots]\n", "E431", "slots");
  wrong("slots = [1, 2]\n", "E431", "one value");
  wrong("slots = \n", "E431", "line 1");
  wrong("slots = -2\n", "E400", "slots");
}

TEST_CASE("a variable that is nearly a setting is refused, what others mean is left alone") {
  const CleanEnvironment clean;
  setenv("TESSERA_SLOT", "3", 1);
  for (const auto* verb : {"start", "config"}) {
    const auto said = tessera_says({verb});
    check_error(said, "E430", 2);
    CHECK(has(said.err, "did you mean TESSERA_SLOTS?"));
  }
  unsetenv("TESSERA_SLOT");
  setenv("TESSERA_VECTORS", "/v", 1);
  setenv("TESSERA_SLOTS", "3", 1);
  CHECK(started({}).slots == 3);
  unsetenv("TESSERA_VECTORS");
  unsetenv("TESSERA_SLOTS");
}

TEST_CASE("a node's things go where XDG says, and relative values are ignored") {
  const CleanEnvironment clean;
  setenv("XDG_STATE_HOME", "/s", 1);
  setenv("XDG_RUNTIME_DIR", "relative", 1);
  const auto paths = Paths::of({});
  CHECK(paths.journal == "/s/tessera/journal.db");
  CHECK(paths.token == "/s/tessera/run/tessera/token");
  CHECK(paths.blobs == clean.home.path / ".cache/tessera/blobs");
  const auto one = Paths::of("/d");
  CHECK(one.key == "/d/identity.key");
  CHECK(one.api == "/d/api");
}

TEST_CASE("no node is E301 and exit 3, whichever way it is absent") {
  const CleanEnvironment clean;
  const Folder folder;
  const std::vector<std::string> words{"status", "--data", folder.path.string()};
  check_error(tessera_says(words), "E301", 3);
  folder.put("token", "t");
  folder.put("api", "http://127.0.0.1:1\n"); // Nobody listens there.
  check_error(tessera_says(words), "E301", 3);
  auto with_json = words;
  with_json.push_back("--json");
  const auto said = tessera_says(with_json);
  CHECK(said.exit == 3);
  CHECK(said.out == "");
  CHECK(json::parse(said.err)["error"]["code"] == "E301");
  folder.put("api", "ftp://x\n");
  check_error(tessera_says(words), "E400", 2);
}

TEST_CASE("a refusal keeps its code and words, and each kind has its exit code") {
  const CleanEnvironment clean;
  ScriptedNode node;
  const auto refused = [&](int status, const char* code, int exit) {
    node.on("GET /v1/status", status, Error{code, "what", "why", "fix"});
    const auto said = node.says({"status"});
    check_error(said, code, exit);
    CHECK(said.err == std::string{code} + " what\n     why\n     fix\n");
  };
  refused(404, "E410", 4);
  refused(409, "E410", 4);
  refused(403, "E510", 5);
  refused(422, "E420", 2);
  refused(404, "E423", 2);
  refused(422, "E601", 8);
  refused(409, "E412", 7);
  refused(503, "E305", 3);
  refused(500, "E306", 1);
  node.on_bytes("GET /v1/status", "text/plain", "not json");
  check_error(node.says({"status"}), "E307", 1);
  node.folder.put("token", "wrong\n");
  check_error(node.says({"status"}), "E505", 5);
}

TEST_CASE("a tunnel's URL and token do instead of a folder") {
  const CleanEnvironment clean;
  ScriptedNode node;
  node.on("GET /v1/status", {{"id", "AAAA-BBBB"}});
  auto url = node.folder.get("api");
  url.pop_back();
  const auto said =
      tessera_says({"id", "--api", url, "--token-file", (node.folder.path / "token").string()});
  CHECK(said.out == "AAAA-BBBB\n");
  check_error(tessera_says({"id", "--api", url, "--token-file", "/nowhere"}), "E504", 5);
}

TEST_CASE("submit sends what was typed, waits, and prints a text result as data") {
  const CleanEnvironment clean;
  ScriptedNode node;
  script_job(node, "text/plain", "338350");
  std::atomic<int> asked = 0;
  node.on("GET " + job_call, [&](const HttpRequest& request) {
    CHECK(request.query.contains("wait"));
    return json_reply(200, job_in(asked++ < 2 ? "running" : "done").dump());
  });
  const auto said =
      node.says({"submit", "sumsq", "-p", "a=1", "-p", "b=x=y", "--items", "100", "--leaf", "3"});
  INFO(said.err);
  CHECK(said.exit == 0);
  CHECK(said.out == "338350\n");
  CHECK(json::parse(node.body("POST /v1/jobs")) == json{{"kernel", "sumsq"},
                                                        {"params", {{"a", "1"}, {"b", "x=y"}}},
                                                        {"items", 100},
                                                        {"leaf", 3}});
  CHECK(has(said.err, "job 7f3a01  40 microtasks\n"));
  CHECK(has(said.err, "done 6.3 s  40 microtasks  3 re-run\n"));
  CHECK(has(said.err, "AAAA  desk   75 %   30          0       9\n"));
  CHECK(has(said.err, "CCCC  attic  25 %   10          4       5\n"));
  CHECK(has(said.err, " next  tessera jobs --data " + node.folder.path.string() + "\n"));
  CHECK(!has(said.err, "\x1b"));
}

TEST_CASE("run puts its files as blobs, and submits them as a job of a module") {
  const CleanEnvironment clean;
  ScriptedNode node;
  script_job(node, "application/octet-stream", "bytes");
  const Folder files;
  files.put("task.wasm", "a module");
  files.put("params", "its params");
  const auto in = [&](const char* name) { return (files.path / name).string(); };
  const auto hash = [](std::string_view text) { return to_hex(blob_id(view(text))); };
  for (const auto* text : {"a module", "its params"})
    node.on("PUT /v1/blobs/" + hash(text), json{{"schema", 1}}, 201);
  const auto said =
      node.says({"run", in("task.wasm"), "--items", "100", "-p", in("params"), "--memory", "2MiB",
                 "--fuel", "9", "--time-limit", "500", "--merge", "count", "-o", in("out")});
  INFO(said.err);
  CHECK(said.exit == 0);
  CHECK(files.get("out") == "bytes");
  CHECK(json::parse(node.body("POST /v1/jobs")) == json{{"kernel", "wasm"},
                                                        {"params",
                                                         {{"name", "task.wasm"},
                                                          {"memory", "2097152"},
                                                          {"fuel", "9"},
                                                          {"time", "500"},
                                                          {"merge", "count"}}},
                                                        {"items", 100},
                                                        {"module", hash("a module")},
                                                        {"module_params", hash("its params")}});
}

TEST_CASE("run --rounds names the most of them, and uploads the first state") {
  const CleanEnvironment clean;
  ScriptedNode node;
  script_job(node, "application/octet-stream", "bytes");
  const Folder files;
  files.put("task.wasm", "a module");
  files.put("state", "its state");
  const auto in = [&](const char* name) { return (files.path / name).string(); };
  const auto hash = [](std::string_view text) { return to_hex(blob_id(view(text))); };
  for (const auto* text : {"a module", "its state"})
    node.on("PUT /v1/blobs/" + hash(text), json{{"schema", 1}}, 201);
  const auto said = node.says({"run", in("task.wasm"), "--items", "100", "--rounds", "4294967295",
                               "--state", in("state"), "-o", in("out")});
  INFO(said.err);
  CHECK(said.exit == 0);
  const auto body = json::parse(node.body("POST /v1/jobs"));
  CHECK(body.at("rounds") == 4294967295);
  CHECK(body.at("state") == hash("its state"));
}

TEST_CASE("run --local says what came of it, without a node") {
  const CleanEnvironment clean;
  const Folder files;
  const auto module = rig::kernel("(func (export \"run\") (result i32) (i32.const 0))");
  files.put("task.wasm", std::string{text_of(module)});
  files.put("params", "its params");
  const auto in = [&](const char* name) { return (files.path / name).string(); };
  Result<LocalReport> answer = LocalReport{to_bytes(view("bytes")), 50, 0.5, 77, 65536, 32};
  const auto local = [&](const LocalTask& task, const LocalProgress& progress) {
    CHECK(task.module == module);
    CHECK(text_of(task.module_params) == "its params");
    CHECK(task.spec.kernel == "wasm");
    CHECK(task.spec.items == 100);
    CHECK(task.spec.leaf_items == 2);
    progress(1, 2);
    return answer;
  };
  const auto run = [&](std::vector<std::string> more) {
    std::vector<std::string> words{"run",     "--local", in("task.wasm"), "-p", in("params"),
                                   "--items", "100",     "--leaf",        "2"};
    words.insert(words.end(), more.begin(), more.end());
    return tessera_says(words, {}, local);
  };
  auto said = run({});
  INFO(said.err);
  CHECK(said.exit == 0);
  CHECK(said.out == "bytes");
  for (const auto* word : {"50 microtasks", "100/s", "64 KiB", "fuel 77", "--leaf 32"})
    CHECK(has(said.err, word));
  CHECK_FALSE(has(said.err, "NaN"));
  answer->calls = 100;
  answer->calls_again = 10;
  CHECK_FALSE(has(run({}).err, "NaN"));
  answer->calls_again = 11;
  CHECK(has(run({}).err, "11 of 100 calls made a NaN and ran twice: --nan strict"));
  said = run({"-o", in("out"), "--json"});
  CHECK(json::parse(said.out).at("calls_again") == 11);
  CHECK(files.get("out") == "bytes");
  CHECK(json::parse(said.out).at("leaf") == 32);
  answer = Error{"E740", "other bytes", "why", "fix"};
  check_error(run({}), "E740", 1);
  files.put("task.wasm", "no module");
  check_error(run({}), "E502", 2);
}

TEST_CASE("the leaf that was chosen is said, so that the job can be repeated") {
  const CleanEnvironment clean;
  ScriptedNode node;
  script_job(node, "text/plain", "1\n");
  const auto said = node.says({"submit", "sumsq", "--leaf", "auto"});
  CHECK(said.exit == 0);
  CHECK(has(said.err, "leaf 3 (to repeat: --leaf 3)\n"));
  CHECK(said.out == "1\n"); // It is no data.
  CHECK(has(node.says({"submit", "sumsq", "--leaf", "auto", "--detach"}).err, "--leaf 3)\n"));
  CHECK(!has(node.says({"submit", "sumsq", "--leaf", "3"}).err, "to repeat"));
  CHECK(!has(node.says({"submit", "sumsq"}).err, "to repeat"));
}

TEST_CASE("a result in JSON is said as text is") {
  const CleanEnvironment clean;
  ScriptedNode node;
  script_job(node, "application/json", "{\"pi\":3.14}\n");
  const auto said = node.says({"submit", "pi"});
  CHECK(said.exit == 0);
  CHECK(said.out == "{\"pi\":3.14}\n");
}

TEST_CASE("an input is uploaded under its hash before the job names it") {
  const CleanEnvironment clean;
  ScriptedNode node;
  script_job(node, "text/plain", "1\n");
  const std::string input("some\0bytes", 10);
  node.folder.put("in", input);
  const auto hash = to_hex(blob_id(view(input)));
  node.on("PUT /v1/blobs/" + hash, json{{"blob", hash}, {"size", 10}}, 201);
  const auto said = node.says(
      {"submit", "filter", "--leaf", "auto", "--input", (node.folder.path / "in").string()});
  INFO(said.err);
  CHECK(said.exit == 0);
  CHECK(node.body("PUT /v1/blobs/" + hash) == input);
  const auto spec = json::parse(node.body("POST /v1/jobs"));
  CHECK(spec["input"] == hash);
  CHECK(spec["leaf"] == "auto");
  CHECK(!spec.contains("items"));
  check_error(node.says({"submit", "filter", "--input", "/no/such"}), "E424", 2);
  check_error(node.says({"submit", "filter", "--input", "/"}), "E424", 2);
}

TEST_CASE("a picture goes to the file that is named, or to one named after the job") {
  const CleanEnvironment clean;
  ScriptedNode node;
  std::string picture(300'000, 'p');
  picture[7] = '\0';
  script_job(node, "image/png", picture);
  const auto file = (node.folder.path / "m.png").string();
  const auto said = node.says({"submit", "mandelbrot", "-o", file});
  CHECK(said.exit == 0);
  CHECK(said.out == "");
  CHECK(has(said.err, file));
  CHECK(node.folder.get("m.png") == picture);
  CHECK(node.folder.files() == 3); // api, token, m.png: no temporary one.

  CHECK(node.says({"result", "7f3a", "-o", "-"}).out == picture);

  const auto here = fs::current_path();
  const Folder elsewhere;
  fs::current_path(elsewhere.path);
  const auto unnamed = node.says({"submit", "mandelbrot"});
  fs::current_path(here);
  CHECK(has(unnamed.err, "./sumsq-7f3a01.png"));
  CHECK(elsewhere.get("sumsq-7f3a01.png") == picture);
}

TEST_CASE("a result that cannot be written is a clear error and leaves nothing") {
  const CleanEnvironment clean;
  ScriptedNode node;
  script_job(node, "image/png", std::string(1 << 20, 'p'));
  check_error(node.says({"submit", "m", "-o", "/no/such/folder/m.png"}), "E440", 1);
  check_error(node.says({"submit", "m", "-o", node.folder.path.string()}), "E440", 1);
  CHECK(node.calls().empty()); // Told before any work was done.

  const auto full = node.says({"result", "7f3a", "-o", "/dev/full"});
  check_error(full, "E440", 1);
  CHECK(has(full.err, "No space left"));
  node.folder.put("m.png", "old");
  node.on("GET " + job_call + "/result", 409, Error{"E412", "it runs", "why", "fix"});
  check_error(node.says({"result", "7f3a", "-o", (node.folder.path / "m.png").string()}), "E412",
              7);
  CHECK(node.folder.get("m.png") == "old");
  CHECK(node.folder.files() == 3);
}

TEST_CASE("a file that grows past the limit of files leaves the old one as it was") {
  const CleanEnvironment clean;
  Forked child{[](const std::string& folder) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{1 << 16, 1 << 16};
    setrlimit(RLIMIT_FSIZE, &limit);
    const auto said = tessera_says({"result", "7f3a", "--data", folder, "-o", folder + "/m.png"});
    return said.exit == 1 && said.code() == "E440" ? 0 : 1;
  }};
  ScriptedNode node;
  script_job(node, "image/png", std::string(1 << 20, 'p'));
  node.folder.put("m.png", "old");
  child.go(node.folder.path);
  CHECK(child.wait() == 0);
  CHECK(node.folder.get("m.png") == "old");
  CHECK(node.folder.files() == 3);
}

TEST_CASE("a job that fails, is cancelled, or that nobody can run says so by its exit code") {
  const CleanEnvironment clean;
  ScriptedNode node;
  script_job(node, "text/plain", "1");
  const auto ends = [&](const char* state, const json& error, const char* code, int exit) {
    auto job = job_in(state);
    job["error"] = error;
    node.on("GET " + job_call, job);
    check_error(node.says({"wait", "7f3a"}), code, exit);
    const auto said = node.says({"submit", "sumsq"});
    CHECK(said.exit == exit);
    CHECK(said.out == "");
    CHECK(has(said.err, code));
  };
  const auto error = [](const char* code) {
    return json{{"code", code}, {"what", "w"}, {"why", "y"}, {"fix", "f"}};
  };
  ends("failed", error("E502"), "E502", 1);
  ends("failed", error("E422"), "E422", 2);
  ends("failed", error("E601"), "E601", 8);
  ends("failed", nullptr, "E600", 1);
  ends("cancelled", nullptr, "E602", 1);
}

TEST_CASE("wait gives up after its time, and says how to go on") {
  const CleanEnvironment clean;
  ScriptedNode node;
  script_job(node, "text/plain", "1");
  node.on("GET " + job_call, job_in("running"));
  const auto said = node.says({"wait", "7f3a", "--timeout", "0"});
  check_error(said, "E413", 7);
  CHECK(has(said.err, "tessera wait 7f3a01"));
}

TEST_CASE("a detached submit says the id, and nothing else, on stdout") {
  const CleanEnvironment clean;
  ScriptedNode node;
  script_job(node, "text/plain", "1");
  const auto said = node.says({"submit", "sumsq", "--detach"});
  CHECK(said.exit == 0);
  CHECK(said.out == job_id + "\n");
  CHECK(has(said.err, " next  tessera wait --data " + node.folder.path.string() + " 7f3a01\n"));
  CHECK(node.calls() == std::vector<std::string>{"POST /v1/jobs"});
  const auto told = json::parse(node.says({"submit", "sumsq", "--detach", "--json"}).out);
  CHECK(told["job"] == job_id);
  CHECK(told["schema"] == 1);
  CHECK(told["state"] == "queued");
}

TEST_CASE("Ctrl-C detaches, says that the job goes on, and leaves no file") {
  const CleanEnvironment clean;
  int pipe_ends[2];
  REQUIRE(pipe(pipe_ends) == 0);
  Forked child{[&](std::string folder) {
    dup2(pipe_ends[1], STDERR_FILENO);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    std::string file = folder + "/out";
    std::vector<std::string> words{"tessera", "submit", "sumsq", "--data", folder, "-o", file};
    std::vector<char*> argv;
    for (auto& word : words)
      argv.push_back(word.data());
    return run_cli(int(argv.size()), argv.data(), {});
  }};
  ScriptedNode node;
  script_job(node, "text/plain", "1");
  std::promise<void> waiting;
  std::atomic<bool> told = false;
  node.on("GET " + job_call, [&](const HttpRequest&) {
    if (!told.exchange(true))
      waiting.set_value();
    return json_reply(200, job_in("running").dump());
  });
  close(pipe_ends[1]);
  child.go(node.folder.path);
  waiting.get_future().wait();
  kill(child.pid(), SIGINT);
  std::string said;
  char text[256];
  for (ssize_t n; (n = read(pipe_ends[0], text, sizeof text)) > 0;)
    said.append(text, std::size_t(n));
  close(pipe_ends[0]);
  const int status = child.wait();
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 130);
  INFO(said);
  CHECK(has(said, "detached; job 7f3a01 goes on\n"));
  CHECK(has(said, "tessera wait --data " + node.folder.path.string() + " 7f3a01\n"));
  CHECK(node.folder.files() == 2);
}

TEST_CASE("with --json each verb says one object, and lists an object a line") {
  const CleanEnvironment clean;
  ScriptedNode node;
  script_job(node, "text/plain", "338350");
  node.on("GET /v1/status", {{"id", "AAAA"}, {"pid", 0}});
  node.on("GET /v1/invite", {{"invite", "tess1x"}});
  node.on("GET /v1/jobs", {{"jobs", {job_in("done"), job_in("running")}}});
  node.on("GET /v1/peers", {{"peers", {{{"id", "AAAA"}, {"self", true}}, {{"id", "BBBB"}}}}});
  node.on("GET /v1/kernels", {{"kernels", {{{"name", "sumsq"}}, {{"name", "spin"}}}}});
  node.on("POST " + job_call + "/cancel", job_in("cancelled"), 202);
  node.on("POST /v1/pause", {{"pause", {{"since_ms", 1}, {"until_ms", nullptr}}}});
  node.on("POST /v1/resume", {{"pause", nullptr}});
  const auto count = [&](std::vector<std::string> words) {
    words.push_back("--json");
    const auto said = node.says(words);
    INFO(words[0] << " " << said.err);
    CHECK(said.exit == 0);
    const auto all = lines(said.out);
    for (const auto& line : all)
      CHECK(json::parse(line)["schema"] == 1);
    return all.size();
  };
  CHECK(count({"status"}) == 1);
  CHECK(count({"invite"}) == 1);
  CHECK(count({"jobs"}) == 2);
  CHECK(count({"peers"}) == 2);
  CHECK(count({"kernels"}) == 2);
  CHECK(count({"kernels", "spin"}) == 1);
  CHECK(count({"submit", "sumsq"}) == 1);
  CHECK(count({"wait", "7f3a"}) == 1);
  CHECK(count({"result", "7f3a"}) == 1);
  CHECK(count({"cancel", "7f3a"}) == 1);
  CHECK(count({"pause"}) == 1);
  CHECK(count({"snooze"}) == 1);
  CHECK(count({"resume"}) == 1);
  CHECK(json::parse(node.says({"submit", "sumsq", "--json"}).out)["text"] == "338350");
}

TEST_CASE("people get tables, and names from others lose their control characters") {
  const CleanEnvironment clean;
  ScriptedNode node;
  node.on("GET /v1/peers", {{"peers",
                             {{{"id", "AAAA-BBBB"},
                               {"self", true},
                               {"name", "desk"},
                               {"via", "-"},
                               {"rtt_ms", nullptr},
                               {"slots", 2},
                               {"running", 1},
                               {"version", "0.1.0"},
                               {"state", "ok"}},
                              {{"id", "CCCC-DDDD"},
                               {"self", false},
                               {"name", "a\x1b[31m\n"},
                               {"via", "direct"},
                               {"rtt_ms", 3.14},
                               {"slots", 4},
                               {"running", 4},
                               {"version", "0.1.0"},
                               {"state", "ok"}}}}});
  const auto said = node.says({"peers"});
  CHECK(said.out == "PEER       NAME     VIA     RTT     SLOTS  VERSION  STATE\n"
                    "AAAA (me)  desk     -       -       1/2    0.1.0    ok\n"
                    "CCCC       a?[31m?  direct  3.1 ms  4/4    0.1.0    ok\n");
  node.on("GET /v1/kernels", {{"kernels",
                               {{{"name", "mandelbrot"},
                                 {"help", "a picture"},
                                 {"wants_input", false},
                                 {"wants_items", false},
                                 {"params",
                                  {{{"name", "size"},
                                    {"type", "integer"},
                                    {"default", "1024"},
                                    {"min", 1},
                                    {"max", 16384},
                                    {"choices", json::array()},
                                    {"help", "side"}}}}}}}});
  const auto kernel = node.says({"kernels", "mandelbrot"});
  CHECK(has(kernel.out, "size       1024     integer 1 to 16384  side\n"));
  const auto unknown = node.says({"kernels", "mandelbort"});
  check_error(unknown, "E423", 2);
  CHECK(has(unknown.err, "did you mean mandelbrot?"));
}

TEST_CASE("a pause is for as long as it is typed, a snooze for an hour") {
  const CleanEnvironment clean;
  ScriptedNode node;
  node.on("POST /v1/pause", {{"pause", {{"since_ms", 1000}, {"until_ms", nullptr}}}});
  node.on("POST /v1/resume", {{"pause", nullptr}});
  const auto asked = [&](std::vector<std::string> words) {
    const auto said = node.says(words);
    CHECK(said.exit == 0);
    CHECK(said.out == "");
    return json::parse(node.body("POST /v1/pause"));
  };
  CHECK(asked({"pause"}) == json::object());
  CHECK(asked({"snooze"}) == json{{"seconds", 3600}});
  CHECK(asked({"snooze", "--for", "90s"}) == json{{"seconds", 90}});
  CHECK(asked({"pause", "--for", "30m"}) == json{{"seconds", 1800}});
  CHECK(asked({"pause", "--for", "2h"}) == json{{"seconds", 7200}});
  CHECK(asked({"pause", "--for", "366d"}) == json{{"seconds", 31'622'400}});
  const auto paused = node.says({"pause"});
  CHECK(has(paused.err, "paused since 1970-01-01"));
  CHECK(has(paused.err, ", until resumed;"));
  CHECK(has(paused.err, " next  tessera resume --data "));
  CHECK(node.says({"resume"}).exit == 0);
}

TEST_CASE("status says since when and until when a node is paused") {
  const CleanEnvironment clean;
  ScriptedNode node;
  setenv("TZ", "UTC", 1);
  node.on("GET /v1/status",
          {{"name", "desk"}, {"pause", {{"since_ms", 3'661'000}, {"until_ms", nullptr}}}});
  auto said = node.says({"status"});
  CHECK(has(said.out, "paused     since 1970-01-01 01:01, until resumed\n"));
  CHECK(has(said.err, "tessera resume"));
  node.on(
      "GET /v1/status",
      {{"name", "desk"}, {"pause", {{"since_ms", 3'661'000}, {"until_ms", 4'102'444'800'000}}}});
  said = node.says({"status"});
  CHECK(has(said.out, "paused     since 1970-01-01 01:01, until 2100-01-01 00:00 ("));
  node.on("GET /v1/status", {{"name", "desk"}, {"pause", nullptr}});
  CHECK_FALSE(has(node.says({"status"}).out, "paused"));
  unsetenv("TZ");
}

TEST_CASE("an id is read from the key file, and none is made") {
  const CleanEnvironment clean;
  const Folder folder;
  fs::permissions(folder.path, fs::perms::owner_all);
  const std::vector<std::string> words{"id", "--data", folder.path.string()};
  check_error(tessera_says(words), "E102", 4);
  CHECK(folder.files() == 0);
  const auto identity = Identity::load_or_create(folder.path / "identity.key");
  REQUIRE(identity.ok());
  CHECK(tessera_says(words).out == to_text(identity->id()) + "\n");
}

TEST_CASE("stop returns when the node's process is gone") {
  const CleanEnvironment clean;
  ScriptedNode node;
  int life[2];
  REQUIRE(pipe(life) == 0);
  const auto child = fork();
  if (child == 0) {
    close(life[1]);
    char none;
    _exit(int(read(life[0], &none, 1))); // Lives until the node lets go of its end.
  }
  node.on("GET /v1/status", {{"pid", child}});
  node.on("POST /v1/stop", [&](const HttpRequest&) {
    close(life[1]);
    node.close();
    return json_reply(202, "{}");
  });
  const auto said = node.says({"stop"});
  INFO(said.err);
  CHECK(said.exit == 0);
  int status = -1;
  CHECK(waitpid(child, &status, WNOHANG) == child);
  close(life[0]);
  check_error(node.says({"status"}), "E301", 3);
}

TEST_CASE("colour is asked for, forbidden, or left to the terminal, in that order") {
  const CleanEnvironment clean;
  const Folder folder;
  const auto coloured = [&](std::vector<std::string> more) {
    std::vector<std::string> words{"status", "--data", folder.path.string()};
    words.insert(words.end(), more.begin(), more.end());
    return has(tessera_says(words).err, "\x1b[31mE301\x1b[0m");
  };
  CHECK(!coloured({})); // Not a terminal.
  CHECK(coloured({"--color", "always"}));
  setenv("CLICOLOR_FORCE", "1", 1);
  CHECK(coloured({}));
  setenv("NO_COLOR", "1", 1);
  CHECK(!coloured({}));
  CHECK(coloured({"--color", "always"}));
  unsetenv("NO_COLOR");
  CHECK(!coloured({"--color", "never"}));
}
