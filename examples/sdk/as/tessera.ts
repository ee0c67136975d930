// Kernels for Tessera in AssemblyScript: ABI tessera0, whole, with values for bytes.
//
// Export `run(): i32`, and where the job names no built-in merge, `merge(): i32`; jobs of rounds also export
// `step(): i32`. Each returns 0, or a number that makes the call fail; but step returns Step.NEXT (0), or Step.OVER (1),
// which ends the job with what it wrote as the result. One instance lives for many calls: carry nothing
// from one to the next in globals, or the result depends on who computed what.
//
//   asc task.ts --runtime stub --use abort=tessera/aborted -O3 -o task.wasm
//
// The stub runtime frees nothing: what a call makes with `new` stays until the instance goes. So take buffers once, at
// the top level (StaticArray, memory.data), or build with --runtime incremental. Math.random, Date and console are not
// there: they import what Tessera does not offer.

// @ts-ignore: decorator
@external("tessera0", "len") declare function host_len(slot: i32): i32;
// @ts-ignore: decorator
@external("tessera0", "read") declare function host_read(slot: i32, offset: i32, to: usize, n: i32): i32;
// @ts-ignore: decorator
@external("tessera0", "write") declare function host_write(from: usize, n: i32): void;
// @ts-ignore: decorator
@external("tessera0", "spawn") declare function host_spawn(task: usize, n: i32): void;
// @ts-ignore: decorator
@external("tessera0", "fail") declare function host_fail(message: usize, n: i32): void;

// What a call can read. Which is there depends on the export.
export namespace Slot {
  export const PARAMS: i32 = 0;
  export const INPUT: i32 = 1; // run: the leaf (a range, a file's bytes, a tree's task); merge: left; step: the state.
  export const OTHER: i32 = 2; // run: the state of a round; merge: right; step: the merged partial.
}

// What step returns: another round on what it wrote, or none.
export namespace Step {
  export const NEXT: i32 = 0;
  export const OVER: i32 = 1;
}

const value = memory.data(16, 8);
const message = memory.data(256);

// Appends to the message what of a text is ASCII and has room; answers how long it is then.
function say(text: string, used: i32): i32 {
  const n = min(text.length, 256 - used);
  for (let i = 0; i < n; i++) store<u8>(message + used + i, <u8>text.charCodeAt(i));
  return used + n;
}
function say_number(n: u32, used: i32): i32 {
  if (n >= 10) used = say_number(n / 10, used);
  if (used < 256) store<u8>(message + used++, <u8>(48 + (n % 10)));
  return used;
}

// Ends this call; whoever submitted the job reads the message, its first 256 characters.
export function refuse(why: string): void {
  host_fail(message, say(why, 0));
  unreachable();
}

// For --use abort=tessera/aborted: without it, asc imports env.abort, which Tessera refuses.
export function aborted(why: string | null, file: string | null, line: u32, column: u32): void {
  let used = say(why ? why : "aborted", 0);
  if (file) used = say_number(column, say(":", say_number(line, say(":", say(file, say(" at ", used))))));
  host_fail(message, used);
  unreachable();
}

// Bytes in a slot.
export function size(slot: i32): i32 {
  return host_len(slot);
}

// Copies n bytes from `offset` on to an address (of memory.data, or changetype<usize> of a StaticArray); answers how
// many there were.
export function read_bytes(slot: i32, offset: i32, to: usize, n: i32): i32 {
  return host_read(slot, offset, to, n);
}

// A number in a slot; one that is not whole in it is refused.
export function read<T extends number>(slot: i32, offset: i32 = 0): T {
  if (host_read(slot, offset, value, sizeof<T>()) != sizeof<T>())
    refuse("a slot holds a value of another size than this kernel wants");
  return load<T>(value);
}

// The same, or this where the slot is empty: for parameters.
export function read_or<T extends number>(slot: i32, offset: i32, otherwise: T): T {
  return host_len(slot) == 0 ? otherwise : read<T>(slot, offset);
}

// Fills an array of numbers; another size is refused.
export function read_array<T extends number>(slot: i32, to: StaticArray<T>): void {
  const n = to.length * sizeof<T>();
  if (host_len(slot) != n || host_read(slot, 0, changetype<usize>(to), n) != n)
    refuse("a slot holds a value of another size than this kernel wants");
}

// Appends to the output: the partial of this leaf or merge, or the next state.
export function write<T extends number>(out: T): void {
  store<T>(value, out);
  host_write(value, sizeof<T>());
}
export function write_array<T extends number>(out: StaticArray<T>): void {
  host_write(changetype<usize>(out), out.length * sizeof<T>());
}
export function write_bytes(from: usize, n: i32): void {
  host_write(from, n);
}

// Tree jobs: one more task.
export function spawn(task: usize, n: i32): void {
  host_spawn(task, n);
}

// The items of this leaf: begin() <= i < end().
export function begin(): u64 {
  return bound(0);
}
export function end(): u64 {
  return bound(8);
}
function bound(offset: i32): u64 {
  if (host_len(Slot.INPUT) != 16) refuse("this kernel runs over a range: give the job --items N");
  return read<u64>(Slot.INPUT, offset);
}

// There is no entropy here: a random number is a function of (seed, counter), the counter usually being the item's
// index, or index * draws + draw. The function is SplitMix64 (Steele, Lea, Flood 2014) jumped to the counter, its seed
// mixed first so that neighbouring seeds share no stretch of numbers. The same in all of Tessera's SDKs.
function mix(z: u64): u64 {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}
export function random(seed: u64, counter: u64): u64 {
  const golden: u64 = 0x9e3779b97f4a7c15;
  return mix(mix(seed + golden) + counter * golden);
}

// Of a random number: a double in [0, 1), of 53 bits.
export function unit(random: u64): f64 {
  return <f64>(random >> 11) / 9007199254740992.0;
}
