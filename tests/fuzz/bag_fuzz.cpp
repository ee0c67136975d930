#include "node/wasm/bag.hpp"
#include "tests/fuzz/input.hpp"

using namespace tessera;

std::vector<Bytes> tessera::fuzz::seeds() {
  const Bytes a{1, 2, 3}, b(300, 7);
  std::vector<Bytes> all(3);
  wasm::Bag{}.append_to(all[0]);
  wasm::Bag{1, 2, a, {a, {}, b}}.append_to(all[1]);
  wasm::Bag{~0ull, 1ull << 63, ByteView{}, {a, a}}.append_to(all[2]);
  return all;
}

// Any bytes as a bag of tasks: none, or one that is written again as the very same bytes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView bytes{data, size};
  if (const auto bag = wasm::Bag::of(bytes)) {
    Bytes again;
    bag->append_to(again);
    fuzz::must(again == to_bytes(bytes));
  }
  return 0;
}
