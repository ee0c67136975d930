import assert from "node:assert/strict";
import { test } from "node:test";
import { page } from "./load.mjs";
const { Mosaic, columnsMax } = await page("mosaic.js");
const { layout } = await page("layout.js");

const done = (first, leaves, node = "A") => ({ first, leaves, node, merged: false });
const merged = (first, leaves) => ({ first, leaves, node: null, merged: true });

test("a block that is done reaches up to its own level, and no further until it is merged", () => {
  const mosaic = new Mosaic(8);
  assert.equal(mosaic.rows, 4);
  mosaic.lay(done(0, 2));
  mosaic.lay(done(2, 2, "B"));
  assert.deepEqual(
    [0, 1, 2, 3].map((row) => mosaic.blocks(row).length),
    [4, 2, 0, 0],
  );
  mosaic.lay(merged(0, 4));
  assert.deepEqual(
    mosaic.blocks(2).map(({ from, to }) => [from, to]),
    [[0, 4]],
  );
  mosaic.lay(done(0, 1, "A")); // Late, and for the second time.
  assert.equal(mosaic.blocks(2).length, 1);
  assert.deepEqual(mosaic.owners.slice(0, 5), ["A", "A", "B", "B", null]);
});

test("what a peer merged before it was told of counts once, as laid by whom it names", () => {
  const mosaic = new Mosaic(8);
  assert.equal(mosaic.lay({ first: 0, leaves: 4, node: "B", merged: true }), true);
  assert.equal(mosaic.lay({ first: 0, leaves: 4, node: "C", merged: true }), false);
  assert.equal(mosaic.lay(merged(4, 4)), true); // By several.
  assert.equal(mosaic.lay(merged(0, 8)), false);
  assert.deepEqual(mosaic.owners, ["B", "B", "B", "B", null, null, null, null]);
  assert.equal(mosaic.seen, 4);
  assert.equal(mosaic.blocks(3).length, 1);
});

test("small blocks in one column are not counted twice when they are merged", () => {
  const mosaic = new Mosaic(512 * 8);
  for (const first of [0, 1]) mosaic.lay(done(first, 1));
  mosaic.lay(merged(0, 2));
  assert.equal(mosaic.fraction(0), 2 / 8);
  mosaic.lay({ first: 0, leaves: 4, node: "A", merged: true });
  assert.equal(mosaic.fraction(0), 4 / 8);
});

test("the last block, which is cut, counts as whole", () => {
  const mosaic = new Mosaic(5);
  mosaic.lay(done(4, 1));
  assert.deepEqual(
    [0, 1, 2, 3].map((row) => mosaic.blocks(row).length),
    [1, 1, 1, 0],
  );
  mosaic.lay(done(0, 4));
  assert.equal(mosaic.blocks(3).length, 0);
  mosaic.lay(merged(0, 5));
  assert.deepEqual(
    mosaic.blocks(3).map(({ from, to }) => [from, to]),
    [[0, 5]],
  );
});

test("in any order, with repeats, whatever is done once is seen once", () => {
  for (const leaves of [1, 2, 3, 7, 64, 511, 512, 513, 1000, 4096, 100_003]) {
    const mosaic = new Mosaic(leaves),
      size = Math.max(1, leaves >> 5),
      blocks = [];
    for (let first = 0; first < leaves; first += size)
      blocks.push(done(first, Math.min(size, leaves - first)));
    let seed = leaves;
    blocks.sort(() => ((seed = (seed * 1103515245 + 12345) & 0x7fffffff) & 1) - 0.5);
    for (const block of [...blocks, ...blocks.slice(0, 5)]) mosaic.lay(block);
    assert.equal(mosaic.seen, leaves);
    assert.ok(mosaic.columns <= columnsMax);
    mosaic.lay(merged(0, leaves));
    for (let row = 0; row < mosaic.rows; ++row)
      assert.equal(mosaic.blocks(row).length, mosaic.all(row).length, `${leaves} leaves, row ${row}`);
    assert.equal(mosaic.blocks(mosaic.rows - 1).length, 1);
  }
});

test("what lies outside the job lays nothing", () => {
  const mosaic = new Mosaic(10);
  for (const part of [done(10, 4), done(-1, 2), done(3, 0), done(NaN, 1), done(2, undefined)])
    mosaic.lay(part);
  assert.equal(mosaic.seen, 0);
});

test("peers stand inside the picture, each in a place of its own, and oneself in the middle", () => {
  for (const [width, height] of [
    [300, 300],
    [760, 440],
    [1200, 460],
  ])
    for (const others of [0, 1, 2, 5, 12, 35, 60, 120]) {
      const { self, others: places } = layout(others, width, height);
      assert.equal(places.length, others);
      assert.equal(self.x, width / 2);
      for (const { x, y } of places)
        assert.ok(x > 0 && x < width && y > 0 && y < height, `${others} in ${width}: ${x} ${y}`);
      const all = [self, ...places];
      const nearest = Math.min(
        ...all.flatMap((a, i) => all.slice(i + 1).map((b) => Math.hypot(a.x - b.x, a.y - b.y))),
        Infinity,
      );
      assert.ok(nearest > 10 || others > 35, `${others} in ${width} x ${height}: ${nearest}`);
    }
});
