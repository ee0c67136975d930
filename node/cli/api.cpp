#include "node/cli/api.hpp"

#include "node/cli/failed.hpp"

#include <httplib.h>

#include <chrono>
#include <exception>
#include <fstream>
#include <optional>

namespace tessera::cli {

namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto connect_time_max = 5s;
constexpr auto answer_time_max = 300s; // A node may have a large picture to decode first.
constexpr auto silence_max = 30s;      // An event stream beats each 10 s.
constexpr std::size_t problem_bytes_max = 64 * 1024;

std::string first_line(const std::filesystem::path& file) {
  std::ifstream in{file};
  std::string line;
  std::getline(in, line);
  while (!line.empty() && (line.back() == '\r' || line.back() == ' '))
    line.pop_back();
  return line;
}

Failed nobody(const Common& common, std::string why) {
  const auto where = common.data ? " --data " + *common.data : std::string{};
  return {Exit::no_node,
          {"E301", "no node answers", std::move(why),
           common.api.empty() ? "start one: tessera start" + where
                              : "is the tunnel up? the URL is in the file api of that node"}};
}

Failed no_token(const std::string& file) {
  return {Exit::denied,
          {"E504", "cannot read the token in " + file, "the file is missing, empty or not yours",
           "run as the user who started the node, or name it: --token-file FILE"}};
}

// Without its token.
Access parse_url(const std::string& text) {
  const std::string scheme = "http://";
  auto rest = text.starts_with(scheme) ? text.substr(scheme.size()) : std::string{};
  while (!rest.empty() && rest.back() == '/')
    rest.pop_back();
  const auto colon = rest.rfind(':');
  const auto digits = colon == rest.npos ? std::string{} : rest.substr(colon + 1);
  const bool bad = rest.empty() || digits.size() > 5 ||
                   digits.find_first_not_of("0123456789") != digits.npos ||
                   rest.find('/') != rest.npos;
  if (bad || (colon != rest.npos && digits.empty()))
    throw usage("\"" + text + "\" is not the URL of an API", "wanted is http://HOST:PORT",
                "it is in the file api of that node");
  auto host = rest.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']'))
    host = host.substr(1, host.size() - 2);
  return {host, digits.empty() ? 80 : std::stoi(digits), ""};
}

std::string text_in(const nlohmann::json& object, const char* name, std::string otherwise) {
  const auto it = object.find(name);
  return it != object.end() && it->is_string() && *it != "" ? it->get<std::string>() : otherwise;
}

Failed refused(int status, const std::string& body) {
  const auto problem = nlohmann::json::parse(body, nullptr, false);
  const auto code = problem.is_object() ? text_in(problem, "code", "") : "";
  if (code.empty())
    return {exit_of("", status),
            {"E307", "the node answered with HTTP status " + std::to_string(status),
             "that is no answer of a Tessera node of this version", "is this the right URL?"}};
  return {exit_of(code, status),
          {code, text_in(problem, "title", "the node refused"),
           text_in(problem, "detail", "it gives no reason"),
           text_in(problem, "fix", "see: tessera --help")}};
}

nlohmann::json parsed(const httplib::Response& response) {
  if (response.status < 200 || response.status > 299)
    throw refused(response.status, response.body);
  auto body = nlohmann::json::parse(response.body, nullptr, false);
  if (!body.is_object())
    throw Failed{Exit::failed,
                 {"E307", "the node's answer cannot be read", "it is not a JSON object",
                  "is this the right URL?"}};
  return body;
}

} // namespace

struct Api::Line {
  Common common;
  std::optional<httplib::Client> client;
  Clock::time_point asked;

  httplib::Client& ask() {
    asked = Clock::now();
    return *client;
  }

  const httplib::Response& answer(const httplib::Result& result) const {
    if (result)
      return *result;
    const bool late =
        result.error() == httplib::Error::Read && Clock::now() - asked >= answer_time_max - 1s;
    if (late)
      throw Failed{Exit::timeout,
                   {"E308", "the node took too long",
                    "no answer in " + std::to_string(answer_time_max.count()) + " s",
                    "see how it fares: tessera status"}};
    throw nobody(common, result.error() == httplib::Error::Connection
                             ? "the connection was refused"
                             : "the connection broke: " + httplib::to_string(result.error()));
  }

