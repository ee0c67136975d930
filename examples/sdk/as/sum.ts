import * as tessera from "./tessera";

// The sum of the squares of all items, modulo 2^64.

export function run(): i32 {
  let sum: u64 = 0;
  const end = tessera.end();
  for (let i = tessera.begin(); i < end; i++) sum += i * i;
  tessera.write<u64>(sum);
  return 0;
}

export function merge(): i32 {
  tessera.write<u64>(tessera.read<u64>(tessera.Slot.INPUT) + tessera.read<u64>(tessera.Slot.OTHER));
  return 0;
}
