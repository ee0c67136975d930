#include "tests/node/worker_rig.hpp"

#include "node/worker/codec.hpp"
#include "node/worker/system.hpp"

#include <array>
#include <fcntl.h>
#include <random>
#include <sys/mman.h>
#include <sys/socket.h>

using namespace tessera;
using namespace tessera::rig;

// The line between node and worker, as a worker that has turned against its node would use it.
namespace {

struct Pair {
  Fd node, worker;
  Pair() {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
    node.reset(ends[0]);
    worker.reset(ends[1]);
  }
};

OutPacket packet_of(const Bytes& bytes, std::initializer_list<int> fds = {}) {
  OutPacket packet;
  packet.bytes = bytes;
  for (const int fd : fds)
    packet.fds.at(packet.fd_count++) = fd;
  return packet;
}

// What the node makes of one packet; "" where it parses.
std::string judgement_of(const OutPacket& packet) {
  const Pair line;
  REQUIRE(send_packet(line.worker.get(), packet) == Line::open);
  const auto reply = receive(line.node);
  if (!reply)
    return reply.error().code;
  CHECK(reply->has_value());
  return "";
}

Bytes pattern(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i)
    bytes[i] = std::uint8_t(i * 31 + 7);
  return bytes;
}

Digest some_digest(std::uint8_t fill) {
  Digest d;
  d.bytes.fill(fill);
  return d;
}

Payload payload(std::size_t size) {
  auto made = Payload::take(pattern(size));
  REQUIRE(made.ok());
  return std::move(*made);
}

CallDone done_with(Payload output) {
  CallDone done;
  done.call = 0x0102030405060708;
  done.output = std::move(output);
  done.digest = some_digest(3);
  done.leaves = some_digest(4);
  done.cpu_ns = 5;
  done.wall_ns = 6;
  return done;
}

OutPacket encoded(const WorkerReply& reply) {
  OutPacket packet;
  encode(reply, packet);
  return packet;
}

constexpr std::size_t size_at = 1 + 8 + 1; // Of a CallDone's payload: tag, call, where, size.

// A CallDone that says it has a memfd of `size` bytes behind this descriptor.
OutPacket done_behind(int fd, std::uint64_t size) {
  auto packet = encoded(done_with({}));
  packet.bytes[size_at - 1] = 1;
  for (int i = 0; i < 8; ++i)
    packet.bytes[size_at + i] = std::uint8_t(size >> (8 * i));
  packet.fds[packet.fd_count++] = fd;
  return packet;
}

Fd memfd(std::size_t size, int seals) {
  Fd fd{::memfd_create("t", MFD_CLOEXEC | MFD_ALLOW_SEALING)};
  REQUIRE(::ftruncate(fd.get(), off_t(size)) == 0);
  REQUIRE(::fcntl(fd.get(), F_ADD_SEALS, seals) == 0);
  return fd;
}

Bytes bytes_of(Payload p) {
  auto contents = Contents::of(std::move(p));
  REQUIRE(contents.ok());
  return to_bytes(contents->bytes());
}

template<class Message>
Message across(const WorkerRequest& request) {
  const Pair line;
  OutPacket out;
  encode(request, out);
  REQUIRE(send_packet(line.node.get(), out) == Line::open);
  const auto buffer = std::make_unique<PacketBuffer>();
  InPacket in;
  REQUIRE(receive_packet(line.worker.get(), *buffer, in) == Line::open);
  auto came = decode_request(std::move(in));
  REQUIRE(came.has_value());
  return std::move(std::get<Message>(*came));
}

} // namespace

