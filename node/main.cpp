#include "node/local_run.hpp"
#include "node/node.hpp"

int main(int argc, char** argv) {
  return tessera::run_cli(argc, argv, tessera::run_node, tessera::run_local);
}
