// A blob's id, as every node computes it: the root of a binary BLAKE2b tree over chunks of 64 KiB.
// Its layout: crypto/digest.cpp.
import { Blake2b } from "./blake2b.js";

const chunkBytes = 64 * 1024;
export const blobBytesMax = 1 << 28; // What this page will read into its memory.

const encoder = new TextEncoder();

function number(n) {
  const bytes = new DataView(new ArrayBuffer(8));
  bytes.setUint32(0, n % 4294967296, true);
  bytes.setUint32(4, Math.floor(n / 4294967296), true);
  return new Uint8Array(bytes.buffer);
}

// Each part goes in behind its length.
function digest(domain, ...parts) {
  const hash = new Blake2b();
  for (const part of [encoder.encode(domain), ...parts]) hash.add(number(part.length)).add(part);
  return hash.finish();
}

function above(level) {
  const up = [];
  for (let i = 0; i < level.length; i += 2)
    up.push(i + 1 < level.length ? digest("tessera blob node", level[i], level[i + 1]) : level[i]);
  return up;
}

const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

// `breathe` is awaited now and then, so that the page goes on.
export async function blobId(bytes, breathe = async () => {}) {
  let level = [];
  for (let at = 0; at < bytes.length || at === 0; at += chunkBytes) {
    level.push(digest("tessera blob chunk", bytes.subarray(at, at + chunkBytes)));
    if (level.length % 64 === 0) await breathe();
  }
  while (level.length > 1) level = above(level);
  return hex(digest("tessera blob", number(bytes.length), level[0]));
}
