#include "node/worker/codec.hpp"

#include "crypto/little_endian.hpp"
#include "node/worker/system.hpp"

#include <algorithm>
#include <unistd.h>

namespace tessera {

namespace {

enum class Where : std::uint8_t { here, in_descriptor };

class Writer {
public:
  explicit Writer(OutPacket& packet) : packet_(packet) {
    packet_.bytes.clear();
    packet_.fd_count = 0;
  }

  void byte(std::uint8_t b) { packet_.bytes.push_back(b); }
  void number(std::uint64_t n) { put(packet_.bytes, n); }
  void raw(ByteView bytes) { put(packet_.bytes, bytes); }
  void sized(ByteView bytes) {
    number(bytes.size());
    raw(bytes);
  }

  void payload(const Payload& p) {
    byte(std::uint8_t(p.fd ? Where::in_descriptor : Where::here));
    if (!p.fd) {
      assert(p.bytes.size() <= inline_bytes_max);
      return sized(p.bytes);
    }
    number(p.size);
    packet_.fds.at(packet_.fd_count++) = p.fd.get();
  }

  // An error's texts come from anywhere: input names, exceptions. They leave here fit to print.
  void text(std::string_view t) {
    std::string clean{t.substr(0, error_text_bytes_max)};
    std::replace_if(clean.begin(), clean.end(), is_control, ' ');
    sized(view(clean));
  }

  static bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

private:
  OutPacket& packet_;
};

bool has_size(const Fd& fd, std::uint64_t size) {
  return ::lseek(fd.get(), 0, SEEK_END) == std::int64_t(size);
}

// Whether a descriptor is a memfd of this size that nobody can change any more.
bool sealed(const Fd& fd, std::uint64_t size) {
  const int seals = ::fcntl(fd.get(), F_GET_SEALS);
  return seals >= 0 && (seals & all_seals) == all_seals && has_size(fd, size);
}

// A worker trusts its node, whose blobs are files; a node trusts no worker.
using FitsSize = bool (*)(const Fd&, std::uint64_t size);

// Reads from the front; once something does not fit, everything after is empty and `whole` false.
class Reader {
public:
  Reader(InPacket& packet, FitsSize fits) : packet_(packet), left_(packet.bytes), fits_(fits) {}

  std::uint8_t byte() {
    const auto b = take(1);
    return b.empty() ? 0 : b[0];
  }
  std::uint64_t number() {
    const auto b = take(8);
    return b.empty() ? 0 : get<std::uint64_t>(b, 0);
  }
  std::uint32_t number32() {
    const auto n = number();
    sane_ = sane_ && n <= 0xffffffff;
    return std::uint32_t(n);
  }
  bool truth() {
    const auto b = byte();
    sane_ = sane_ && b <= 1;
    return b == 1;
  }
  ByteView sized(std::uint64_t bytes_max) {
    const auto size = number();
    sane_ = sane_ && size <= bytes_max;
    return take(size);
  }
  std::string text(std::uint64_t bytes_max) { return std::string{text_of(sized(bytes_max))}; }
  std::string printable() {
    auto t = text(error_text_bytes_max);
    sane_ = sane_ && std::none_of(t.begin(), t.end(), Writer::is_control);
    return t;
  }
  Digest digest() {
    Digest d;
    const auto b = take(d.bytes.size());
    std::copy(b.begin(), b.end(), d.bytes.begin());
    return d;
  }
  Block block() {
    const auto level = byte();
    sane_ = sane_ && level <= 63;
    return {level, number()};
  }

  Payload payload() {
    const auto where = byte();
    Payload p;
    p.size = number();
    if (where == std::uint8_t(Where::here) && p.size <= inline_bytes_max)
      p.bytes = to_bytes(take(p.size));
    else if (where == std::uint8_t(Where::in_descriptor) && p.size <= payload_bytes_max)
      p.fd = next_fd(p.size);
    else
      sane_ = false;
    return p;
  }

  // All was there, and nothing more.
  bool whole() const { return sane_ && left_.empty() && fds_taken_ == packet_.fd_count; }

private:
  ByteView take(std::uint64_t n) {
    sane_ = sane_ && n <= left_.size();
    if (!sane_)
      return {};
    const auto front = left_.first(std::size_t(n));
    left_ = left_.subspan(std::size_t(n));
    return front;
  }

  Fd next_fd(std::uint64_t size) {
    sane_ = sane_ && fds_taken_ < packet_.fd_count && fits_(packet_.fds[fds_taken_], size);
    return sane_ ? std::move(packet_.fds[fds_taken_++]) : Fd{};
  }

