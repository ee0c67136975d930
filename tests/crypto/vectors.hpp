#pragma once

#include "crypto/bytes.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>

// Published test vectors, which live beside the source tree and not in it.
namespace tessera::vectors {

inline std::filesystem::path folder() {
  const char* named = std::getenv("TESSERA_VECTORS");
  return named && *named ? named : "../shared/vectors";
}

// Whether the file is there; a test without it says so and proves nothing.
inline bool present(const std::string& file) {
  const bool there = std::filesystem::exists(folder() / file);
  if (!there)
    MESSAGE("SKIPPED: no vectors at " << (folder() / file).string()
                                      << " (TESSERA_VECTORS names their folder)");
  return there;
}

inline nlohmann::json load(const std::string& file) {
  std::ifstream in{folder() / file};
  return nlohmann::json::parse(in);
}

inline Bytes hex(const std::string& text) {
  const auto bytes = from_hex(text);
  REQUIRE(bytes);
  return *bytes;
}

inline Bytes hex(const nlohmann::json& object, const std::string& key) {
  return object.contains(key) ? hex(object.at(key).get<std::string>()) : Bytes{};
}

template<std::size_t N>
std::array<std::uint8_t, N> fixed(const Bytes& bytes) {
  REQUIRE(bytes.size() == N);
  std::array<std::uint8_t, N> out{};
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

// Calls test(group, test) for each of a Wycheproof file, and checks that all were there.
template<class Test>
void each_wycheproof(const std::string& file, Test test) {
  const auto json = load(file);
  int seen = 0;
  for (const auto& group : json.at("testGroups"))
    for (const auto& one : group.at("tests")) {
      INFO(file << " tcId " << one.at("tcId").get<int>() << " "
                << one.at("comment").get<std::string>());
      test(group, one);
      ++seen;
    }
  CHECK(seen == json.at("numberOfTests").get<int>());
}

inline bool valid(const nlohmann::json& test) {
  return test.at("result") == "valid";
}

} // namespace tessera::vectors
