#include "node/worker/modules.hpp"

namespace tessera {

MakeModules modules_of_this_build() {
  return nullptr;
}

} // namespace tessera