  InPacket& packet_;
  ByteView left_;
  FitsSize fits_;
  std::size_t fds_taken_ = 0;
  bool sane_ = true;
};

void write(Writer& w, const OpenJob& m) {
  w.number(m.job);
  w.sized(view(m.kernel));
  w.sized(m.params);
  w.number(m.items);
  w.number(m.leaf_items);
  for (const auto* payload : {&m.input, &m.module, &m.module_params})
    w.payload(*payload);
  w.byte(m.leaf_digests);
  w.payload(m.state);
  w.number(m.round);
  w.number(m.budget);
}
void write(Writer& w, const CloseJob& m) {
  w.number(m.job);
}
void write(Writer& w, const RunCall& m) {
  w.number(m.call);
  w.number(m.job);
  w.byte(m.block.level);
  w.number(m.block.index);
}
void write(Writer& w, const MergeCall& m) {
  w.number(m.call);
  w.number(m.job);
  w.payload(m.left);
  w.payload(m.right);
}
void write(Writer& w, const FinishCall& m) {
  w.number(m.call);
  w.number(m.job);
  w.payload(m.partial);
}
void write(Writer& w, const PrepareCall& m) {
  w.number(m.call);
  w.sized(view(m.kernel));
  w.sized(m.params);
  w.payload(m.input);
}
void write(Writer& w, const CallDone& m) {
  w.number(m.call);
  w.payload(m.output);
  w.raw(m.digest.view());
  w.raw(m.leaves.view());
  w.number(m.cpu_ns);
  w.number(m.wall_ns);
  w.number(m.fuel);
  w.number(m.memory_bytes);
  w.byte(m.manifest);
  w.payload(m.pieces);
  w.payload(m.piece_rows);
  w.byte(m.over);
  w.byte(m.as_it_is);
  w.number(m.tasks_run);
  w.number(m.tasks_left);
  w.number(m.module_calls);
  w.number(m.calls_again);
}
void write(Writer& w, const OpenedCall& m) {
  w.number(m.call);
  w.number(m.job);
}
void write(Writer& w, const CallFailed& m) {
  w.number(m.call);
  w.text(m.error.code);
  w.text(m.error.what);
  w.text(m.error.why);
  w.text(m.error.fix);
}

// Members are read in the order of their writing: one statement each.
void read(Reader& r, OpenJob& m) {
  m.job = r.number();
  m.kernel = r.text(kernel_name_bytes_max);
  m.params = to_bytes(r.sized(call_params_bytes_max));
  m.items = r.number();
  m.leaf_items = r.number();
  for (auto* payload : {&m.input, &m.module, &m.module_params})
    *payload = r.payload();
  m.leaf_digests = r.truth();
  m.state = r.payload();
  m.round = r.number32();
  m.budget = r.number32();
}
void read(Reader& r, CloseJob& m) {
  m.job = r.number();
}
void read(Reader& r, RunCall& m) {
  m.call = r.number();
  m.job = r.number();
  m.block = r.block();
}
void read(Reader& r, MergeCall& m) {
  m.call = r.number();
  m.job = r.number();
  m.left = r.payload();
  m.right = r.payload();
}
void read(Reader& r, FinishCall& m) {
  m.call = r.number();
  m.job = r.number();
  m.partial = r.payload();
}
void read(Reader& r, PrepareCall& m) {
  m.call = r.number();
  m.kernel = r.text(kernel_name_bytes_max);
  m.params = to_bytes(r.sized(call_params_bytes_max));
  m.input = r.payload();
}
void read(Reader& r, CallDone& m) {
  m.call = r.number();
  m.output = r.payload();
  m.digest = r.digest();
  m.leaves = r.digest();
  m.cpu_ns = r.number();
  m.wall_ns = r.number();
  m.fuel = r.number();
  m.memory_bytes = r.number();
  m.manifest = r.truth();
  m.pieces = r.payload();
  m.piece_rows = r.payload();
  m.over = r.truth();
  m.as_it_is = r.truth();
  m.tasks_run = r.number();
  m.tasks_left = r.number();
  m.module_calls = r.number();
  m.calls_again = r.number();
}
void read(Reader& r, OpenedCall& m) {
  m.call = r.number();
  m.job = r.number();
}
void read(Reader& r, CallFailed& m) {
  m.call = r.number();
  m.error.code = r.printable();
  m.error.what = r.printable();
  m.error.why = r.printable();
  m.error.fix = r.printable();
}

template<class Message>
void encode_any(const Message& message, OutPacket& packet) {
  Writer w{packet};
  w.byte(std::uint8_t(message.index()));
  std::visit([&](const auto& m) { write(w, m); }, message);
}

template<class Message, std::size_t I = 0>
std::optional<Message> decode_any(Reader& r, std::size_t tag) {
  if constexpr (I < std::variant_size_v<Message>) {
    if (tag != I)
      return decode_any<Message, I + 1>(r, tag);
    std::variant_alternative_t<I, Message> m;
    read(r, m);
    if (r.whole())
      return Message{std::move(m)};
  }
  return std::nullopt;
}

// "E" and three digits.
bool is_code(std::string_view code) {
  return code.size() == 4 && code[0] == 'E' &&
         std::all_of(code.begin() + 1, code.end(), [](char c) { return c >= '0' && c <= '9'; });
}

} // namespace

void encode(const WorkerRequest& request, OutPacket& packet) {
  encode_any(request, packet);
}

void encode(const WorkerReply& reply, OutPacket& packet) {
  encode_any(reply, packet);
}

std::optional<WorkerRequest> decode_request(InPacket packet) {
  Reader r{packet, has_size};
  return decode_any<WorkerRequest>(r, r.byte());
}

std::optional<WorkerReply> decode_reply(InPacket packet) {
  Reader r{packet, sealed};
  auto reply = decode_any<WorkerReply>(r, r.byte());
  if (reply)
    if (const auto* failed = std::get_if<CallFailed>(&*reply);
        failed && !is_code(failed->error.code))
      return std::nullopt;
  return reply;
}

} // namespace tessera
