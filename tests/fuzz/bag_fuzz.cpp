#include "node/wasm/bag.hpp"
#include "tests/fuzz/input.hpp"

// Any bytes as a bag of tasks: none, or one that is written again as the very same bytes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tessera;
  const ByteView bytes{data, size};
  if (const auto bag = wasm::Bag::of(bytes)) {
    Bytes again;
    bag->append_to(again);
    fuzz::must(again == to_bytes(bytes));
  }
  return 0;
}
