#include "node/kernels/picture.hpp"
#include "tests/fuzz/picture_mutator.hpp"
#include "tests/support/pictures.hpp"

// A stranger's picture: the input is a file. What is read is of the form and the size that its head
// says; a refusal says why. A PNG of the pixels that were read is read as the same ones.
namespace {

using namespace tessera;
using fuzz::must;

const Bytes before{'b', 'e', 'f', 'o', 'r', 'e'}; // Readers append.

ByteView raw_of(const Bytes& out) {
  must(out.size() >= before.size() && std::equal(before.begin(), before.end(), out.begin()));
  return ByteView{out}.subspan(before.size());
}

PictureHead check_raw(ByteView raw) {
  const auto head = get_head(raw);
  must(head && raw.size() == picture_head_bytes + head->bytes());
  must(head->width <= picture_side_max && head->height <= picture_side_max);
  must(std::uint64_t{head->width} * head->height <= picture_pixels_max);
  return *head;
}

void check_again(const PictureHead& head, ByteView raw) {
  if (head.bytes() > 20'000)
    return;
  const Picture picture{head.width, head.height, head.channels,
                        to_bytes(raw.subspan(picture_head_bytes))};
  Bytes again = before;
  must(read_picture(png_file(picture), again).ok());
  must(std::ranges::equal(raw_of(again), raw));
}

} // namespace

std::vector<Bytes> tessera::fuzz::seeds() {
  std::vector<Bytes> all;
  for (const std::uint32_t channels : {1, 3}) {
    const auto picture = slopes(9, 7, channels);
    const auto space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    all.push_back(png_file(picture));
    all.push_back(jpeg_file(picture, {space, false, 95}));
    all.push_back(jpeg_file(picture, {space, true, 30}));
  }
  all.push_back(jpeg_file(noise(17, 9, 4, 1), {JCS_CMYK, false, 95}));
  const std::vector<png_color> palette{{1, 2, 3}, {200, 100, 0}};
  const Bytes rows(8 * 5, 0x55); // Enough for each.
  for (const bool interlaced : {false, true}) {
    all.push_back(png_file(5, 8, {1, PNG_COLOR_TYPE_GRAY, interlaced}, rows));
    all.push_back(png_file(5, 8, {1, PNG_COLOR_TYPE_PALETTE, interlaced, palette, {0, 128}}, rows));
    all.push_back(png_file(2, 5, {16, PNG_COLOR_TYPE_GRAY_ALPHA, interlaced}, rows));
    all.push_back(png_file(1, 5, {16, PNG_COLOR_TYPE_RGB_ALPHA, interlaced}, rows));
    all.push_back(png_file(2, 4, {8, PNG_COLOR_TYPE_RGB_ALPHA, interlaced}, rows));
  }
  return all;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max, unsigned seed) {
  return fuzz::mutated_picture(data, size, max, seed);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes out = before;
  const auto read = read_picture({data, size}, out);
  if (!read) {
    const auto& e = read.error();
    must(e.code == "E422" && !e.what.empty() && !e.why.empty() && !e.fix.empty());
    return 0;
  }
  const auto raw = raw_of(out);
  const auto head = check_raw(raw);
  check_again(head, raw);
  return 0;
}
