#include "node/worker/throttle.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <sys/time.h>

namespace tessera {

namespace {

// Guesses. Work runs in spells of `spell_us`; who was idle may make up for so much of it.
constexpr int spell_us = 5'000;
constexpr std::int64_t credit_ns_max = 20'000'000;

// Of this process: it has one thread, and the handler is the one who writes.
std::int64_t percent_of_one = 100;
std::int64_t wall_at_zero = 0, used_at_zero = 0;

std::int64_t now_ns(clockid_t clock) {
  timespec t{};
  ::clock_gettime(clock, &t);
  return std::int64_t(t.tv_sec) * 1'000'000'000 + t.tv_nsec;
}

// Only what may stand in a signal handler.
void rest(int) {
  const int kept = errno;
  const auto used = now_ns(CLOCK_PROCESS_CPUTIME_ID) - used_at_zero;
  const auto now = now_ns(CLOCK_MONOTONIC);
  const auto due = wall_at_zero + used * 100 / percent_of_one;
  if (due < now - credit_ns_max) // It was idle: that is not saved up.
    wall_at_zero += now - credit_ns_max - due;
  const timespec until{due / 1'000'000'000, due % 1'000'000'000};
  while (due > now && ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) == EINTR)
    ;
  errno = kept;
}

} // namespace

void hold_processor_to(std::uint32_t percent) {
  if (percent == 0 || percent >= 100)
    return;
  percent_of_one = percent;
  wall_at_zero = now_ns(CLOCK_MONOTONIC);
  used_at_zero = now_ns(CLOCK_PROCESS_CPUTIME_ID);
  struct sigaction action = {};
  action.sa_handler = rest;
  action.sa_flags = SA_RESTART | SA_ONSTACK;
  ::sigaction(SIGPROF, &action, nullptr);
  const itimerval each{{0, spell_us}, {0, spell_us}};
  ::setitimer(ITIMER_PROF, &each, nullptr);
}

} // namespace tessera
