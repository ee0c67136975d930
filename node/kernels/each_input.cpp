#include "node/kernels/each_input.hpp"

#include "crypto/little_endian.hpp"

#include <algorithm>
#include <cstring>

namespace tessera {

namespace {

constexpr std::size_t word = sizeof(std::uint64_t);
constexpr std::size_t head_bytes = 2 * word;

std::vector<std::uint64_t> line_starts(ByteView file) {
  std::vector<std::uint64_t> starts;
  for (std::size_t at = 0; at < file.size();) {
    starts.push_back(at);
    const auto* end =
        static_cast<const std::uint8_t*>(std::memchr(file.data() + at, '\n', file.size() - at));
    at = end ? std::size_t(end - file.data()) + 1 : file.size() + 1;
  }
  // After the last line, with the "\n" that it may lack.
  starts.push_back(file.size() + (!file.empty() && file.back() != '\n'));
  return starts;
}

std::vector<std::uint64_t> record_starts(std::uint64_t bytes, std::uint64_t record_bytes) {
  std::vector<std::uint64_t> starts;
  for (std::uint64_t at = 0; at < bytes; at += std::min(record_bytes, bytes - at))
    starts.push_back(at);
  starts.push_back(bytes);
  return starts;
}

} // namespace

Status EachInput::index(ByteView file, std::uint64_t record_bytes, Bytes& out) {
  if (file.empty())
    return Error{"E422", "there is no task in this input", "it is empty",
                 "give a file with a task in each line: --each FILE"};
  const auto starts = record_bytes ? record_starts(file.size(), record_bytes) : line_starts(file);
  out.reserve(out.size() + head_bytes + starts.size() * word + file.size() + 1);
  put(out, std::uint64_t{starts.size() - 1});
  put(out, std::uint64_t{record_bytes ? 0u : 1u});
  for (const auto start : starts)
    put(out, start);
  put(out, file);
  if (starts.back() > file.size())
    out.push_back('\n');
  return Nothing{};
}

std::uint64_t EachInput::tasks(ByteView head) {
  return head.size() < word ? 0 : get<std::uint64_t>(head, 0);
}

std::optional<EachInput> EachInput::of(ByteView bytes) {
  const auto tasks = EachInput::tasks(bytes);
  if (tasks == 0 || bytes.size() < head_bytes || tasks >= (bytes.size() - head_bytes) / word)
    return std::nullopt;
  const auto index_bytes = head_bytes + (tasks + 1) * word;
  return EachInput{bytes.first(index_bytes), bytes.subspan(index_bytes)};
}

std::optional<ByteView> EachInput::task(std::uint64_t number) const {
  if (number >= tasks())
    return std::nullopt;
  const auto at = head_bytes + number * word;
  const auto begin = get<std::uint64_t>(index_, at), next = get<std::uint64_t>(index_, at + word),
             between = get<std::uint64_t>(index_, word);
  if (begin > next || next > file_.size() || next - begin < between)
    return std::nullopt;
  return file_.subspan(begin, next - begin - between);
}

} // namespace tessera
