// BLAKE2b-256 without a key. Source: RFC 7693. 64-bit words are pairs of 32 bits, the low half
// first: BigInt is slower by far.

const iv = new Uint32Array([
  0xf3bcc908, 0x6a09e667, 0x84caa73b, 0xbb67ae85, 0xfe94f82b, 0x3c6ef372, 0x5f1d36f1, 0xa54ff53a, 0xade682d1,
  0x510e527f, 0x2b3e6c1f, 0x9b05688c, 0xfb41bd6b, 0x1f83d9ab, 0x137e2179, 0x5be0cd19,
]);

// Which word of the block goes where, in each round: a hex digit each. Rounds 10 and 11 are 0 and 1.
const rounds = [
  "0123456789abcdef",
  "ea489fd61c02b753",
  "b8c052fdae367194",
  "7931dcbe265a40f8",
  "905724afe1bc683d",
  "2c6a0b834d75fe19",
  "c51fed4a0763928b",
  "db7ec13950f4862a",
  "6fe9b308c2d714a5",
  "a2847615fb9e3cd0",
].map((digits) => Uint8Array.from(digits, (digit) => 2 * parseInt(digit, 16)));
const order = [...rounds, rounds[0], rounds[1]];

const columns = [
  [0, 8, 16, 24],
  [2, 10, 18, 26],
  [4, 12, 20, 28],
  [6, 14, 22, 30],
  [0, 10, 20, 30],
  [2, 12, 22, 24],
  [4, 14, 16, 26],
  [6, 8, 18, 28],
];

const blockBytes = 128;
const v = new Uint32Array(32);
const m = new Uint32Array(32);

// v[a] += v[b] + (x1, x0)
function add(a, b, x0, x1) {
  const low = v[a] + v[b] + x0;
  v[a + 1] = v[a + 1] + v[b + 1] + x1 + Math.floor(low / 4294967296);
  v[a] = low;
}

function mix(a, b, c, d, x, y) {
  add(a, b, m[x], m[x + 1]);
  let low = v[d] ^ v[a],
    high = v[d + 1] ^ v[a + 1]; // >>> 32
  ((v[d] = high), (v[d + 1] = low));
  add(c, d, 0, 0);
  ((low = v[b] ^ v[c]), (high = v[b + 1] ^ v[c + 1])); // >>> 24
  ((v[b] = (low >>> 24) | (high << 8)), (v[b + 1] = (high >>> 24) | (low << 8)));
  add(a, b, m[y], m[y + 1]);
  ((low = v[d] ^ v[a]), (high = v[d + 1] ^ v[a + 1])); // >>> 16
  ((v[d] = (low >>> 16) | (high << 16)), (v[d + 1] = (high >>> 16) | (low << 16)));
  add(c, d, 0, 0);
  ((low = v[b] ^ v[c]), (high = v[b + 1] ^ v[c + 1])); // >>> 63
  ((v[b] = (low << 1) | (high >>> 31)), (v[b + 1] = (high << 1) | (low >>> 31)));
}

export class Blake2b {
  #h = Uint32Array.from(iv);
  #block = new Uint8Array(blockBytes);
  #words = new DataView(this.#block.buffer);
  #used = 0;
  #total = 0;

  constructor() {
    this.#h[0] ^= 0x01010000 ^ 32; // Parameters: 32 bytes out, no key, no tree.
  }

  add(bytes) {
    for (let at = 0; at < bytes.length;) {
      if (this.#used === blockBytes) this.#compress(false); // Only once more is known to come.
      const n = Math.min(blockBytes - this.#used, bytes.length - at);
      this.#block.set(bytes.subarray(at, at + n), this.#used);
      this.#used += n;
      at += n;
    }
    return this;
  }

  finish() {
    this.#block.fill(0, this.#used);
    this.#compress(true);
    const out = new DataView(new ArrayBuffer(32));
    for (let i = 0; i < 8; ++i) out.setUint32(4 * i, this.#h[i], true);
    return new Uint8Array(out.buffer);
  }

  #compress(last) {
    this.#total += this.#used;
    this.#used = 0;
    for (let i = 0; i < 32; ++i) m[i] = this.#words.getUint32(4 * i, true);
    v.set(this.#h);
    v.set(iv, 16);
    v[24] ^= this.#total;
    v[25] ^= Math.floor(this.#total / 4294967296);
    if (last) ((v[28] = ~v[28]), (v[29] = ~v[29]));
    for (const words of order)
      for (let i = 0; i < 8; ++i) {
        const [a, b, c, d] = columns[i];
        mix(a, b, c, d, words[2 * i], words[2 * i + 1]);
      }
    for (let i = 0; i < 16; ++i) this.#h[i] ^= v[i] ^ v[i + 16];
  }
}
