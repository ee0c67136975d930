#include "actors/pause.hpp"

#include <doctest/doctest.h>

using namespace tessera;
using namespace std::chrono_literals;

TEST_CASE("a pause lasts as long as it was said, or until it is resumed") {
  const auto hour = paused_for({}, 1h, 5000);
  CHECK(hour == Pause{5000, 5000 + 3'600'000});
  CHECK_FALSE(hour.over(3'604'999));
  CHECK(hour.over(3'605'000));
  const auto open = paused_for({}, {}, 5000);
  CHECK(open == Pause{5000, std::nullopt});
  CHECK_FALSE(open.over(INT64_MAX));
  CHECK_FALSE(paused_for({}, pause_max, 1'800'000'000'000).over(1'800'000'000'000));
}

TEST_CASE("a second pause extends the first, and never shortens it") {
  const Pause hour{5000, 3'605'000}, open{5000, std::nullopt};
  CHECK(paused_for(hour, 2h, 65'000) == Pause{5000, 7'265'000});
  CHECK(paused_for(hour, 1min, 65'000) == hour);
  CHECK(paused_for(hour, {}, 65'000) == open);
  CHECK(paused_for(open, 1h, 65'000) == open);
}

TEST_CASE("a pause that is over is no start of the next") {
  const Pause old{5000, 6000};
  CHECK(paused_for(old, 1s, 6000) == Pause{6000, 7000});
  CHECK(paused_for(old, {}, 9000) == Pause{9000, std::nullopt});
}
