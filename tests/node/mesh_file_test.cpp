#include "node/mesh_file.hpp"
#include "node/secret_file.hpp"

#include "crypto/digest.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cctype>
#include <csignal>
#include <fstream>
#include <random>
#include <sys/resource.h>
#include <sys/stat.h>

using namespace tessera;
namespace fs = std::filesystem;

namespace {

struct Folder {
  fs::path path;

  Folder() {
    auto name = (fs::temp_directory_path() / "tessera-mesh-XXXXXX").string();
    path = mkdtemp(name.data());
  }
  Folder(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  fs::path put(const std::string& text) const {
    std::ofstream{path / "mesh.json", std::ios::binary} << text;
    return path / "mesh.json";
  }
};

std::string text_of_file(const fs::path& file) {
  std::ifstream in{file, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

mode_t mode_of(const fs::path& path) {
  struct stat info {};
  REQUIRE(stat(path.c_str(), &info) == 0);
  return info.st_mode & 07777;
}

Address seed(int number) {
  return {"10.0.0." + std::to_string(number), std::uint16_t(7700 + number)};
}

MeshMembership mesh_with(std::vector<Address> seeds) {
  auto mesh = found_mesh();
  mesh.seeds = std::move(seeds);
  return mesh;
}

void check_same(const MeshMembership& a, const MeshMembership& b) {
  CHECK(a.id == b.id);
  CHECK(a.open() == b.open());
  if (a.psk && b.psk)
    CHECK(a.psk->bytes == b.psk->bytes);
  CHECK(a.seeds == b.seeds);
}

std::string code_of(const auto& result) {
  return result.ok() ? "ok" : result.error().code;
}

} // namespace

TEST_CASE("each mesh that is founded is another; the open one is always the same") {
  const auto a = found_mesh(), b = found_mesh();
  CHECK(a.id != b.id);
  CHECK(a.psk->bytes != b.psk->bytes);
  CHECK(!a.open());
  CHECK(open_mesh().open());
  CHECK(open_mesh().id == open_mesh().id);
}

TEST_CASE("seeds are the newest first, each once, and no more than named") {
  MeshMembership mesh;
  mesh.add_seeds({seed(1), seed(2)});
  mesh.add_seeds({seed(3), seed(2), seed(3)});
  CHECK(mesh.seeds == std::vector{seed(3), seed(2), seed(1)});
  std::vector<Address> many;
  for (int i = 10; i < 60; ++i)
    many.push_back(seed(i));
  mesh.add_seeds(many);
  many.resize(mesh_seeds_max);
  CHECK(mesh.seeds == many);
  mesh.add_seeds({seed(99)});
  CHECK(mesh.seeds.size() == mesh_seeds_max);
  CHECK(mesh.seeds.front() == seed(99));
  CHECK(mesh.seeds.back() == many[mesh_seeds_max - 2]);
}

TEST_CASE("an invite brings back its mesh, in whatever case it was typed") {
  std::vector<Address> most;
  for (std::size_t i = 0; i < mesh_seeds_max; ++i)
    most.push_back(seed(int(i)));
  for (const auto& seeds : std::vector<std::vector<Address>>{
           {},
           {seed(1)},
           {{"fe80::1%eth0", 1}, {"node.example", 65535}, {std::string(255, 'h'), 256}},
           most}) {
    const auto mesh = mesh_with(seeds);
    auto invite = to_invite(mesh);
    CAPTURE(invite);
    CHECK(invite.starts_with("tess1"));
    CHECK(std::none_of(invite.begin(), invite.end(),
                       [](unsigned char c) { return std::isupper(c); }));
    auto back = from_invite(invite);
    REQUIRE(back.ok());
    check_same(*back, mesh);
    std::transform(invite.begin() + 5, invite.end(), invite.begin() + 5,
                   [](unsigned char c) { return std::toupper(c); });
    back = from_invite(invite);
    REQUIRE(back.ok());
    check_same(*back, mesh);
  }
}

TEST_CASE("a host too long for an invite is left out, and spoils nothing") {
  for (const std::size_t size : {256, 257, 300, 511, 512, 70000}) {
    const auto back =
        from_invite(to_invite(mesh_with({seed(1), {std::string(size, 'h'), 7700}, seed(2)})));
    REQUIRE(back.ok());
    CHECK(back->seeds == std::vector{seed(1), seed(2)});
  }
}

TEST_CASE("no invite survives a changed, a missing or an added character") {
  const auto invite = to_invite(mesh_with({seed(1), {"2001:db8::7", 7701}}));
  const auto refused = [](const std::string& text) {
    CAPTURE(text);
    const auto result = from_invite(text);
    REQUIRE(code_of(result) == "E311");
    CHECK(!result.error().why.empty());
  };
  const std::string digits = "abcdefghijklmnopqrstuvwxyz234567018- \n";
  for (std::size_t at = 0; at < invite.size(); ++at)
    for (const char digit : digits)
      if (digit != invite[at]) {
        auto changed = invite;
        changed[at] = digit;
        refused(changed);
      }
  for (std::size_t size = 0; size < invite.size(); ++size) {
    refused(invite.substr(0, size));
    auto cut = invite;
    refused(cut.erase(size, 1));
  }
  for (const char digit : digits)
    refused(invite + digit);
  refused(invite + invite);
}

TEST_CASE("noise is no invite, nor are bytes that only bear a good check") {
  std::mt19937_64 dice{7};
  for (int i = 0; i < 20'000; ++i) {
    std::string text = "tess1";
    for (auto n = dice() % 200; n; --n)
      text += char(dice() % 256);
    REQUIRE(code_of(from_invite(text)) == "E311");
  }
  const auto checked = [](Bytes bytes) {
    const auto check = digest_of("tessera invite", {bytes});
    bytes.insert(bytes.end(), check.bytes.begin(), check.bytes.begin() + 4);
    return code_of(from_invite("tess1" + to_base32(bytes)));
  };
  Bytes mesh(64, 7);
  CHECK(checked(mesh) == "ok");
  CHECK(checked(Bytes(63, 7)) == "E311");
  const auto with = [&](std::vector<int> seed) {
    auto bytes = mesh;
    bytes.insert(bytes.end(), seed.begin(), seed.end());
    return checked(bytes);
  };
  CHECK(with({1, 1, 0, 'h'}) == "ok");
  CHECK(with({2, 1, 0, 'h'}) == "E311"); // Ends within the host,
  CHECK(with({1, 1}) == "E311");         // or before it.
  CHECK(with({1}) == "E311");
  CHECK(with({0, 1, 0}) == "E311");      // No host,
  CHECK(with({1, 0, 0, 'h'}) == "E311"); // no port.
}

TEST_CASE("mesh.json brings back its mesh, and nobody else may read it") {
  const Folder folder;
  const auto file = folder.path / "new" / "deep" / "mesh.json";
  auto loaded = load_mesh(file);
  REQUIRE(loaded.ok());
  CHECK(!loaded->has_value());
  auto open = open_mesh();
  open.seeds = {seed(4)};
  for (const auto& mesh : {mesh_with({seed(1), {"a\"b\\c", 1}, {std::string(300, 'h'), 65535}}),
                           mesh_with({}), open}) {
    REQUIRE(save_mesh(file, mesh).ok());
    CHECK(mode_of(file) == 0600);
    CHECK(mode_of(file.parent_path()) == 0700);
    loaded = load_mesh(file);
    REQUIRE(loaded.ok());
    REQUIRE(loaded->has_value());
    check_same(**loaded, mesh);
  }
  CHECK(std::distance(fs::directory_iterator{file.parent_path()}, {}) == 1);
}

TEST_CASE("a damaged mesh.json is told, and not taken for none") {
  const Folder folder;
  const std::string id(64, 'a');
  const auto code = [&](const std::string& text) { return code_of(load_mesh(folder.put(text))); };
  CHECK(code(R"({"mesh":")" + id + R"("})") == "ok");
  CHECK(code(R"({"mesh":")" + id + R"(","seeds":[{"host":"h","port":65535}]})") == "ok");
  for (const auto& text : std::vector<std::string>{
           "",
           "{",
           "[]",
           "null",
           "7",
           "{}",
           "\xff\xfe",
           std::string(1, '\0'),
           std::string(100'000, '['),
           R"({"mesh":7})",
           R"({"mesh":"aa"})",
           R"({"mesh":")" + std::string(64, 'g') + R"("})",
           R"({"mesh":")" + id + "aa\"}",
           R"({"mesh":")" + id + R"(","psk":null})",
           R"({"mesh":")" + id + R"(","psk":"aa"})",
           R"({"mesh":")" + id + R"(","seeds":7})",
           R"({"mesh":")" + id + R"(","seeds":[7]})",
           R"({"mesh":")" + id + R"(","seeds":[{}]})",
           R"({"mesh":")" + id + R"(","seeds":[{"host":"h"}]})",
           R"({"mesh":")" + id + R"(","seeds":[{"host":7,"port":1}]})",
           R"({"mesh":")" + id + R"(","seeds":[{"host":"","port":1}]})",
           R"({"mesh":")" + id + R"(","seeds":[{"host":"h","port":0}]})",
           R"({"mesh":")" + id + R"(","seeds":[{"host":"h","port":-1}]})",
           R"({"mesh":")" + id + R"(","seeds":[{"host":"h","port":1.5}]})",
           R"({"mesh":")" + id + R"(","seeds":[{"host":"h","port":65536}]})"}) {
    CAPTURE(text.substr(0, 200));
    CHECK(code(text) == "E312");
  }
  std::string many = R"({"mesh":")" + id + R"(","seeds":[)";
  for (int i = 1; i < 100; ++i)
    many += R"({"host":"h)" + std::to_string(i) + R"(","port":1},)";
  many.back() = ']';
  const auto bounded = load_mesh(folder.put(many + "}"));
  REQUIRE(bounded.ok());
  CHECK((*bounded)->seeds.size() == mesh_seeds_max);
  CHECK((*bounded)->seeds.front().host == "h1");

  REQUIRE(save_mesh(folder.path / "mesh.json", mesh_with({seed(1)})).ok());
  const auto good = text_of_file(folder.path / "mesh.json");
  for (std::size_t size = 0; size + 2 < good.size(); ++size) // The last two: "}\n".
    CHECK(code(good.substr(0, size)) == "E312");
  std::mt19937_64 dice{7};
  for (int i = 0; i < 1000; ++i) {
    auto damaged = good;
    for (auto n = 1 + dice() % 4; n; --n)
      damaged[dice() % damaged.size()] = char(dice() % 256);
    const auto said = code(damaged);
    CHECK((said == "ok" || said == "E312"));
  }
}

TEST_CASE("a mesh.json that cannot be seen is E312, not a mesh to found anew") {
  const Folder folder;
  fs::create_directory(folder.path / "mesh.json");
  CHECK(code_of(load_mesh(folder.path / "mesh.json")) == "E312"); // A folder.
  const auto loop = folder.path / "loop";
  fs::create_symlink(loop, loop);
  CHECK(code_of(load_mesh(loop / "mesh.json")) == "E312");
}

TEST_CASE("what cannot be written is E313, and the old file stays") {
  const Folder folder;
  const auto file = folder.put("not a folder");
  CHECK(code_of(save_mesh(file / "mesh.json", found_mesh())) == "E313");
  CHECK(code_of(save_mesh("/proc/nowhere/mesh.json", found_mesh())) == "E313");
  CHECK(text_of_file(file) == "not a folder");

  fs::create_directories(folder.path / "full" / "mesh.json" / "x"); // Cannot be replaced by a file.
  CHECK(code_of(save_mesh(folder.path / "full" / "mesh.json", found_mesh())) == "E313");
  CHECK(std::distance(fs::directory_iterator{folder.path / "full"}, {}) == 1);

  const auto mesh = mesh_with({seed(1)});
  REQUIRE(save_mesh(file, mesh).ok());
  struct rlimit before {};
  getrlimit(RLIMIT_FSIZE, &before);
  const auto old = std::signal(SIGXFSZ, SIG_IGN);
  const struct rlimit small { 10, before.rlim_max };
  setrlimit(RLIMIT_FSIZE, &small);
  const auto code = code_of(save_mesh(file, found_mesh()));
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, old);
  CHECK(code == "E313");
  const auto kept = load_mesh(file);
  REQUIRE(kept.ok());
  check_same(**kept, mesh);
  CHECK(!fs::exists(file.string() + ".new"));
}

TEST_CASE("a secret goes into no file that lay there, nor changes a folder's mode that was there") {
  const Folder folder;
  fs::permissions(folder.path, fs::perms(0755));
  const auto file = folder.path / "token", other = folder.path / "other";
  std::ofstream{other} << "mine";
  fs::create_symlink(other, file.string() + ".new");
  REQUIRE(write_secret_file(file, "secret\n").ok());
  CHECK(text_of_file(other) == "mine");
  CHECK(text_of_file(file) == "secret\n");
  CHECK(mode_of(folder.path) == 0755);

  std::ofstream{file.string() + ".new"} << "left by a crash";
  fs::permissions(file.string() + ".new", fs::perms(0644));
  REQUIRE(write_secret_file(file, "").ok());
  CHECK(mode_of(file) == 0600);
  CHECK(text_of_file(file) == "");
}