TEST_CASE("every request crosses the line as it was") {
  for (const std::size_t size : {0, 1, 16 * 1024, 16 * 1024 + 1, 1'000'000}) {
    CAPTURE(size);
    OpenJob open = open_job(7, "kernel", 1ull << 63, 3);
    open.input = payload(size);
    open.module = payload(size / 2);
    open.module_params = payload(size / 3);
    open.leaf_digests = true;
    open.state = payload(size / 4);
    open.round = true;
    auto opened = across<OpenJob>(std::move(open));
    CHECK(opened.job == 7);
    CHECK(opened.kernel == "kernel");
    CHECK(opened.params == encode_params({}));
    CHECK(opened.items == 1ull << 63);
    CHECK(opened.leaf_items == 3);
    CHECK(opened.leaf_digests);
    CHECK(bytes_of(std::move(opened.input)) == pattern(size));
    CHECK(bytes_of(std::move(opened.module)) == pattern(size / 2));
    CHECK(bytes_of(std::move(opened.module_params)) == pattern(size / 3));
    CHECK(bytes_of(std::move(opened.state)) == pattern(size / 4));
    CHECK(opened.round);

    auto merge = across<MergeCall>(MergeCall{1, 2, payload(size), payload(size / 2)});
    CHECK(merge.call == 1);
    CHECK(merge.job == 2);
    CHECK(bytes_of(std::move(merge.left)) == pattern(size));
    CHECK(bytes_of(std::move(merge.right)) == pattern(size / 2));

    auto finish = across<FinishCall>(FinishCall{3, 4, payload(size)});
    CHECK(finish.call == 3);
    CHECK(finish.job == 4);
    CHECK(bytes_of(std::move(finish.partial)) == pattern(size));

    auto prepare = across<PrepareCall>(PrepareCall{5, "k", pattern(9), payload(size)});
    CHECK(prepare.call == 5);
    CHECK(prepare.kernel == "k");
    CHECK(prepare.params == pattern(9));
    CHECK(bytes_of(std::move(prepare.input)) == pattern(size));
  }
  CHECK(across<CloseJob>(CloseJob{9}).job == 9);
  const auto run = across<RunCall>(RunCall{1, 2, {63, 5}});
  CHECK(run.call == 1);
  CHECK(run.job == 2);
  CHECK(run.block == Block{63, 5});
  const auto opened = across<OpenedCall>(OpenedCall{3, 4});
  CHECK(opened.call == 3);
  CHECK(opened.job == 4);
}

TEST_CASE("every reply crosses the line as it was") {
  for (const std::size_t size : {0, 1, 16 * 1024, 16 * 1024 + 1, 1'000'000}) {
    const Pair line;
    const WorkerReply sent{done_with(payload(size))};
    REQUIRE(send_packet(line.worker.get(), encoded(sent)) == Line::open);
    auto reply = receive(line.node);
    REQUIRE(reply.ok());
    REQUIRE(reply->has_value());
    auto& done = std::get<CallDone>(**reply);
    CHECK(done.call == 0x0102030405060708);
    CHECK(done.digest == some_digest(3));
    CHECK(done.leaves == some_digest(4));
    CHECK(done.cpu_ns == 5);
    CHECK(done.wall_ns == 6);
    CHECK(done.output.size == size);
    CHECK(bytes_of(std::move(done.output)) == pattern(size));
  }
  const Pair line;
  const Error error{"E421", "what", "why", std::string(2000, 'f')};
  REQUIRE(send_packet(line.worker.get(), encoded(CallFailed{8, error})) == Line::open);
  const auto reply = receive(line.node);
  REQUIRE(reply.ok());
  const auto& failed = std::get<CallFailed>(**reply);
  CHECK(failed.call == 8);
  CHECK(failed.error == Error{"E421", "what", "why", std::string(error_text_bytes_max, 'f')});
}

TEST_CASE("a silent worker is nothing yet, a closed line is E701") {
  Pair line;
  CHECK(receive(line.node).value() == std::nullopt);
  line.worker.reset();
  CHECK(receive(line.node).error().code == "E701");
  CHECK(send(line.node, CloseJob{1}).error().code == "E701");
}

