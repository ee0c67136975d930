// A node that is none: serves the page of node/dashboard, and plays a mesh of many peers through the API that it asks.
// For looking at the page (node tests/dashboard/mock.mjs 36), and for tests of what real nodes cannot be made to do.
import { createServer } from "node:http";
import { readFileSync, readdirSync } from "node:fs";
import { deflateSync } from "node:zlib";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("../../node/dashboard/", import.meta.url));
const types = {
  html: "text/html; charset=utf-8",
  css: "text/css",
  js: "text/javascript",
  svg: "image/svg+xml",
};
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
export const token = "MOCK";

// The same dice each time.
function dice(seed) {
  return () => {
    seed = (seed * 1664525 + 1013904223) >>> 0;
    return seed / 4294967296;
  };
}

const names =
  "ada bell curie dirac euler fermi gauss hopper ibn-sina joule kepler lovelace maxwell noether ohm pascal quine ramanujan sagan turing ulam volta wiener xenakis young zuse archimedes boole cantor dijkstra erdos feynman godel hilbert ito jacobi kolmogorov lagrange mirzakhani neumann".split(
    " ",
  );
const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

function crc32(bytes) {
  let crc = ~0;
  for (const byte of bytes)
    for (let k = 0, c = (crc ^= byte); k < 8; ++k, crc = c) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
  return ~crc >>> 0;
}

