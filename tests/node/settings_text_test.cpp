#include "node/cli/failed.hpp"
#include "node/cli/settings.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <string>
#include <unistd.h>

// Settings files that fuzzing found hard for toml++ 3.3.0 (its asserts fail, or it runs into what
// it declares unreachable), read by the library that the program is linked with.
namespace tessera::cli {
namespace {

std::string code_of(const std::string& text) {
  const std::string file = "/tmp/tessera-settings-" + std::to_string(::getpid()) + ".toml";
  std::ofstream{file, std::ios::binary} << text;
  std::string code;
  try {
    settings_of_file(file);
  } catch (const Failed& failed) {
    code = failed.error().code;
  }
  std::filesystem::remove(file);
  return code;
}

TEST_CASE("a key that begins or goes on with no key's character is refused in words") {
  for (const std::string text :
       {"[\x16", "[!]\n", "[\x16\nslots = 1\n", "name \xef\xb7\xbf= \"a\"\n", "n\xc3\xa9 = 1\n",
        "\xc3\xa9 = 1\n", "[limits\xe3\x80\x81]\n", "name\xef\xbf\xbd= 1\n", "name.\xc3\xa9 = 1\n"})
    CHECK_MESSAGE(code_of(text) == "E431", text);
}

TEST_CASE("text of any script may be a value, or stand in a comment") {
  CHECK(code_of("name = \"caf\xc3\xa9 \xe3\x80\x81\"\n") == "");
  CHECK(code_of("# \xc3\xa9\xef\xb7\xbf\nslots = 1 # \xe3\x80\x81\n") == "");
}

} // namespace
} // namespace tessera::cli
