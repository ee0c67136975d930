#include "crypto/identity.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <random>
#include <set>
#include <sys/resource.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

using namespace tessera;
namespace fs = std::filesystem;

namespace {

constexpr std::string_view base32_digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

NodeId some_id(std::mt19937_64& rng) {
  NodeId id;
  for (auto& byte : id.key)
    byte = std::uint8_t(rng());
  return id;
}

// A folder of its own for each test, gone afterwards.
struct Folder {
  fs::path path;

  Folder() {
    auto name = (fs::temp_directory_path() / "identity_test.XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()));
    path = name;
  }
  ~Folder() { fs::remove_all(path); }
};

unsigned mode_of(const fs::path& path) {
  struct stat st {};
  REQUIRE(::stat(path.c_str(), &st) == 0);
  return st.st_mode & 07777;
}

Bytes content_of(const fs::path& file) {
  std::ifstream in{file, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

void write(const fs::path& file, ByteView bytes) {
  std::ofstream{file, std::ios::binary} << text_of(bytes);
  fs::permissions(file, fs::perms(0600));
}

std::string refusal(const fs::path& file) {
  const auto identity = Identity::load_or_create(file);
  if (identity)
    return "";
  CHECK(identity.error().code == "E101");
  CHECK_FALSE(identity.error().fix.empty());
  CHECK(identity.error().what.find(file.string()) != std::string::npos);
  return identity.error().why;
}

bool says(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("a node id is written in fourteen groups of four, and read back in either case") {
  for (std::uint64_t seed = 0; seed != 300; ++seed) {
    INFO("seed " << seed);
    std::mt19937_64 rng{seed};
    const auto id = some_id(rng);
    auto text = to_text(id);
    CHECK(text.size() == 56 + 13);
    for (std::size_t i = 4; i < text.size(); i += 5)
      CHECK(text[i] == '-');
    CHECK(short_text(id) == text.substr(0, 4));
    REQUIRE(node_id_from_text(text));
    CHECK(*node_id_from_text(text) == id);
    std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
    REQUIRE(node_id_from_text(text));
    std::erase(text, '-');
    REQUIRE(node_id_from_text(text));
    CHECK(*node_id_from_text(text) == id);
  }
}

TEST_CASE("a known id has the check digits of RFC 4880's CRC-24") {
  NodeId id;
  for (std::size_t i = 0; i != 32; ++i)
    id.key[i] = std::uint8_t(i);
  CHECK(to_text(id) == "AAAQ-EAYE-AUDA-OCAJ-BIFQ-YDIO-B4IB-CEQT-CQKR-MFYY-DENB-WHA5-DYP2-F4PH");
}

TEST_CASE("every mistyped digit and every swap of two neighbours is refused") {
  for (std::uint64_t seed = 0; seed != 60; ++seed) {
    std::mt19937_64 rng{seed};
    const auto text = to_text(some_id(rng));
    for (std::size_t at = 0; at != text.size(); ++at) {
      INFO("seed " << seed << ", place " << at);
      if (text[at] == '-')
        continue;
      for (const char digit : base32_digits) {
        auto typed = text;
        typed[at] = digit;
        CHECK(node_id_from_text(typed).ok() == (digit == text[at]));
      }
      const auto next = at + 1 < text.size() && text[at + 1] == '-' ? at + 2 : at + 1;
      if (next >= text.size() || text[next] == text[at])
        continue;
      auto typed = text;
      std::swap(typed[at], typed[next]);
      CHECK_FALSE(node_id_from_text(typed));
    }
  }
}

TEST_CASE("what is no node id is refused with a reason") {
  const auto why = [](std::string_view text) {
    const auto id = node_id_from_text(text);
    REQUIRE_FALSE(id);
    CHECK(id.error().code == "E411");
    return id.error().why;
  };
  std::mt19937_64 rng{1};
  const auto text = to_text(some_id(rng));
  CHECK(says(why(""), "this has 0"));
  CHECK(says(why("K7QX"), "this has 4"));
  CHECK(says(why(text.substr(0, 68)), "55"));
  CHECK(says(why(text + "AAAAAAAA"), "this has 64"));
  CHECK(says(why("0" + text.substr(1)), "A-Z"));
  CHECK(says(why(" " + text), "this has 57"));
  CHECK(says(why(" " + text.substr(1)), "A-Z"));
  CHECK(says(why(std::string(1'000'000, 'A')), "1000000"));
  auto typed = text;
  typed[0] = typed[0] == 'A' ? 'B' : 'A';
  CHECK(says(why(typed), "mistyped"));
}

TEST_CASE("signatures follow RFC 8032") {
  // Section 7.1, tests 1 and 2.
  const auto seed = [](std::string_view text) {
    Secret<32> s;
    std::ranges::copy(*from_hex(text), s.data());
    return s;
  };
  const auto one =
      Identity::from_seed(seed("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"));
  CHECK(to_hex(one.id().view()) ==
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
  CHECK(to_hex(one.sign({})) ==
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701c"
        "f9b46bd25bf5f0595bbe24655141438e7a100b");
  const auto two =
      Identity::from_seed(seed("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"));
  CHECK(to_hex(two.sign(Bytes{0x72})) ==
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0"
        "f11d8c387b2eaeb4302aeeb00d291612bb0c00");
}

TEST_CASE("a signature is good for one signer and one text") {
  const auto a = Identity::generate(), b = Identity::generate();
  CHECK(a.id() != b.id());
  const auto signature = a.sign(view("text"));
  CHECK(verify(a.id(), view("text"), signature));
  CHECK_FALSE(verify(b.id(), view("text"), signature));
  CHECK_FALSE(verify(a.id(), view("texts"), signature));
  CHECK_FALSE(verify(a.id(), {}, signature));
  CHECK_FALSE(verify(NodeId{}, view("text"), signature));
}

TEST_CASE("a first start makes a key file that only its owner can read, in such a folder") {
  const Folder tmp;
  const auto file = tmp.path / "data" / "deeper" / "identity.key";
  const auto before = ::umask(0);
  const auto identity = Identity::load_or_create(file);
  ::umask(before);
  REQUIRE(identity);
  CHECK(mode_of(file) == 0600);
  CHECK(mode_of(file.parent_path()) == 0700);
  CHECK(fs::file_size(file) == 64);
  CHECK(fs::hard_link_count(file) == 1);
  // Nothing else is left in the folder: the draft is gone.
  CHECK(std::distance(fs::directory_iterator{file.parent_path()}, {}) == 1);
}

TEST_CASE("a second start is the same node") {
  const Folder tmp;
  const auto file = tmp.path / "identity.key";
  const auto first = Identity::load_or_create(file);
  const auto bytes = content_of(file);
  const auto second = Identity::load_or_create(file);
  REQUIRE(first);
  REQUIRE(second);
  CHECK(first->id() == second->id());
  CHECK(verify(first->id(), view("x"), second->sign(view("x"))));
  CHECK(content_of(file) == bytes);
}

TEST_CASE("starts at the same time end with one identity") {
  for (int round = 0; round != 20; ++round) {
    const Folder tmp;
    const auto file = tmp.path / "new" / "identity.key";
    std::array<std::optional<NodeId>, 4> ids;
    std::vector<std::thread> starts;
    for (auto& id : ids)
      starts.emplace_back([&id, &file] {
        if (const auto identity = Identity::load_or_create(file))
          id = identity->id();
      });
    for (auto& start : starts)
      start.join();
    for (const auto& id : ids) {
      REQUIRE(id);
      CHECK(*id == *ids[0]);
    }
    CHECK(std::distance(fs::directory_iterator{file.parent_path()}, {}) == 1);
  }
}

TEST_CASE("a key file of any wrong size is refused, and left as it is") {
  const Folder tmp;
  const auto file = tmp.path / "identity.key";
  REQUIRE(Identity::load_or_create(file));
  const auto whole = content_of(file);
  for (std::size_t size = 0; size != 130; ++size) {
    auto bytes = whole;
    bytes.resize(size);
    write(file, bytes);
    CHECK(says(refusal(file), "64") == (size != 64));
    CHECK(content_of(file) == bytes);
  }
}

TEST_CASE("a key file with any damaged byte is refused") {
  const Folder tmp;
  const auto file = tmp.path / "identity.key";
  REQUIRE(Identity::load_or_create(file));
  const auto whole = content_of(file);
  for (std::size_t at = 0; at != whole.size(); ++at) {
    auto bytes = whole;
    bytes[at] ^= 4;
    write(file, bytes);
    CHECK(says(refusal(file), "damaged"));
  }
}

TEST_CASE("a key within reach of other users is refused") {
  const Folder tmp;
  const auto file = tmp.path / "identity.key";
  REQUIRE(Identity::load_or_create(file));
  for (const unsigned mode : {0640u, 0604u, 0620u, 0602u, 0610u, 0644u, 0777u}) {
    fs::permissions(file, fs::perms(mode));
    CHECK(says(refusal(file), "other users"));
    CHECK(mode_of(file) == mode);
  }
  fs::permissions(file, fs::perms(0400));
  CHECK(refusal(file) == "");
  for (const unsigned mode : {0770u, 0707u, 0777u}) {
    fs::permissions(tmp.path, fs::perms(mode));
    CHECK(says(refusal(file), "folder"));
  }
  fs::permissions(tmp.path, fs::perms(0755));
  CHECK(refusal(file) == "");
}

TEST_CASE("a folder that others may write to gets no key") {
  const Folder tmp;
  fs::permissions(tmp.path, fs::perms(0777));
  CHECK(says(refusal(tmp.path / "identity.key"), "folder"));
  CHECK(fs::is_empty(tmp.path));
}

TEST_CASE("what is no plain file is refused at once") {
  const Folder tmp;
  fs::create_directory(tmp.path / "folder");
  CHECK(says(refusal(tmp.path / "folder"), "plain"));
  REQUIRE(::mkfifo((tmp.path / "pipe").c_str(), 0600) == 0);
  CHECK(says(refusal(tmp.path / "pipe"), "plain"));
  fs::create_symlink(tmp.path / "nowhere", tmp.path / "dangling");
  CHECK(refusal(tmp.path / "dangling") != "");
  write(tmp.path / "file", view("x"));
  CHECK(refusal(tmp.path / "file" / "identity.key") != "");
}

TEST_CASE("where no file can be made, it is said") {
  CHECK(says(refusal("/dev/full/identity.key"), "directory"));
  CHECK(refusal("/proc/tessera/identity.key") != "");
}

TEST_CASE("a disk that fills at any byte leaves no torn key, and the next start works") {
  const Folder tmp;
  const auto file = tmp.path / "identity.key";
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  for (rlim_t room = 0; room != 64; ++room) {
    const rlimit full{room, before.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &full) == 0);
    const auto identity = Identity::load_or_create(file);
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0); // Before anything is reported to a file.
    CHECK_FALSE(identity);
    CHECK(fs::is_empty(tmp.path));
  }
  std::signal(SIGXFSZ, old_handler);
  CHECK(Identity::load_or_create(file));
}
