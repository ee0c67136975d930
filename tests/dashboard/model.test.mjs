import assert from "node:assert/strict";
import { test } from "node:test";
import { page } from "./load.mjs";
const { Model, coloursCount, jobsMax, mosaicsMax, peersMax, secondsKept } = await page("model.js");
const { segments } = await page("segments.js");

const peer = (id, more = {}) => ({
  id,
  name: id.toLowerCase(),
  self: id === "ME",
  state: "ok",
  slots: 2,
  running: 1,
  ...more,
});
const job = (id, more = {}) => ({
  job: id,
  kernel: "sumsq@1",
  state: "running",
  microtasks: 64,
  done: 0,
  round: null,
  shares: [],
  ...more,
});
const snapshot = (peers, jobs) => ({
  status: { id: "ME", pause: null },
  peers: peers.map((id) => peer(id)),
  jobs,
});
const begun = (...jobs) => {
  const model = new Model();
  model.apply("snapshot", snapshot(["ME", "A", "B"], jobs), 0);
  return model;
};

test("a snapshot replaces what was known: what is not in it is gone", () => {
  const model = begun(job("a"), job("b"));
  model.apply("part", { job: "a", first: 0, leaves: 1, node: "A", merged: false }, 1);
  model.apply("snapshot", snapshot(["ME", "B"], [job("b", { done: 3 })]), 2);
  assert.deepEqual([...model.jobs.keys()], ["b"]);
  assert.equal(model.jobs.get("b").done, 3);
  assert.deepEqual([...model.peers.keys()], ["ME", "B"]);
  assert.equal(model.mosaics.size, 0);
});

test("jobs stand newest first, and stay where they are when they change", () => {
  const model = begun(job("a"));
  model.apply("job", job("b"), 1);
  model.apply("job", job("a", { done: 9 }), 2);
  assert.deepEqual([...model.jobs.keys()], ["b", "a"]);
  assert.equal(model.jobs.get("a").done, 9);
});

test("only a change of state is news", () => {
  const model = begun(job("a"));
  assert.deepEqual(model.apply("job", job("a", { done: 9 }), 1), []);
  const [news] = model.apply("job", job("a", { done: 64, state: "done" }), 2);
  assert.deepEqual([news.kind, news.before, news.job.state], ["job", "running", "done"]);
  assert.equal(model.apply("peer", peer("C"), 3)[0].kind, "joined");
  assert.deepEqual(model.apply("peer", peer("C", { running: 2 }), 4), []);
  assert.equal(model.apply("peer_gone", { id: "C" }, 5)[0].kind, "left");
  assert.deepEqual(model.apply("peer_gone", { id: "C" }, 6), []);
});

test("pace is that of the last ten seconds, and what is left follows from it", () => {
  const model = begun(job("a", { microtasks: 1000 }));
  for (let s = 1; s <= 20; ++s)
    model.apply("job", job("a", { microtasks: 1000, done: s <= 10 ? 0 : (s - 10) * 20 }), s * 1000);
  assert.equal(model.pace("a"), 20);
  assert.equal(model.msLeft(model.jobs.get("a")), 40_000);
  model.apply("job", job("a", { state: "done", microtasks: 1000, done: 1000 }), 21_000);
  assert.equal(model.pace("a"), 0);
});

test("a round begins a new mosaic", () => {
  const model = begun(job("a", { round: 1 }));
  model.apply("part", { job: "a", first: 0, leaves: 64, node: "A", merged: false }, 1);
  assert.equal(model.mosaics.get("a").seen, 64);
  model.apply("job", job("a", { round: 2 }), 2);
  model.apply("part", { job: "a", first: 0, leaves: 2, node: "B", merged: false }, 3);
  assert.equal(model.mosaics.get("a").seen, 2);
});