TEST_CASE("each truncation of a reply, and each byte too many, is E703") {
  for (const auto& whole :
       {encoded(done_with(payload(100))), encoded(CallFailed{1, {"E700", "a", "b", "c"}})}) {
    CHECK(judgement_of(whole) == "");
    for (std::size_t size = 1; size < whole.bytes.size(); ++size) {
      CAPTURE(size);
      auto cut = whole;
      cut.bytes.resize(size);
      REQUIRE(judgement_of(cut) == "E703");
    }
    auto longer = whole;
    longer.bytes.push_back(0);
    CHECK(judgement_of(longer) == "E703");
  }
}

TEST_CASE("random packets are E703 or parse, and never more") {
  const auto seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937_64 rng{seed};
  const auto done = encoded(done_with(payload(20)));
  const auto failed = encoded(CallFailed{1, {"E700", "a", "b", "c"}});
  for (int round = 0; round < 20'000; ++round) {
    auto packet = rng() % 2 ? done : failed;
    for (auto flips = 1 + rng() % 8; flips > 0; --flips)
      packet.bytes[rng() % packet.bytes.size()] = std::uint8_t(rng());
    if (rng() % 4 == 0)
      packet.bytes.resize(1 + rng() % packet.bytes.size());
    const auto judgement = judgement_of(packet);
    REQUIRE((judgement == "" || judgement == "E703"));
  }
}

TEST_CASE("lengths and tags that lie are E703") {
  const auto whole = encoded(done_with(payload(100)));
  const auto with = [&](std::size_t at, std::uint8_t byte) {
    auto packet = whole;
    packet.bytes[at] = byte;
    return judgement_of(packet);
  };
  CHECK(with(0, 2) == "E703");              // No such reply.
  CHECK(with(0, 1) == "E703");              // A CallFailed has other insides.
  CHECK(with(size_at - 1, 1) == "E703");    // No descriptor came.
  CHECK(with(size_at - 1, 2) == "E703");    // No such place.
  CHECK(with(size_at, 99) == "E703");       // One byte less than there is,
  CHECK(with(size_at, 101) == "E703");      // one more,
  CHECK(with(size_at + 7, 0x80) == "E703"); // and 2^63 more.
  const auto large = Bytes(packet_bytes_max, 0);
  CHECK(judgement_of(packet_of(large)) == "E703");
  CHECK(judgement_of(packet_of(Bytes(packet_bytes_max + 1, 0))) == "E703"); // Cut by the buffer.
}

TEST_CASE("a packet that the buffer cuts is nonsense, one that fills it is not") {
  const auto buffer = std::make_unique<PacketBuffer>();
  for (const std::size_t over : {0, 1}) {
    const Pair line;
    InPacket in;
    REQUIRE(send_packet(line.worker.get(), packet_of(Bytes(packet_bytes_max + over))) ==
            Line::open);
    CHECK(receive_packet(line.node.get(), *buffer, in) == (over ? Line::nonsense : Line::open));
  }
}

TEST_CASE("inline bytes past the inline bound are E703") {
  auto packet = encoded(done_with(payload(inline_bytes_max)));
  CHECK(judgement_of(packet) == "");
  packet.bytes[size_at] = 1;
  packet.bytes.insert(packet.bytes.begin() + size_at + 8, 'x');
  CHECK(judgement_of(packet) == "E703");
}

TEST_CASE("an error that is no error, or not fit to print, is E703") {
  const auto failed = [](const Error& e) { return encoded(CallFailed{1, e}); };
  for (const auto* code : {"", "E70", "E7011", "F701", "E7x1", "e701"}) {
    CAPTURE(code);
    CHECK(judgement_of(failed({code, "", "", ""})) == "E703");
  }
  // What encode would have cleaned, put there by hand.
  auto packet = failed({"E700", "bell", "", ""});
  CHECK(judgement_of(packet) == "");
  packet.bytes[1 + 8 + 8 + 4 + 8] = '\x1b';
  CHECK(judgement_of(packet) == "E703");
}

