#include "node/cli/failed.hpp"

namespace tessera::cli {

Exit exit_of(std::string_view code, int status) {
  if (code == "E601")
    return Exit::nobody;
  if (code == "E420" || code == "E421" || code == "E422" || code == "E423")
    return Exit::usage;
  if (code == "E301" || code == "E305")
    return Exit::no_node;
  if (code == "E410" || status == 404 || status == 410)
    return Exit::not_found;
  if (status == 401 || status == 403)
    return Exit::denied;
  if (code == "E412" || status == 408 || status == 504)
    return Exit::timeout;
  return status == 400 || status == 413 || status == 422 ? Exit::usage : Exit::failed;
}

} // namespace tessera::cli
