#pragma once

namespace tessera {

// Of one slot of this machine, in millions of mixing rounds a second: the best of a few short runs,
// about 0.1 s in all.
double measured_speed();

} // namespace tessera
