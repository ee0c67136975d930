#include "tests/fuzz/input.hpp"

#include <cstdio>
#include <fstream>

// `NAME_fuzz --seeds FOLDER` writes the fuzzer's good inputs there, a file each, and ends.
namespace {

int write_seeds(const std::string& folder) {
  char name[32];
  unsigned n = 0;
  for (const auto& seed : tessera::fuzz::seeds()) {
    std::snprintf(name, sizeof name, "/seed-%03u", n++);
    std::ofstream out{folder + name, std::ios::binary};
    out << tessera::text_of(seed) << std::flush;
    if (!out) {
      std::fprintf(stderr, "cannot write %s%s\n", folder.c_str(), name);
      return 1;
    }
  }
  return n == 0;
}

} // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  if (*argc == 3 && (*argv)[1] == std::string_view{"--seeds"})
    std::exit(write_seeds((*argv)[2]));
  return 0;
}
