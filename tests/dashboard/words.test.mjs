import assert from "node:assert/strict";
import { test } from "node:test";
import { page } from "./load.mjs";
const { Blake2b } = await page("blake2b.js");
const { blobId } = await page("blob.js");
const { takeToken } = await page("token.js");
const text = await page("text.js");
const { bytesOf, commandLine, jobRequest } = await page("request.js");

const ramp = (n) => Uint8Array.from({ length: n }, (_, i) => i % 251);
const hex = (bytes) => Buffer.from(bytes).toString("hex");

test("BLAKE2b-256 is that of others (Python's hashlib), however its input is cut", () => {
  assert.equal(
    hex(new Blake2b().add(Buffer.from("abc")).finish()),
    "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319",
  );
  const whole = "b372d0608f720c8c3dd41e9c8eecb10143b41abe520b616607e754bf79c08331";
  for (const size of [1, 127, 128, 129, 1000]) {
    const hash = new Blake2b();
    for (let at = 0; at < 1000; at += size) hash.add(ramp(1000).subarray(at, at + size));
    assert.equal(hex(hash.finish()), whole);
  }
});

test("a blob's id is that of crypto/digest.cpp's layout", async () => {
  const known = new Map([
    [0, "82b5e1a2975d1f1f3ac9d0ac26c3a7c50e49f1e383305d8d51e4955acee0197d"],
    [1, "e279a900b22c85cd22ff877d8fe6c19793fd1e4dd23d979b4f62b19cf4ec16e3"],
    [65536, "0491147c8aa1215658915497e11c92d2bfce4581ba3012fa3e652e96a43bfe6b"],
    [65537, "000565c65b7b61f2724b0198b07ff3b073a24aee1a78509223ff6a6b4417b17e"],
    [200000, "02a473e1c58d2e8fb633f10976b1a0255acc9aba490758b22402afd9c94b0cc4"],
  ]);
  for (const [size, id] of known) assert.equal(await blobId(ramp(size)), id, `${size} bytes`);
});

test("the token leaves the address at once, and is kept for the tab", () => {
  const kept = new Map(),
    places = [];
  const storage = { setItem: (key, value) => kept.set(key, value), getItem: (key) => kept.get(key) ?? null };
  const history = { replaceState: (_, __, place) => places.push(place) };
  assert.equal(takeToken({ hash: "", pathname: "/" }, history, storage), "");
  assert.equal(takeToken({ hash: "#token=ABC%3D", pathname: "/" }, history, storage), "ABC=");
  assert.deepEqual(places, ["/"]);
  assert.equal(takeToken({ hash: "#/job/7f", pathname: "/" }, history, storage), "ABC=");
});

test("numbers and times read as on the command line", () => {
  assert.deepEqual([0, 6300, 125_000, 7_260_000, 200_000_000, NaN].map(text.duration), [
    "0 s",
    "6.3 s",
    "2 min 5 s",
    "2 h 1 min",
    "2 d 7 h",
    "–",
  ]);
  assert.deepEqual([0, 1.5, 430, 9999, 12_400, 2_100_000].map(text.brief), [
    "0",
    "1.5",
    "430",
    "9,999",
    "12.4k",
    "2.1M",
  ]);
  assert.deepEqual([0, 1536, 2 ** 31].map(text.bytes), ["0 B", "1.5 KiB", "2 GiB"]);
  assert.equal(text.percent(999, 1000), 99, "done is said when it is done, not before");
});

test("names of others keep to their line", () => {
  assert.equal(text.shown("a\u0000b\nc\u202Ed\u2066e"), "a?b?c?d?e");
  assert.equal([...text.clipped("𝔞".repeat(50), 24)].length, 24);
});

const mandelbrot = {
  name: "mandelbrot",
  wants_input: false,
  params: [
    { name: "size", default: 1024 },
    { name: "cx", default: -0.65 },
  ],
};

test("a form says what differs from the defaults, as a request and as a command", () => {
  const filled = { params: { size: "4000", cx: "-0.65" }, leaf: "" };
  assert.deepEqual(jobRequest(mandelbrot, filled, {}), { kernel: "mandelbrot", params: { size: "4000" } });
  assert.equal(commandLine(mandelbrot, filled, {}), "tessera submit mandelbrot -p size=4000");
  assert.deepEqual(
    jobRequest(
      mandelbrot,
      { params: {}, items: "9007199254740993", leaf: "auto" },
      { input: "ab", module: undefined },
    ),
    { kernel: "mandelbrot", params: {}, items: "9007199254740993", leaf: "auto", input: "ab" },
  );
});

test("priority and what is required are said as the node and the command line want them", () => {
  const sleep = { name: "sleep", params: [] };
  const wishes = { params: {}, priority: "-3", memory: "2 GiB", arch: "x86_64" };
  assert.deepEqual(jobRequest(sleep, wishes, {}), {
    kernel: "sleep",
    params: {},
    priority: -3,
    require: { memory: 2 * 1024 ** 3, arch: "x86_64" },
  });
  assert.equal(
    commandLine(sleep, wishes, {}),
    "tessera submit sleep --priority -3 --require memory=2GiB --require arch=x86_64",
  );
  const none = { params: {}, priority: "0", memory: "", arch: "" };
  assert.deepEqual(jobRequest(sleep, none, {}), { kernel: "sleep", params: {} });
  assert.equal(commandLine(sleep, none, {}), "tessera submit sleep");
  assert.deepEqual(jobRequest(sleep, { params: {}, priority: "high", memory: "much" }, {}), {
    kernel: "sleep",
    params: {},
    priority: "high",
    require: { memory: "much" },
  });
});

test("bytes are read as the command line reads them", () => {
  for (const [text, bytes] of [
    ["1024", 1024],
    ["64M", 64 * 1024 ** 2],
    ["64MiB", 64 * 1024 ** 2],
    ["2 gib", 2 * 1024 ** 3],
    ["1T", 1024 ** 4],
    ["7 B", 7],
    ["1.5G", "1.5G"],
    ["-1", "-1"],
    ["99999999999T", "99999999999T"],
  ])
    assert.equal(bytesOf(text), bytes, text);
});

test("a command can be pasted, whatever a file is named", () => {
  const filter = { name: "filter", wants_input: true, params: [{ name: "op", default: "edge" }] };
  assert.equal(
    commandLine(filter, { params: { op: "blur" } }, { input: "it's; rm -rf.png" }),
    "tessera submit filter -p op=blur --input 'it'\\''s; rm -rf.png'",
  );
  const wasm = {
    name: "wasm",
    wants_input: false,
    params: [
      { name: "name", default: "" },
      { name: "output", default: 1 },
    ],
  };
  assert.equal(
    commandLine(wasm, { params: { name: "x", output: "5" }, items: "9" }, {}),
    "tessera run FILE.wasm --output-limit 5 --items 9",
  );
});