TEST_CASE("only a wholly sealed memfd of the said size is taken") {
  CHECK(judgement_of(done_behind(memfd(50'000, all_seals).get(), 50'000)) == "");
  CHECK(judgement_of(done_behind(memfd(50'000, all_seals).get(), 50'001)) == "E703");
  CHECK(judgement_of(done_behind(memfd(50'000, all_seals).get(), 49'999)) == "E703");
  CHECK(judgement_of(done_behind(memfd(0, all_seals).get(), ~std::uint64_t{0})) == "E703");
  for (const int seal : {F_SEAL_WRITE, F_SEAL_GROW, F_SEAL_SHRINK, F_SEAL_SEAL}) {
    CAPTURE(seal);
    CHECK(judgement_of(done_behind(memfd(50'000, all_seals & ~seal).get(), 50'000)) == "E703");
  }
  // A memfd may be larger than any payload without holding a page.
  const auto vast = memfd(payload_bytes_max + 1, all_seals);
  CHECK(judgement_of(done_behind(vast.get(), payload_bytes_max + 1)) == "E703");
}

TEST_CASE("descriptors that are no memfd, too many, or unasked for are E703, and are closed") {
  const auto lowest_free = [] { return Fd{::dup(0)}.get(); };
  const auto before = lowest_free();
  {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    const Fd in{ends[0]}, out{ends[1]};
    const Fd file{::open("/proc/self/exe", O_RDONLY | O_CLOEXEC)};
    const auto size = std::uint64_t(::lseek(file.get(), 0, SEEK_END));
    CHECK(judgement_of(done_behind(in.get(), 0)) == "E703");
    CHECK(judgement_of(done_behind(file.get(), size)) == "E703");
    auto two = done_behind(memfd(50'000, all_seals).get(), 50'000);
    const auto good = memfd(50'000, all_seals);
    two.fds[0] = two.fds[1] = good.get();
    two.fd_count = 2;
    CHECK(judgement_of(two) == "E703");
    auto unasked = encoded(done_with(payload(3)));
    unasked.fds[unasked.fd_count++] = good.get();
    CHECK(judgement_of(unasked) == "E703");
  }
  CHECK(lowest_free() == before);
}

TEST_CASE("four descriptors in one packet are E703, and none stays") {
  const auto good = memfd(50'000, all_seals);
  const Pair line;
  auto packet = done_behind(good.get(), 50'000);
  const int four[] = {good.get(), good.get(), good.get(), good.get()};
  iovec part{packet.bytes.data(), packet.bytes.size()};
  alignas(cmsghdr) std::array<std::uint8_t, CMSG_SPACE(sizeof four)> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  auto* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof four);
  std::memcpy(CMSG_DATA(header), four, sizeof four);
  REQUIRE(::sendmsg(line.worker.get(), &message, 0) > 0);
  const auto before = Fd{::dup(0)}.get();
  CHECK(receive(line.node).error().code == "E703");
  CHECK(Fd{::dup(0)}.get() == before);
}

TEST_CASE("a sealed memfd cannot be written by the one who made it") {
  auto fd = memfd_of(pattern(50'000));
  REQUIRE(fd.ok());
  CHECK(::pwrite(fd->get(), "x", 1, 0) == -1);
  CHECK(::ftruncate(fd->get(), 1) == -1);
  CHECK(::mmap(nullptr, 4096, PROT_WRITE, MAP_SHARED, fd->get(), 0) == MAP_FAILED);
  const auto mapping = Mapping::of(*fd);
  REQUIRE(mapping.ok());
  CHECK(to_bytes(mapping->bytes()) == pattern(50'000));
}

TEST_CASE("a whole file can be mapped, and an empty one") {
  const Fd file{::open("LICENSE", O_RDONLY | O_CLOEXEC)};
  const auto mapping = Mapping::of(file);
  REQUIRE(mapping.ok());
  CHECK(text_of(mapping->bytes()).find("Apache License") != std::string_view::npos);
  const Fd none{::memfd_create("t", MFD_CLOEXEC)};
  CHECK(Mapping::of(none).value().bytes().empty());
  CHECK(Mapping::of(Fd{}).error().code == "E707");
}
