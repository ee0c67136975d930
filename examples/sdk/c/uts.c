#include "tessera.h"

/* UTS, the unbalanced tree search (Olivier, Huan, Liu, Prins, Dinan, Sadayappan, Tseng 2006):
 * counts the nodes of a tree that nobody can cut evenly beforehand. A task is a node: 20 bytes of
 * SHA-1, of its parent's and its own number, and its depth. How many children it has comes from its
 * hash. Parameters: the name of a tree; T1, 4,130,071 nodes, where there are none.
 *
 *   tessera run uts.wasm --tree --merge count -o nodes
 */

enum law { geometric, linear, binomial };
typedef struct {
  char name[4];
  enum law law;
  double breadth; /* Children of a node to be expected; of a binomial root, exactly. */
  int32_t depth;  /* Where the others end. */
  double q;       /* Of binomial ones: how likely a node has m children, not none. */
  int32_t m, seed;
} tree;

static const tree trees[] = {
    {"T1", geometric, 4, 10, 0, 0, 19},         {"T5", linear, 4, 20, 0, 0, 34},
    {"T3", binomial, 2000, 0, 0.124875, 8, 42}, {"T1L", geometric, 4, 13, 0, 0, 29},
    {"T3L", binomial, 2000, 0, 0.200014, 5, 7},
};

static const tree* chosen(void) {
  char name[4] = "T1";
  const uint32_t length = tessera_len(TESSERA_PARAMS);
  if (length >= sizeof name)
    tessera_refuse("the parameters are no tree's name: T1, T3, T5, T1L or T3L");
  if (length > 0) {
    tessera_take(TESSERA_PARAMS, name, length);
    name[length] = '\0';
  }
  for (uint32_t t = 0; t < sizeof trees / sizeof *trees; t++)
    if (__builtin_strcmp(name, trees[t].name) == 0)
      return &trees[t];
  tessera_refuse("the parameters are no tree's name: T1, T3, T5, T1L or T3L");
}

/* --- SHA-1 (FIPS 180-4) of less than one block. */
static uint32_t turned(uint32_t x, int by) {
  return x << by | x >> (32 - by);
}

static void sha1(const uint8_t* message, uint32_t length, uint8_t digest[20]) {
  uint8_t block[64] = {0};
  uint32_t w[80], h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
  __builtin_memcpy(block, message, length);
  block[length] = 0x80;
  block[62] = (uint8_t)(length >> 5);
  block[63] = (uint8_t)(length << 3);
  for (int i = 0; i < 16; i++)
    w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
           (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
  for (int i = 16; i < 80; i++)
    w[i] = turned(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
  uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
  for (int i = 0; i < 80; i++) {
    const uint32_t f = i < 20   ? ((b & c) | (~b & d)) + 0x5a827999
                       : i < 40 ? (b ^ c ^ d) + 0x6ed9eba1
                       : i < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc
                                : (b ^ c ^ d) + 0xca62c1d6;
    const uint32_t next = turned(a, 5) + f + e + w[i];
    e = d;
    d = c;
    c = turned(b, 30);
    b = a;
    a = next;
  }
  h[0] += a;
  h[1] += b;
  h[2] += c;
  h[3] += d;
  h[4] += e;
  for (int i = 0; i < 20; i++)
    digest[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
}

static void put_number(uint8_t* to, uint32_t n) {
  for (int i = 0; i < 4; i++)
    to[i] = (uint8_t)(n >> (24 - 8 * i));
}

/* --- The tree */
typedef struct {
  uint8_t hash[20];
  uint32_t depth;
} node;

static node root_of(const tree* t) {
  uint8_t seed[20] = {0};
  node root = {{0}, 0};
  put_number(seed + 16, (uint32_t)t->seed);
  sha1(seed, sizeof seed, root.hash);
  return root;
}

static node child_of(const node* parent, uint32_t number) {
  uint8_t message[24];
  node child = {{0}, parent->depth + 1};
  __builtin_memcpy(message, parent->hash, sizeof parent->hash);
  put_number(message + 20, number);
  sha1(message, sizeof message, child.hash);
  return child;
}

/* In [0, 1). */
static double chance(const node* n) {
  const uint32_t word = (uint32_t)n->hash[16] << 24 | (uint32_t)n->hash[17] << 16 |
                        (uint32_t)n->hash[18] << 8 | n->hash[19];
  return (double)(word & 0x7fffffff) / 2147483648.0;
}

static uint32_t children_of(const tree* t, const node* n) {
  if (t->law == binomial)
    return n->depth == 0 ? (uint32_t)t->breadth : chance(n) < t->q ? (uint32_t)t->m : 0;
  double expected = t->breadth;
  if (t->law == linear && n->depth > 0)
    expected *= 1.0 - (double)n->depth / (double)t->depth;
  if (t->law == geometric && n->depth >= (uint32_t)t->depth)
    return 0;
  /* floor(log(1 - chance) / log(q)), the geometric law's inverse, without a logarithm. */
  const double q = 1.0 - 1.0 / (1.0 + expected), rest = 1.0 - chance(n);
  uint32_t count = 0;
  for (double power = q; power >= rest && count < 100; power *= q)
    count++;
  return count;
}

TESSERA_RUN {
  const tree* t = chosen();
  const uint64_t one = 1;
  node n;
  if (tessera_len(TESSERA_INPUT) == 0)
    n = root_of(t);
  else
    tessera_take(TESSERA_INPUT, &n, sizeof n);
  for (uint32_t i = 0, count = children_of(t, &n); i < count; i++) {
    const node child = child_of(&n, i);
    tessera_spawn(&child, sizeof child);
  }
  tessera_write(&one, sizeof one);
  return 0;
}