function png(width, height, rgba) {
  const chunk = (type, data) => {
    const out = Buffer.alloc(data.length + 12);
    out.writeUInt32BE(data.length, 0);
    out.write(type, 4, "latin1");
    data.copy(out, 8);
    out.writeUInt32BE(crc32(out.subarray(4, 8 + data.length)), 8 + data.length);
    return out;
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 6, 0, 0, 0], 8);
  const lines = Buffer.alloc(height * (1 + width * 4));
  for (let y = 0; y < height; ++y)
    rgba.copy(lines, y * (1 + width * 4) + 1, y * width * 4, (y + 1) * width * 4);
  return Buffer.concat([
    Buffer.from("\x89PNG\r\n\x1a\n", "latin1"),
    chunk("IHDR", head),
    chunk("IDAT", deflateSync(lines)),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

export class MockMesh {
  constructor(count, { seed = 7, slots = [1, 2, 2, 4, 4, 8, 16] } = {}) {
    this.random = dice(seed);
    this.peers = Array.from({ length: count }, (_, i) => this.#peer(i, slots));
    this.jobs = [];
    this.paused = null;
    this.log = []; // {id, kind, data}
    this.lastId = 0;
    this.streams = new Set();
    this.posts = [];
    this.started = Date.now();
  }

  #peer(i, slots) {
    const group = () => Array.from({ length: 4 }, () => letters[Math.floor(this.random() * 32)]).join("");
    const own = i === 0 ? 4 : slots[Math.floor(this.random() * slots.length)];
    return {
      schema: 1,
      id: Array.from({ length: 13 }, group).join("-"),
      name: names[i % names.length] + (i >= names.length ? i : ""),
      self: i === 0,
      via: i === 0 ? "-" : i <= 5 || this.random() < 0.1 ? "direct" : "gossip",
      rtt_ms: i && i <= 5 ? 0.2 + 40 * this.random() ** 3 : null,
      slots: own,
      slots_free: 0,
      running: own,
      speed: 1,
      load: 0,
      version: "0.1.0",
      addresses: [],
      kernels: ["mandelbrot@1"],
      state: i % 17 === 9 ? "paused" : "ok",
    };
  }

  status() {
    const self = this.peers[0];
    return {
      schema: 1,
      id: self.id,
      name: self.name,
      version: "0.1.0",
      mesh: "4f1c9a02e5d87b36",
      open: false,
      listen: "10.0.0.5:7700",
      slots: self.slots,
      running: self.running,
      pause: this.paused,
      peers: this.peers.length,
      jobs: this.jobs.filter((job) => job.state === "running").length,
      working: this.working ?? [],
      uptime_ms: Date.now() - this.started,
      pid: 1,
    };
  }

  addJob(kernel, microtasks, state = "running") {
    const id = Array.from({ length: 64 }, () => "0123456789abcdef"[Math.floor(this.random() * 16)]).join("");
    const job = {
      schema: 1,
      job: id,
      kernel,
      state,
      microtasks,
      done: 0,
      rerun: 0,
      items: microtasks,
      leaf: 1,
      elapsed_ms: 0,
      rounds: null,
      round: null,
      tasks: null,
      tasks_left: null,
      budget: null,
      fuel: null,
      peers: this.peers.length,
      root: this.peers[0].id,
      submitter: this.peers[0].id,
      error: null,
      result: null,
      shares: [],
      left: [],
    };
    Object.defineProperty(job, "left", {
      enumerable: false,
      value: Array.from({ length: Math.ceil(microtasks / 16) }, (_, i) => i * 16),
      writable: true,
    });
    Object.defineProperty(job, "blocks", { enumerable: false, value: new Set() });
    this.jobs.unshift(job);
    if (state === "done") while (this.work(job));
    this.emit("job", job);
    return job;
  }

  // One block of 16 leaves is done, and what can be merged then is.
  work(job) {
    if (!job.left.length || (job.state !== "running" && job.state !== "done")) return false;
    const [first] = job.left.splice(Math.floor(this.random() ** 2 * Math.min(job.left.length, 40)), 1);
    const peer = this.peers[Math.floor(this.random() ** 1.6 * this.peers.length)];
    const leaves = Math.min(16, job.microtasks - first);
    this.#share(job, peer).microtasks += leaves;
    job.done += leaves;
    this.emit("part", { at_ms: Date.now(), job: job.job, first, leaves, node: peer.id, merged: false });
    this.#merge(job, 16, first / 16);
    if (this.random() < 0.5) {
      const thief = this.peers[1 + Math.floor(this.random() * (this.peers.length - 1))],
        victim = this.random() < 0.6 ? this.peers[0] : peer;
      if (thief !== victim) {
        ++this.#share(job, thief).steals;
        this.emit("steal", {
          at_ms: Date.now(),
          job: job.job,
          from: victim.id,
          to: thief.id,
          leaves: 16 << Math.floor(this.random() * 4),
        });
      }
    }
    if (!job.left.length) {
      job.state = "done";
      job.result = {
        blob: "0".repeat(64),
        size: 1234567,
        type: job.kernel.startsWith("sumsq") ? "text/plain" : "image/png",
      };
    }
    return true;
  }
  #share(job, peer) {
    let share = job.shares.find(({ node }) => node === peer.id);
    if (!share)
      job.shares.push((share = { node: peer.id, name: peer.name, microtasks: 0, steals: 0, merges: 0 }));
    return share;
  }
  #merge(job, size, index) {
    job.blocks.add(`${size}/${index}`);
    const sibling = index ^ 1;
    if (size >= job.microtasks || !(job.blocks.has(`${size}/${sibling}`) || sibling * size >= job.microtasks))
      return;
    ++this.#share(job, this.peers[0]).merges;
    const first = (index >> 1) * size * 2;
    this.emit("part", {
      at_ms: Date.now(),
      job: job.job,
      first,
      leaves: Math.min(size * 2, job.microtasks - first),
      node: null,
      merged: true,
    });
    this.#merge(job, size * 2, index >> 1);
  }

  emit(kind, data) {
    const event = { id: ++this.lastId, kind, text: JSON.stringify(data) };
    this.log.push(event);
    if (this.log.length > 1000) this.log.shift();
    for (const stream of this.streams)
      stream.write(`id: ${event.id}\nevent: ${kind}\ndata: ${event.text}\n\n`);
  }

  second(rate) {
    for (const peer of this.peers)
      peer.running = peer.state === "ok" ? Math.round(peer.slots * Math.min(1, 0.55 + this.random())) : 0;
    this.microtasks = (this.microtasks ?? 0) + rate;
    this.emit("load", {
      at_ms: Date.now(),
      running: this.peers[0].running,
      slots: this.peers[0].slots,
      microtasks: this.microtasks,
      rate,
      sent_bytes: this.microtasks * 81,
      received_bytes: this.microtasks * 112,
    });
    for (const peer of this.peers.slice(0, 12)) this.emit("peer", peer);
  }

  preview(job, width = 512) {
    const side = Math.ceil(Math.sqrt(job.microtasks)),
      tile = Math.max(1, Math.floor(width / side)),
      size = side * tile;
    const rgba = Buffer.alloc(size * size * 4),
      left = new Set(job.left);
    for (let y = 0; y < size; ++y)
      for (let x = 0; x < size; ++x) {
        const leaf = Math.floor(y / tile) * side + Math.floor(x / tile);
        if (left.has(leaf - (leaf % 16))) continue;
        let zx = 0,
          zy = 0,
          n = 0;
        const cx = -2 + (2.7 * x) / size,
          cy = 1.35 - (2.7 * y) / size;
        while (zx * zx + zy * zy < 64 && n < 90)
          [zx, zy, n] = [zx * zx - zy * zy + cx, 2 * zx * zy + cy, n + 1];
        const t = n >= 90 ? 0 : n + 1 - Math.log2(Math.log(zx * zx + zy * zy) / 2);
        rgba.set(
          [
            128 + 120 * Math.sin(0.14 * t + 4),
            110 + 100 * Math.sin(0.14 * t + 4.8),
            120 + 110 * Math.sin(0.14 * t + 6),
            255,
          ].map((v) => (n >= 90 ? (v === 255 ? 255 : 12) : v)),
          (y * size + x) * 4,
        );
      }
    return png(size, size, rgba);
  }

  listen(port = 0) {
    const files = new Map(
      readdirSync(folder)
        .filter((name) => types[name.split(".").pop()])
        .map((name) => [name === "index.html" ? "/" : `/${name}`, name]),
    );
    this.server = createServer((request, response) => {
      const { pathname, searchParams } = new URL(request.url, "http://x");
      const file = files.get(pathname);
      if (file)
        return response
          .writeHead(200, {
            "Content-Type": types[file.split(".").pop()],
            "Content-Security-Policy": policy,
            "Cache-Control": "no-store",
          })
          .end(readFileSync(folder + file));
      const json = (status, body) =>
        response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));
      if (request.headers.authorization !== `Bearer ${token}`)
        return json(401, { code: "E505", title: "no valid token", detail: "", fix: "" });
      if (pathname === "/v1/events") return this.#events(request, response);
      if (pathname === "/v1/kernels")
        return json(200, {
          schema: 1,
          kernels: [
            {
              name: "mandelbrot",
              version: 1,
              help: "a picture of the Mandelbrot set",
              wants_input: false,
              wants_items: false,
              result: "image/png",
              params: [
                {
                  name: "size",
                  type: "integer",
                  default: 1024,
                  min: 1,
                  max: 100000,
                  choices: [],
                  help: "width and height, in pixels",
                },
              ],
            },
            {
              name: "sumsq",
              version: 1,
              help: "sum of squares",
              wants_items: true,
              wants_input: false,
              result: "text/plain",
              params: [],
            },
          ],
          modules: [],
        });
      const [, id, what] = /^\/v1\/jobs\/([0-9a-f]+)(.*)$/.exec(pathname) ?? [];
      const job = this.jobs.find((each) => each.job === id);
      if (job && what === "/preview")
        return job.kernel.startsWith("sumsq")
          ? json(404, { code: "E415" })
          : response
              .writeHead(200, { "Content-Type": "image/png" })
              .end(this.preview(job, Number(searchParams.get("width"))));
      if (job && what === "/why")
        return json(200, {
          schema: 1,
          job: id,
          state: job.state,
          why: ["5 peers have no free slot"],
          fix: "tessera peers",
          queued: 900,
          running: 4,
          leased: 120,
          rate: 88.5,
          eta_ms: 10_000,
          out: [],
        });
      if (job && what === "/log")
        return json(200, {
          schema: 1,
          job: id,
          state: job.state,
          entries: [
            { number: 1, at_ms: 1, text: "taken" },
            { number: 2, at_ms: 2, text: "<b>round</b>" },
          ],
        });
      let body = "";
      request
        .on("data", (data) => (body += data))
        .on("end", () => {
          this.posts.push({ path: pathname, body });
          if (pathname === "/v1/pause" || pathname === "/v1/resume") {
            this.paused = pathname === "/v1/pause" ? { since_ms: Date.now(), until_ms: null } : null;
            this.emit("pause", { pause: this.paused });
            return json(200, { schema: 1, pause: this.paused });
          }
          if (pathname === "/v1/jobs") return json(201, this.addJob("mandelbrot@1", 1024));
          if (job && what === "/cancel") {
            job.state = "cancelled";
            this.emit("job", job);
            return json(202, job);
          }
          json(404, { code: "E404", title: "there is no such call", detail: pathname, fix: "" });
        });
    });
    return new Promise((done) =>
      this.server.listen(port, "127.0.0.1", () => done(this.server.address().port)),
    );
  }

  #events(request, response) {
    response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
    const last = Number(request.headers["last-event-id"] ?? NaN);
    response.flushHeaders();
    this.resumed = last;
    if (last >= (this.log[0]?.id ?? Infinity) - 1)
      for (const { id, kind, text } of this.log.filter((event) => event.id > last))
        response.write(`id: ${id}\nevent: ${kind}\ndata: ${text}\n\n`);
    else this.#snapshot(response);
    this.streams.add(response);
    request.on("close", () => this.streams.delete(response));
  }
  #snapshot(response) {
    response.write(
      `id: ${this.lastId}\nevent: snapshot\ndata: ${JSON.stringify({ schema: 1, at_ms: Date.now(), status: this.status(), peers: this.peers, jobs: this.jobs })}\n\n`,
    );
  }
  drop() {
    for (const stream of this.streams) stream.destroy();
  }
  close() {
    this.drop();
    this.server.closeAllConnections();
    this.server.close();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const mesh = new MockMesh(Number(process.argv[2] ?? 36));
  mesh.addJob("sumsq@1", 256, "done");
  mesh.addJob("filter@1", 1000, "done");
  const job = mesh.addJob("mandelbrot@1", 4096);
  const port = await mesh.listen(Number(process.argv[3] ?? 0));
  console.log(`http://127.0.0.1:${port}/#token=${token} ${job.job}`);
  setInterval(() => mesh.second(Math.round(700 + 500 * mesh.random())), 1000);
  setInterval(() => {
    for (let i = 0; i < 1 + 2 * mesh.random(); ++i) mesh.work(job);
    job.elapsed_ms += 100;
    if (mesh.random() < 0.3) mesh.emit("job", job);
  }, 100);
}
