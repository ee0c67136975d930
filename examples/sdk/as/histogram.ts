import * as tessera from "./tessera";

// Throws one die of 64 sides for each item, and counts: 64 counters of u64. Parameter: the seed, a u64; else 1.

const SIDES = 64;
const counts = new StaticArray<u64>(SIDES);
const others = new StaticArray<u64>(SIDES);

export function run(): i32 {
  counts.fill(0); // What an earlier call left in them.
  const seed = tessera.read_or<u64>(tessera.Slot.PARAMS, 0, 1);
  const end = tessera.end();
  for (let i = tessera.begin(); i < end; i++) counts[<i32>(tessera.random(seed, i) % SIDES)]++;
  tessera.write_array<u64>(counts);
  return 0;
}

export function merge(): i32 {
  tessera.read_array<u64>(tessera.Slot.INPUT, counts);
  tessera.read_array<u64>(tessera.Slot.OTHER, others);
  for (let i = 0; i < SIDES; i++) counts[i] += others[i];
  tessera.write_array<u64>(counts);
  return 0;
}
