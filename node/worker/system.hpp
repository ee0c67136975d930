#pragma once

#include <cerrno>
#include <fcntl.h>
#include <string>
#include <system_error>

// Small things that every system call here needs.
namespace tessera {

inline constexpr int all_seals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;

// The call's answer, past interruptions.
template<class Call>
auto again(Call call) {
  auto answer = call();
  while (answer < 0 && errno == EINTR)
    answer = call();
  return answer;
}

inline std::string errno_text() {
  return std::generic_category().message(errno);
}

} // namespace tessera
