#include "node/kernels/normal.hpp"

#include <algorithm>

namespace tessera {
namespace {

using elementary::polynomial;

// Ratios of polynomials, the highest power first: for the middle, by 0.180625 - (u - 1/2)^2; for
// the tails, by r - 1.6 and by r - 5, where r is the root of -ln of what lies beyond.
Pair of_middle(Pair x) {
  static constexpr double above[]{
      2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457,
      13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.387132872796366608};
  static constexpr double below[]{
      5226.495278852854561,  28729.085735721942674, 39307.89580009271061,  21213.794301586595867,
      5394.1960214247511077, 687.1870074920579083,  42.313330701600911252, 1};
  return polynomial(above, x) / polynomial(below, x);
}

Pair of_tail(Pair x) {
  static constexpr double above[]{7.7454501427834140764e-4, .0227238449892691845833,
                                  .24178072517745061177,    1.27045825245236838258,
                                  3.64784832476320460504,   5.7694972214606914055,
                                  4.6303378461565452959,    1.42343711074968357734};
  static constexpr double below[]{1.05075007164441684324e-9, 5.475938084995344946e-4,
                                  .0151986665636164571966,   .14810397642748007459,
                                  .68976733498510000455,     1.6763848301838038494,
                                  2.05319162663775882187,    1};
  return polynomial(above, x) / polynomial(below, x);
}

Pair of_far_tail(Pair x) {
  static constexpr double above[]{2.01033439929228813265e-7, 2.71155556874348757815e-5,
                                  .0012426609473880784386,   .026532189526576123093,
                                  .29656057182850489123,     1.7848265399172913358,
                                  5.4637849111641143699,     6.6579046435011037772};
  static constexpr double below[]{2.04426310338993978564e-15, 1.4215117583164458887e-7,
                                  1.8463183175100546818e-5,   7.868691311456132591e-4,
                                  .0148753612908506148525,    .13692988092273580531,
                                  .59983220655588793769,      1};
  return polynomial(above, x) / polynomial(below, x);
}

Pair tails(Pair u, Pair q) {
  const auto upper = q > 0.0;
  const auto r = root_of(-log_of(upper ? 1.0 - u : u));
  auto z = of_tail(r - 1.6);
  if (r[0] > 5 || r[1] > 5) [[unlikely]]
    z = r > 5.0 ? of_far_tail(r - 5.0) : z;
  return upper ? z : -z;
}

} // namespace

Pair normal_quantile(Pair u) {
  const auto q = u - 0.5, r = 0.180625 - q * q;
  const auto z = q * of_middle(r);
  if (r[0] >= 0 && r[1] >= 0)
    return z;
  return r < 0.0 ? tails(u, q) : z;
}

} // namespace tessera
