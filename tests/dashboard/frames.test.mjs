import assert from "node:assert/strict";
import { test } from "node:test";
import { page } from "./load.mjs";
const { Frames } = await page("frames.js");
const { EventStream, pauseBefore } = await page("stream.js");
const { Api } = await page("api.js");

const stream =
  'id: 7\nevent: job\ndata: {"a":1}\n\n: beat\n\ndata: two\ndata: lines\r\n\r\nevent: log\r\ndata:x\r\n\r\nevent: old\rdata: mac\r\rid: 9\nevent: load\n\n';
const frames = [
  { id: "7", event: "job", data: '{"a":1}' },
  { id: "7", event: "message", data: "two\nlines" },
  { id: "7", event: "log", data: "x" },
  { id: "7", event: "old", data: "mac" },
];

test("frames are the same however the bytes are cut", () => {
  assert.deepEqual(new Frames().push(stream), frames);
  for (let size = 1; size < 9; ++size) {
    const cut = new Frames(),
      found = [];
    for (let at = 0; at < stream.length; at += size) found.push(...cut.push(stream.slice(at, at + size)));
    assert.deepEqual(found, frames, `in pieces of ${size}`);
  }
});

test("comments, unknown fields and frames without data are no frames", () => {
  assert.deepEqual(new Frames().push(": beat\n\nretry: 5\nfoo\n\nid: 3\n\n"), []);
});

test("a stream without line ends is refused before it fills the memory", () => {
  const endless = new Frames(),
    piece = "x".repeat(1 << 22);
  assert.throws(() => {
    for (let i = 0; i < 32; ++i) endless.push(piece);
  }, RangeError);
});

test("pauses between tries grow, up to about 15 s", () => {
  const middle = (n) => pauseBefore(n, () => 0.5);
  for (let n = 1; n < 6; ++n) assert.ok(middle(n) > middle(n - 1));
  assert.equal(middle(100), middle(5));
  assert.ok(pauseBefore(100, () => 1) < 20_000);
});

// A fetch() that gives each of these bodies once, and notes what was asked.
function scripted(...bodies) {
  const asked = [];
  const fetcher = async (path, { headers }) => {
    asked.push({ path, ...headers });
    const body = bodies.shift();
    return typeof body === "number"
      ? new Response(JSON.stringify({ code: "E505" }), { status: body })
      : new Response(body);
  };
  return { asked, api: new Api("t0ken", fetcher) };
}

test(
  "after a break it comes back from the last event that it saw, and a token that is refused ends it",
  { timeout: 10_000 },
  async () => {
    const { asked, api } = scripted(
      'id: 4\nevent: snapshot\ndata: {}\n\nid: 5\nevent: job\ndata: {"job":"a"}\n\n',
      'id: 6\nevent: job\ndata: {"job":"b"}\n\nevent: job\ndata: {broken\n\n',
      401,
    );
    const seen = [];
    await new Promise((over) => {
      const events = new EventStream(api, "jobs", {
        event: (kind, data) => seen.push(`${kind} ${data.job ?? ""}`),
        up: () => seen.push("up"),
        down: ({ denied }) => {
          seen.push(denied ? "denied" : "down");
          if (denied) over();
          else events.open(); // As "Try now" does.
        },
      });
      events.open();
    });
    assert.deepEqual(seen, ["up", "snapshot ", "job a", "down", "up", "job b", "down", "denied"]);
    assert.deepEqual(
      asked.map((each) => each["Last-Event-ID"]),
      [undefined, "5", "6"],
    );
    assert.ok(asked.every((each) => each.Authorization === "Bearer t0ken" && !each.path.includes("t0ken")));
  },
);
