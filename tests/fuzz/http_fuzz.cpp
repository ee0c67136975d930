#include "node/api_json.hpp"
#include "node/http/gate.hpp"
#include "node/http/server.hpp"
#include "tests/fuzz/input.hpp"

#include <array>

// What a request brings: target, Host, Origin, Authorization, and the body that submits a job. Text
// starts from a good one and is edited, or is any bytes. Input: which of the five, which good text
// (0: none), then edits, or the text.
namespace {

using namespace tessera;
using fuzz::must;

using Texts = std::vector<std::string_view>;
const std::array<Texts, 5> good{
    Texts{"/v1/status", "/v1/jobs/a%20b?wait=5&x=%26+y&&flag#part", "/v1/blobs/%2F%3f?a=b=c"},
    Texts{"localhost", "127.0.0.1:7701", "[::1]:65535", "LOCALHOST:1", "127.255.255.255"},
    Texts{"http://localhost:3000", "https://127.0.0.1", "http://[::1]:80"},
    Texts{"Bearer 0123456789abcdef", "bearer 0123456789abcdef"},
    Texts{
        R"({"kernel":"sumsq","items":100,"leaf":"auto"})",
        R"({"kernel":"mandelbrot","params":{"size":"512","cx":-0.5},"leaf":3,"items":null})",
        R"({"kernel":"sumsq","params":{},"items":18446744073709551615,"leaf":1,"input":null})",
        R"({"kernel":"wasm","items":5,"params":{"fuel":9,"nan":"strict"},"module":"0000000000000000)"
        R"(000000000000000000000000000000000000000000000000"})",
        R"({"kernel":"filter","params":{"op":"gauss"},"input":"00000000000000000000000000000000)"
        R"(00000000000000000000000000000000"})"}};

void check_target(const std::string& text) {
  const auto target = http::parse_target(text);
  if (!target)
    return;
  must(target->path.starts_with('/') && target->path.find('\0') == std::string::npos);
  must(target->path.size() <= text.size());
  for (const auto& [name, value] : target->query)
    must(!name.empty() && (name + value).find('\0') == std::string::npos);
}

// A name that a browser might resolve elsewhere has other characters, or more of them.
void check_host(std::string_view host) {
  if (!http::loopback_host(host))
    return;
  must(host.size() <= std::string_view{"127.255.255.255:65535"}.size());
  must(host.find_first_not_of("0123456789.:[]localhostLOCALHOST") == host.npos);
}

void check_origin(std::string_view origin) {
  if (!http::loopback_origin(origin))
    return;
  const auto slashes = origin.find("//");
  must(slashes == 5 || slashes == 6);
  must(http::loopback_host(origin.substr(slashes + 2)));
}

void check_authorization(const std::string& text) {
  const std::string token = "0123456789abcdef";
  must(http::bears(text, token) == (text.size() == 7 + token.size() && text.ends_with(token) &&
                                    http::bears(text.substr(0, 7) + token, token)));
  must(!http::bears(text, ""));
}

void check_job(const std::string& text) {
  const auto request = job_request(view(text));
  if (!request) {
    const auto& e = request.error();
    must(!e.code.empty() && !e.what.empty() && !e.why.empty() && !e.fix.empty());
    must(problem(400, e).body != nullptr);
    return;
  }
  const auto& info = request->kernel ? request->kernel->info() : wasm::module_info();
  must(request->params.size() == info.params.size());
  must(decode_params(info, encode_params(request->params)).ok());
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input{{data, size}};
  const auto which = input.byte() % good.size();
  const auto number = input.byte() % (good[which].size() + 1);
  const auto text = number ? fuzz::edited(std::string{good[which][number - 1]}, input)
                           : std::string{text_of(input.rest)};
  switch (which) {
  case 0:
    check_target(text);
    break;
  case 1:
    check_host(text);
    break;
  case 2:
    check_origin(text);
    break;
  case 3:
    check_authorization(text);
    break;
  default:
    check_job(text);
  }
  return 0;
}