test("parts of the next round that come before the news of it are its own", () => {
  const model = begun(job("a", { round: 1 }));
  const part = (first, leaves, node, merged = false) =>
    model.apply("part", { job: "a", first, leaves, node, merged }, 1);
  part(0, 32, "A");
  part(32, 32, "B");
  part(0, 64, null, true);
  assert.equal(model.mosaics.get("a").seen, 64);
  part(0, 16, "B"); // Of round 2.
  assert.equal(model.mosaics.get("a").seen, 16);
  model.apply("job", job("a", { round: 2 }), 2);
  assert.equal(model.mosaics.get("a").seen, 16);
  part(16, 48, "A");
  part(0, 64, null, true);
  part(0, 64, null, true); // Of round 3, as a peer merged it: nothing of round 2 is new.
  assert.equal(model.mosaics.get("a").round, 3);
  model.apply("job", job("a", { round: 4 }), 3); // Its parts were not seen.
  assert.equal(model.mosaics.get("a"), undefined);
});

test("of a job without rounds what is done twice begins nothing", () => {
  const model = begun(job("a"));
  for (let i = 0; i < 2; ++i)
    model.apply("part", { job: "a", first: 0, leaves: 64, node: "A", merged: false }, 1);
  assert.equal(model.mosaics.get("a").seen, 64);
  const mosaic = model.mosaics.get("a");
  model.apply("part", { job: "a", first: 0, leaves: 64, node: "B", merged: false }, 1);
  assert.equal(model.mosaics.get("a"), mosaic);
});

test("who merges here what others laid is not named for it", () => {
  const model = begun(job("a"));
  const part = (first, leaves, node, merged) =>
    model.apply("part", { job: "a", first, leaves, node, merged }, 1)[0].fresh;
  assert.deepEqual(
    [part(0, 32, null, true), part(32, 32, "A", false), part(0, 64, "ME", true)],
    [true, true, false],
  );
  part(0, 32, "ME", true);
  assert.deepEqual([...new Set(model.mosaics.get("a").owners)], [null, "A"]);
});

test("every table has its most", () => {
  const model = begun();
  for (let i = 0; i < jobsMax + 50; ++i) {
    model.apply("job", job(`j${i}`, { state: i === 3 ? "running" : "done" }), i);
    if (i < 2 * mosaicsMax)
      model.apply("part", { job: `j${i}`, first: 0, leaves: 1, node: "A", merged: false }, i);
    assert.ok(model.mosaics.size <= mosaicsMax);
    if (i < secondsKept + 9) model.apply("load", { at_ms: i, rate: i }, i);
  }
  assert.equal(model.jobs.size, jobsMax);
  assert.ok(model.jobs.has("j3"), "the oldest goes first, but none that runs");
  assert.equal(model.loads.length, secondsKept);
  assert.equal(model.loads[0].rate, 9);
  for (let i = 0; i < peersMax + 9; ++i) model.apply("peer", peer(`P${i}`), i);
  assert.equal(model.peers.size, peersMax);
});

test("no two of the first peers have one colour, and oneself has the first", () => {
  const model = new Model();
  const ids = ["ME", ...Array.from({ length: coloursCount - 1 }, (_, i) => `PEER${i}`)];
  model.apply("snapshot", snapshot(ids, []), 0);
  assert.equal(model.colour("ME"), 0);
  assert.equal(new Set(ids.map((id) => model.colour(id))).size, coloursCount);
});

test("what is not known, or broken, changes nothing", () => {
  const model = begun(job("a"));
  for (const [kind, data] of [
    ["resync", { why: "slow" }],
    ["riddle", {}],
    ["job", null],
    ["part", { job: "none", first: 0, leaves: 1 }],
    ["toString", {}],
  ])
    model.apply(kind, data, 1);
  assert.equal(model.jobs.size, 1);
  assert.equal(model.mosaics.size, 0);
});

test("a bar's segments are as long as what is done, whoever is named for it", () => {
  const length = (more) => segments(job("a", { microtasks: 100, ...more })).at(-1)?.to ?? 0;
  assert.equal(
    length({
      done: 40,
      shares: [
        { node: "A", microtasks: 10 },
        { node: "B", microtasks: 20 },
      ],
    }),
    0.4,
  );
  assert.ok(
    Math.abs(
      length({
        done: 40,
        shares: [
          { node: "A", microtasks: 90 },
          { node: "B", microtasks: 30 },
        ],
      }) - 0.4,
    ) < 1e-9,
  );
  assert.equal(length({ done: 0 }), 0);
});
