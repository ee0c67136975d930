#include "tessera.h"

/* k-means (Lloyd 1982) in rounds: items are points of the plane, records of two f64; the state is
 * the centroids, two f64 each, at most 64. A leaf sums its points by the centroid that is nearest;
 * step moves each centroid to the mean of its points, and ends the job when none has moved.
 *
 *   tessera run kmeans.wasm --input points --record 16 --state centroids --rounds 100 -o centroids
 */

enum { centroids_max = 64 };

typedef struct {
  double x, y;
} point;

typedef struct {
  double x, y, points;
} cluster;

static uint32_t take_centroids(int32_t slot, point* centroids) {
  const uint32_t size = tessera_read(slot, 0, centroids, centroids_max * sizeof *centroids);
  if (size == 0 || size % sizeof *centroids != 0 || size != tessera_len(slot))
    tessera_refuse("the state is no list of 1 to 64 centroids, two f64 each");
  return size / sizeof *centroids;
}

static uint32_t nearest(const point* centroids, uint32_t count, point p) {
  uint32_t best = 0;
  double least = 0;
  for (uint32_t c = 0; c < count; c++) {
    const double dx = p.x - centroids[c].x, dy = p.y - centroids[c].y, d = dx * dx + dy * dy;
    if (c == 0 || d < least) {
      least = d;
      best = c;
    }
  }
  return best;
}

TESSERA_RUN {
  point centroids[centroids_max], p[256];
  cluster sums[centroids_max] = {{0, 0, 0}};
  const uint32_t count = take_centroids(TESSERA_OTHER, centroids);
  for (uint32_t at = 0, n; (n = tessera_read(TESSERA_INPUT, at, p, sizeof p)) > 0; at += n) {
    if (n % sizeof *p != 0)
      tessera_refuse("the input ends within a point: give the job --record 16");
    for (uint32_t i = 0; i < n / sizeof *p; i++) {
      cluster* sum = &sums[nearest(centroids, count, p[i])];
      sum->x += p[i].x;
      sum->y += p[i].y;
      sum->points += 1;
    }
  }
  tessera_write(sums, count * sizeof *sums);
  return 0;
}

TESSERA_MERGE {
  cluster left[centroids_max], right[centroids_max];
  const uint32_t size = tessera_read(TESSERA_INPUT, 0, left, sizeof left);
  tessera_take(TESSERA_OTHER, right, size);
  for (uint32_t c = 0; c < size / sizeof *left; c++) {
    left[c].x += right[c].x;
    left[c].y += right[c].y;
    left[c].points += right[c].points;
  }
  tessera_write(left, size);
  return 0;
}

/* A centroid without points stays where it is. */
TESSERA_STEP {
  point centroids[centroids_max];
  cluster sums[centroids_max];
  const uint32_t count = take_centroids(TESSERA_INPUT, centroids);
  int32_t answer = TESSERA_OVER;
  tessera_take(TESSERA_OTHER, sums, count * sizeof *sums);
  for (uint32_t c = 0; c < count; c++) {
    if (sums[c].points == 0)
      continue;
    const point mean = {sums[c].x / sums[c].points, sums[c].y / sums[c].points};
    if (mean.x != centroids[c].x || mean.y != centroids[c].y)
      answer = TESSERA_NEXT;
    centroids[c] = mean;
  }
  tessera_write(centroids, count * sizeof *centroids);
  return answer;
}
