#pragma once

#include "node/cli/cli.hpp"
#include "node/http/server.hpp"

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <sstream>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>

// The command line in this process, against a node whose every answer is scripted.
namespace tessera {

namespace fs = std::filesystem;

struct Folder {
  fs::path path;

  Folder() {
    auto name = (fs::temp_directory_path() / "tessera-cli-XXXXXX").string();
    path = mkdtemp(name.data());
  }
  Folder(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  void put(const std::string& name, const std::string& text) const {
    fs::create_directories((path / name).parent_path());
    std::ofstream{path / name, std::ios::binary} << text;
  }
  std::string get(const std::string& name) const {
    std::ifstream in{path / name, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
  }
  std::size_t files() const {
    return std::size_t(std::distance(fs::directory_iterator{path}, fs::directory_iterator{}));
  }
};

// The variables that the command line looks at, out of the way of the one who runs the tests.
struct CleanEnvironment {
  Folder home;

  CleanEnvironment() {
    for (const char* name :
         {"TESSERA_DATA",     "TESSERA_API",     "TESSERA_TOKEN_FILE", "TESSERA_SEED",
          "TESSERA_LISTEN",   "TESSERA_OPEN",    "TESSERA_JOIN",       "TESSERA_SLOTS",
          "TESSERA_NAME",     "TESSERA_MEMORY",  "TESSERA_BLOB_QUOTA", "TESSERA_LIMITS_WASM",
          "TESSERA_API_PORT", "XDG_DATA_HOME",   "XDG_STATE_HOME",     "XDG_CACHE_HOME",
          "XDG_RUNTIME_DIR",  "XDG_CONFIG_HOME", "NO_COLOR",           "CLICOLOR_FORCE"})
      unsetenv(name);
    setenv("HOME", home.path.c_str(), 1);
  }
};

struct Said {
  int exit = -1;
  std::string out, err;

  std::string code() const { return err.substr(0, 4); }
};

// Sends a file descriptor into a file for as long as it lives.
class Captured {
public:
  explicit Captured(int fd) : fd_(fd), saved_(dup(fd)), file_(std::tmpfile()) {
    std::fflush(nullptr);
    dup2(fileno(file_), fd_);
  }
  ~Captured() { std::fclose(file_); }
  std::string end() {
    std::fflush(nullptr);
    dup2(saved_, fd_);
    close(saved_);
    std::string text(std::size_t(lseek(fileno(file_), 0, SEEK_END)), '\0');
    CHECK(pread(fileno(file_), text.data(), text.size(), 0) == ssize_t(text.size()));
    return text;
  }

private:
  int fd_, saved_;
  std::FILE* file_;
};

inline Said tessera_says(
    std::vector<std::string> words, const StartNode& start = [](const StartOptions&) { return 0; },
    const RunLocal& local = {}) {
  words.insert(words.begin(), "tessera");
  std::vector<char*> argv;
  for (auto& word : words)
    argv.push_back(word.data());
  Said said;
  Captured out{STDOUT_FILENO}, err{STDERR_FILENO};
  said.exit = run_cli(int(argv.size()), argv.data(), start, local);
  said.out = out.end();
  said.err = err.end();
  return said;
}

// Another process, forked while this one has a single thread: of more, the others' locks would be
// held in it for ever. It waits for the folder of a node that is made after it, and then acts.
class Forked {
public:
  explicit Forked(const std::function<int(const std::string& folder)>& act) {
    REQUIRE(pipe(go_) == 0);
    std::fflush(nullptr);
    pid_ = fork();
    REQUIRE(pid_ >= 0);
    if (pid_ > 0)
      return;
    ::close(go_[1]);
    std::string folder;
    for (char c; read(go_[0], &c, 1) == 1;)
      folder += c;
    _exit(act(folder));
  }
  Forked(const Forked&) = delete;
  ~Forked() {
    ::close(go_[0]);
    ::close(go_[1]);
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
  }

  pid_t pid() const { return pid_; }
  void go(const fs::path& folder) {
    const auto& text = folder.native();
    CHECK(write(go_[1], text.data(), text.size()) == ssize_t(text.size()));
    ::close(std::exchange(go_[1], -1));
  }
  // As waitpid has it.
  int wait() {
    int status = -1;
    CHECK(waitpid(pid_, &status, 0) == pid_);
    pid_ = -1;
    return status;
  }

private:
  int go_[2] = {-1, -1};
  pid_t pid_ = -1;
};

// What this test has the node say; what it was asked is kept.
class ScriptedNode {
public:
  ScriptedNode() {
    HttpConfig config;
    config.token = "t0ken";
    auto server = serve_http(io_, config, [this](HttpRequest request, HttpRespond respond) {
      answer(std::move(request), respond);
    });
    REQUIRE(server.ok());
    server_ = std::move(*server);
    folder.put("api", "http://127.0.0.1:" + std::to_string(server_->port()) + "\n");
    folder.put("token", "t0ken\n");
    thread_ = std::thread{[this] { io_.run(); }};
  }
  ~ScriptedNode() {
    server_->close();
    io_.stop();
    thread_.join();
  }

  using Reply = std::function<HttpReply(const HttpRequest&)>;
  void on(const std::string& call, Reply reply) {
    const std::lock_guard lock{mutex_};
    replies_[call] = std::move(reply);
  }
  void on(const std::string& call, const nlohmann::json& body, int status = 200) {
    on(call, [=](const HttpRequest&) { return json_reply(status, body.dump()); });
  }
  void on(const std::string& call, int status, const Error& error) {
    on(call, [=](const HttpRequest&) { return problem(status, error); });
  }
  void on_bytes(const std::string& call, const std::string& type, const std::string& bytes) {
    on(call, [=](const HttpRequest&) {
      HttpReply reply;
      reply.content_type = type;
      reply.body = std::make_shared<const Bytes>(to_bytes(view(bytes)));
      return reply;
    });
  }
  void close() { server_->close(); }

  // "GET /v1/status" of each call so far, and the body of the last one of a kind.
  std::vector<std::string> calls() const {
    const std::lock_guard lock{mutex_};
    return calls_;
  }
  std::string body(const std::string& call) const {
    const std::lock_guard lock{mutex_};
    const auto it = bodies_.find(call);
    return it == bodies_.end() ? "" : it->second;
  }
  Said says(std::vector<std::string> words) const {
    words.insert(words.end(), {"--data", folder.path.string()});
    return tessera_says(std::move(words));
  }

  Folder folder;

private:
  void answer(HttpRequest request, const HttpRespond& respond) {
    const auto call = request.method + " " + request.path;
    Reply reply;
    {
      const std::lock_guard lock{mutex_};
      calls_.push_back(call);
      bodies_[call] = text_of(request.body);
      if (const auto it = replies_.find(call); it != replies_.end())
        reply = it->second;
    }
    respond(reply ? reply(request) : problem(404, {"E404", "no script for " + call, "why", "fix"}));
  }

  asio::io_context io_;
  asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
  mutable std::mutex mutex_;
  std::map<std::string, Reply> replies_;
  std::map<std::string, std::string> bodies_;
  std::vector<std::string> calls_;
  std::unique_ptr<HttpServer> server_;
  std::thread thread_;
};

} // namespace tessera
