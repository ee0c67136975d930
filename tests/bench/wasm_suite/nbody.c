#include "suite.h"

/* An item is 500 steps of five bodies that begin where its index says: scalar f64 with square roots
 * and divisions. */

enum { bodies = 5, steps = 500 };

typedef struct {
  double at[3], speed[3], mass;
} body;

static void begin(body* b, uint64_t seed) {
  for (int i = 0; i < 3; i++) {
    b->at[i] = tessera_unit(tessera_random(seed, (uint64_t)i)) * 20 - 10;
    b->speed[i] = tessera_unit(tessera_random(seed, (uint64_t)i + 3)) - 0.5;
  }
  b->mass = tessera_unit(tessera_random(seed, 6)) + 0.01;
}

static void attract(body* a, body* b, double dt) {
  const double dx = a->at[0] - b->at[0], dy = a->at[1] - b->at[1], dz = a->at[2] - b->at[2];
  const double square =
      dx * dx + dy * dy + dz * dz + 0.01; /* Softened, so that no encounter throws one out. */
  const double pull = dt / (square * __builtin_sqrt(square));
  const double d[3] = {dx, dy, dz};
  for (int i = 0; i < 3; i++) {
    a->speed[i] -= d[i] * b->mass * pull;
    b->speed[i] += d[i] * a->mass * pull;
  }
}

static uint64_t work(uint64_t item) {
  const double dt = 0.01;
  body all[bodies];
  for (int i = 0; i < bodies; i++)
    begin(&all[i], item * bodies + (uint64_t)i);
  for (int step = 0; step < steps; step++) {
    for (int i = 0; i < bodies; i++)
      for (int j = i + 1; j < bodies; j++)
        attract(&all[i], &all[j], dt);
    for (int i = 0; i < bodies; i++)
      for (int k = 0; k < 3; k++)
        all[i].at[k] += dt * all[i].speed[k];
  }
  return suite_digest(all, sizeof all);
}

SUITE_RUN(work)
