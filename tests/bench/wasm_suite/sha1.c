#include "suite.h"

/* An item is the SHA-1 (FIPS 180-4) of 4 KiB that begin with its index: 32-bit integers, rotations.
 */

enum { message_bytes = 4096 };

static uint32_t rotate(uint32_t x, int n) {
  return x << n | x >> (32 - n);
}

static uint32_t big_endian(const uint8_t* p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void absorb(uint32_t h[5], const uint8_t* chunk) {
  uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
  for (int i = 0; i < 16; i++)
    w[i] = big_endian(chunk + 4 * i);
  for (int i = 16; i < 80; i++)
    w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
  for (int i = 0; i < 80; i++) {
    uint32_t f, k;
    if (i < 20)
      f = (b & c) | (~b & d), k = 0x5a827999;
    else if (i < 40)
      f = b ^ c ^ d, k = 0x6ed9eba1;
    else if (i < 60)
      f = (b & c) | (b & d) | (c & d), k = 0x8f1bbcdc;
    else
      f = b ^ c ^ d, k = 0xca62c1d6;
    const uint32_t next = rotate(a, 5) + f + e + k + w[i];
    e = d, d = c, c = rotate(b, 30), b = a, a = next;
  }
  h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
}

/* `size` is a multiple of 64, so that the padding is a chunk of its own. */
static void sha1(uint32_t h[5], const uint8_t* message, uint64_t size) {
  static const uint32_t start[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
  uint8_t padding[64] = {0x80};
  memcpy(h, start, sizeof start);
  for (uint64_t i = 0; i < size; i += 64)
    absorb(h, message + i);
  for (int i = 0; i < 8; i++)
    padding[63 - i] = (uint8_t)(size * 8 >> 8 * i);
  absorb(h, padding);
}

static uint64_t work(uint64_t item) {
  uint8_t message[message_bytes];
  for (int i = 0; i < message_bytes; i++)
    message[i] = (uint8_t)(i * 7);
  memcpy(message, &item, sizeof item);
  uint32_t h[5];
  sha1(h, message, sizeof message);
  return (uint64_t)h[0] << 32 | h[1];
}

SUITE_RUN(work)
