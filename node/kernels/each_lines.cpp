#include "node/kernels/each_lines.hpp"

#include "crypto/little_endian.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace tessera {

namespace {

using Json = nlohmann::json;

bool is_json(ByteView bytes) {
  return !bytes.empty() && Json::accept(bytes.begin(), bytes.end());
}

// Between tokens any white space is as good; inside a string JSON allows no bare line end.
void put_json(ByteView json, Bytes& out) {
  const auto at = out.size();
  while (json.back() == '\n' || json.back() == ' ')
    json = json.first(json.size() - 1);
  put(out, json);
  std::replace_if(
      out.begin() + std::ptrdiff_t(at), out.end(), [](auto c) { return c == '\n' || c == '\r'; },
      ' ');
}

std::string quoted(ByteView bytes) {
  try {
    return Json(std::string{text_of(bytes)}).dump();
  } catch (const Json::type_error&) { // No UTF-8.
    return Json{{"base64", to_base64(bytes)}}.dump();
  }
}

} // namespace

void put_result_line(ByteView result, Bytes& out) {
  if (result.size() > task_result_bytes_max)
    return put_error_line({"E735", "the result of this task is too long",
                           "it has " + std::to_string(result.size()) + " bytes, and at most " +
                               std::to_string(task_result_bytes_max) + " go into a list",
                           "run it as a job of its own: tessera submit without --each"},
                          out);
  if (is_json(result))
    put_json(result, out);
  else
    put(out, view(quoted(result)));
  out.push_back('\n');
}

void put_error_line(const Error& why, Bytes& out) {
  const Json line{
      {"error", {{"code", why.code}, {"what", why.what}, {"why", why.why}, {"fix", why.fix}}}};
  put(out, view(line.dump(-1, ' ', false, Json::error_handler_t::replace)));
  out.push_back('\n');
}

} // namespace tessera