  void pieces(const std::string& path, const httplib::Headers& headers, const Opened& opened,
              const Chunk& chunk);
};

// An error thrown by `opened` or `chunk` ends the transfer first; httplib is not unwound through.
void Api::Line::pieces(const std::string& path, const httplib::Headers& headers,
                       const Opened& opened, const Chunk& chunk) {
  int status = 0;
  std::string problem;
  std::exception_ptr thrown;
  const auto guarded = [&](const auto& act) {
    try {
      act();
      return true;
    } catch (...) {
      thrown = std::current_exception();
      return false;
    }
  };
  const auto result = ask().Get(
      path, headers,
      [&](const httplib::Response& response) {
        status = response.status;
        return guarded([&] {
          if (status == 200)
            opened(response.get_header_value("Content-Type"));
        });
      },
      [&](const char* data, std::size_t size) {
        return guarded([&] {
          if (status == 200)
            chunk({data, size});
          else if (problem.size() < problem_bytes_max)
            problem.append(data, size);
        });
      });
  if (thrown)
    std::rethrow_exception(thrown);
  answer(result);
  if (status != 200)
    throw refused(status, problem);
}

std::string Access::url() const {
  const bool v6 = host.find(':') != host.npos;
  return "http://" + (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Access access_to(const Common& common) {
  const auto paths = common.paths();
  const auto text = common.api.empty() ? first_line(paths.api) : common.api;
  if (text.empty())
    throw nobody(common, "there is no file " + paths.api.string());
  auto access = parse_url(text);
  const auto token_file = common.token_file.empty() ? paths.token.string() : common.token_file;
  access.token = first_line(token_file);
  if (access.token.empty())
    throw no_token(token_file);
  return access;
}

Api::Api(const Common& common) : line_(std::make_unique<Line>()) {
  line_->common = common;
  const auto access = access_to(common);
  auto& client = line_->client.emplace(access.host, access.port);
  client.set_connection_timeout(connect_time_max);
  client.set_read_timeout(answer_time_max);
  client.set_write_timeout(answer_time_max);
  client.set_keep_alive(true);
  client.set_tcp_nodelay(true);
  client.set_bearer_token_auth(access.token);
}

Api::~Api() = default;

Api::Json Api::get(const std::string& path) {
  return parsed(line_->answer(line_->ask().Get(path)));
}

Api::Json Api::del(const std::string& path) {
  return parsed(line_->answer(line_->ask().Delete(path)));
}

Api::Json Api::post(const std::string& path, const Json& body, const std::string& key) {
  const auto text = body.is_null()
                        ? std::string{}
                        : body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  httplib::Headers headers;
  if (!key.empty())
    headers.emplace("Idempotency-Key", key);
  return parsed(line_->answer(line_->ask().Post(path, headers, text, "application/json")));
}

Api::Json Api::put(const std::string& path, ByteView body) {
  const auto text = text_of(body);
  return parsed(
      line_->answer(line_->ask().Put(path, text.data(), text.size(), "application/octet-stream")));
}

void Api::download(const std::string& path, const Opened& opened, const Chunk& chunk) {
  line_->pieces(path, {}, opened, chunk);
}

void Api::follow(const std::string& path, const std::string& after, const Chunk& chunk) {
  httplib::Headers headers;
  if (!after.empty())
    headers.emplace("Last-Event-ID", after);
  line_->client->set_read_timeout(silence_max);
  line_->pieces(
      path, headers, [](const std::string&) {}, chunk);
  line_->client->set_read_timeout(answer_time_max);
}

void Api::stop() {
  line_->client->stop();
}

bool Api::answers() {
  return bool(line_->ask().Get("/healthz"));
}

std::string segment(std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       c == '-' || c == '_' || c == '.';
    if (plain)
      out += c;
    else
      out += {'%', digits[byte >> 4], digits[byte & 15]};
  }
  return out;
}

} // namespace tessera::cli
