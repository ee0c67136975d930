#include "node/mesh_file.hpp"

#include "crypto/digest.hpp"
#include "node/secret_file.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <fstream>

namespace tessera {
namespace {

using Json = nlohmann::json;

constexpr std::string_view invite_prefix = "tess1";
constexpr std::size_t check_bytes = 4;
constexpr std::size_t host_bytes_max = 255; // In an invite: its size is one byte.

Digest check_of(ByteView bytes) {
  return digest_of("tessera invite", {bytes});
}

template<std::size_t N>
bool read_hex(const Json& file, const char* name, std::array<std::uint8_t, N>& out) {
  const auto it = file.find(name);
  const auto bytes =
      it != file.end() && it->is_string() ? from_hex(it->get<std::string>()) : std::nullopt;
  if (!bytes || bytes->size() != N)
    return false;
  std::copy(bytes->begin(), bytes->end(), out.begin());
  return true;
}

// Where there is no array of seeds, or not of this shape, Json throws.
std::optional<Address> read_seed(const Json& seed) {
  const auto& port = seed.at("port");
  auto host = seed.at("host").get<std::string>();
  if (host.empty() || !port.is_number_unsigned() || port == 0 || port > UINT16_MAX)
    return std::nullopt;
  return Address{std::move(host), port.get<std::uint16_t>()};
}

std::optional<MeshMembership> read_json(const Json& file) {
  MeshMembership mesh;
  if (!file.is_object() || !read_hex(file, "mesh", mesh.id.bytes))
    return std::nullopt;
  if (file.contains("psk")) {
    mesh.psk.emplace();
    if (!read_hex(file, "psk", mesh.psk->bytes))
      return std::nullopt;
  }
  std::vector<Address> seeds;
  for (const auto& entry : file.value("seeds", Json::array())) {
    auto seed = read_seed(entry);
    if (!seed)
      return std::nullopt;
    seeds.push_back(std::move(*seed));
  }
  mesh.add_seeds(seeds);
  return mesh;
}

Error bad_invite(std::string why) {
  return {"E311", "this is no invite", std::move(why),
          "copy it again, all of it: tessera invite, on a node of that mesh"};
}

// Bytes that are read from the front, and never past the end.
struct Reader {
  ByteView left;
  bool short_of = false;

  ByteView take(std::size_t n) {
    if (left.size() < n) {
      short_of = true;
      return {};
    }
    const auto taken = left.first(n);
    left = left.subspan(n);
    return taken;
  }
  std::uint8_t byte() {
    const auto taken = take(1);
    return taken.empty() ? 0 : taken[0];
  }
};

} // namespace

void MeshMembership::add_seeds(const std::vector<Address>& more) {
  auto all = more;
  all.insert(all.end(), seeds.begin(), seeds.end());
  seeds.clear();
  for (auto& seed : all)
    if (seeds.size() < mesh_seeds_max && std::find(seeds.begin(), seeds.end(), seed) == seeds.end())
      seeds.push_back(std::move(seed));
}

MeshMembership found_mesh() {
  MeshMembership mesh;
  fill_random(mesh.id.bytes);
  mesh.psk.emplace();
  fill_random(mesh.psk->bytes);
  return mesh;
}

MeshMembership open_mesh() {
  return {digest_of(view("tessera open mesh 1")), std::nullopt, {}};
}

Result<std::optional<MeshMembership>> load_mesh(const std::filesystem::path& file) {
  const auto unreadable = [&](std::string why) {
    return Error{"E312", "cannot read " + file.string(), std::move(why),
                 "move it away and join again with an invite"};
  };
  std::error_code bad;
  if (!std::filesystem::exists(file, bad)) {
    if (bad) // Whether there is one cannot be seen.
      return unreadable(bad.message());
    return std::optional<MeshMembership>{};
  }
  std::ifstream in{file};
  if (!in)
    return unreadable(std::strerror(errno));
  try {
    if (auto mesh = read_json(Json::parse(in)))
      return mesh;
    return unreadable("it has no mesh of 64 hex digits, or its psk or seeds are none");
  } catch (const std::exception&) { // Of Json, or of the stream: a folder can be opened.
    return unreadable("it is not the JSON that a node wrote");
  }
}

Status save_mesh(const std::filesystem::path& file, const MeshMembership& mesh) {
  Json json{{"mesh", to_hex(mesh.id)}, {"seeds", Json::array()}};
  if (mesh.psk)
    json["psk"] = to_hex(mesh.psk->view());
  for (const auto& seed : mesh.seeds)
    json["seeds"].push_back({{"host", seed.host}, {"port", seed.port}});
  return write_secret_file(file, json.dump(1) + "\n");
}

std::string to_invite(const MeshMembership& mesh) {
  Bytes bytes;
  const auto append = [&](ByteView more) { bytes.insert(bytes.end(), more.begin(), more.end()); };
  append(mesh.id.view());
  append(mesh.psk->view());
  for (const auto& seed : mesh.seeds) {
    if (seed.host.size() > host_bytes_max)
      continue; // No name of a host is so long.
    const std::array<std::uint8_t, 3> head{std::uint8_t(seed.host.size()),
                                           std::uint8_t(seed.port & 0xff),
                                           std::uint8_t(seed.port >> 8)};
    append(head);
    append(view(seed.host));
  }
  append(check_of(bytes).view().first(check_bytes));
  auto text = to_base32(bytes);
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return std::string{invite_prefix} + text;
}

Result<MeshMembership> from_invite(std::string_view text) {
  if (!text.starts_with(invite_prefix))
    return bad_invite("an invite begins with tess1");
  const auto bytes = from_base32(text.substr(invite_prefix.size()));
  if (!bytes || bytes->size() < 64 + check_bytes)
    return bad_invite("it is too short, or has characters that none has");
  const ByteView body = ByteView{*bytes}.first(bytes->size() - check_bytes);
  const auto check = check_of(body);
  if (!std::equal(bytes->end() - check_bytes, bytes->end(), check.bytes.begin()))
    return bad_invite("its last characters do not fit the rest");
  Reader reader{body};
  MeshMembership mesh;
  const auto id = reader.take(32), psk = reader.take(32);
  std::copy(id.begin(), id.end(), mesh.id.bytes.begin());
  mesh.psk.emplace();
  std::copy(psk.begin(), psk.end(), mesh.psk->bytes.begin());
  while (!reader.left.empty() && mesh.seeds.size() < mesh_seeds_max) {
    const auto size = reader.byte();
    const auto low = reader.byte(), high = reader.byte();
    const auto port = std::uint16_t(low | high << 8);
    const auto host = reader.take(size);
    if (reader.short_of || host.empty() || port == 0)
      return bad_invite("it ends in the middle of an address");
    mesh.seeds.push_back({std::string{text_of(host)}, port});
  }
  return mesh;
}

} // namespace tessera
