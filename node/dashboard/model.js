// All that the page knows, made of the node's events. Pure: no clock, no page; `now` comes in.
import { Mosaic } from "./mosaic.js";

export const secondsKept = 120; // Of throughput.
export const jobsMax = 1000; // The oldest that are over go first.
export const mosaicsMax = 24;
export const peersMax = 2000;
export const linesMax = 100; // Of the node's log.
export const coloursCount = 12; // 0 is oneself.
const paceMs = 10_000; // A job's rate is that of so long.

const over = new Set(["done", "failed", "cancelled"]);
export const ended = (job) => over.has(job.state);

const hash = (text) => [...text].reduce((h, c) => (h * 31 + c.codePointAt(0)) >>> 0, 7);

export class Model {
  status = null;
  peers = new Map(); // By id; oneself first.
  jobs = new Map(); // By id, the newest first.
  load = null;
  loads = []; // {at_ms, rate}, one a second.
  lines = [];
  mosaics = new Map(); // By job, the latest touched last.
  #colours = new Map(); // By peer; kept for those who come back.
  #paces = new Map(); // By job: [{now, done}].

  // Applies one event; answers what is worth telling: [{kind, ...}].
  apply(kind, data, now) {
    const act = {
      snapshot: () => this.#snapshot(data, now),
      job: () => this.#job(data, now),
      job_gone: () => this.#forget(data.job),
      peer: () => this.#peer(data),
      peer_gone: () => this.#peerGone(data.id),
      load: () => this.#load(data),
      status: () => void (this.status = data),
      pause: () => this.#pause(data.pause),
      log: () => this.#log(data),
      steal: () => [{ kind: "steal", ...data }],
      part: () => this.#part(data),
    }[kind];
    return (act && data && act()) || [];
  }

  self() {
    return [...this.peers.values()].find((peer) => peer.self) ?? null;
  }
  colour(id) {
    if (!this.#colours.has(id)) this.#colours.set(id, this.#freshColour(id));
    return this.#colours.get(id);
  }
  name(id) {
    return this.peers.get(id)?.name || "";
  }
  // Microtasks a second of a job, lately; 0: not known yet.
  pace(id) {
    const seen = this.#paces.get(id) ?? [];
    if (seen.length < 2) return 0;
    const [first, last] = [seen[0], seen.at(-1)];
    return last.now > first.now ? (1000 * (last.done - first.done)) / (last.now - first.now) : 0;
  }
  msLeft(job) {
    const pace = this.pace(job.job);
    return pace > 0 && job.state === "running" ? (1000 * (job.microtasks - job.done)) / pace : NaN;
  }

  // Own colour by name, where no other has it; else the one that fewest have.
  #freshColour(id) {
    if (this.peers.get(id)?.self || this.status?.id === id) return 0;
    const used = new Array(coloursCount).fill(0);
    for (const colour of this.#colours.values()) ++used[colour];
    const own = 1 + (hash(id) % (coloursCount - 1));
    const fewest = Math.min(...used.slice(1));
    if (used[own] === fewest) return own;
    return used.findIndex((n, colour) => colour > 0 && n === fewest);
  }

  #snapshot({ status, peers = [], jobs = [] }, now) {
    const before = this.jobs;
    this.status = status ?? this.status;
    this.peers = new Map(peers.slice(0, peersMax).map((peer) => [peer.id, peer]));
    for (const id of this.peers.keys()) this.colour(id);
    this.jobs = new Map(jobs.slice(0, jobsMax).map((job) => [job.job, job]));
    for (const id of before.keys()) if (!this.jobs.has(id)) this.#forget(id);
    for (const job of this.jobs.values()) this.#measure(job, now);
    return [{ kind: "snapshot" }];
  }

  #job(job, now) {
    const before = this.jobs.get(job.job);
    if (before) this.jobs.set(job.job, job);
    else this.jobs = new Map([[job.job, job], ...this.jobs]);
    // Its first parts may have come before it was told of.
    if (before && before.round !== job.round && !(this.mosaics.get(job.job)?.round >= job.round))
      this.mosaics.delete(job.job);
    this.#measure(job, now);
    this.#trim();
    if (before?.state === job.state) return [];
    return [{ kind: "job", job, before: before?.state ?? null }];
  }

  #measure(job, now) {
    const seen = this.#paces.get(job.job) ?? [];
    if (ended(job) || (seen.length && job.done < seen.at(-1).done)) return void this.#paces.delete(job.job);
    seen.push({ now, done: job.done });
    while (seen.length > 2 && seen[0].now < now - paceMs) seen.shift();
    this.#paces.set(job.job, seen);
  }

  #trim() {
    if (this.jobs.size <= jobsMax) return;
    const oldest = [...this.jobs.values()].reverse();
    this.#forget((oldest.find(ended) ?? oldest[0]).job);
  }

  #forget(id) {
    this.jobs.delete(id);
    this.mosaics.delete(id);
    this.#paces.delete(id);
  }

  #peer(peer) {
    const known = this.peers.has(peer.id);
    if (!known && this.peers.size >= peersMax) return [];
    this.peers.set(peer.id, peer);
    this.colour(peer.id);
    return known ? [] : [{ kind: "joined", peer }];
  }

  #peerGone(id) {
    const peer = this.peers.get(id);
    this.peers.delete(id);
    return peer ? [{ kind: "left", peer }] : [];
  }

  #load(load) {
    this.load = load;
    if (this.status) Object.assign(this.status, { running: load.running, slots: load.slots });
    this.loads.push({ at_ms: load.at_ms, rate: load.rate });
    if (this.loads.length > secondsKept) this.loads.shift();
  }

  #pause(pause) {
    if (this.status) this.status.pause = pause;
    return [{ kind: "pause", pause }];
  }

  #log(line) {
    this.lines.push(line);
    if (this.lines.length > linesMax) this.lines.shift();
  }

  #part(part) {
    const job = this.jobs.get(part.job);
    // Who merged here what others laid did not lay it.
    const node = part.merged && part.node === this.status?.id ? null : part.node;
    const fresh = job ? this.#mosaicOf(job, part).lay({ ...part, node }) : !part.merged;
    return [{ kind: "part", fresh, ...part }];
  }

  // Parts do not say their round, and come before the news of it: what is done anew when all is done
  // is of the next.
  #mosaicOf(job, part) {
    let mosaic = this.mosaics.get(job.job);
    const next = job.round && mosaic && (part.merged ? mosaic.whole : mosaic.full);
    if (!mosaic || next || mosaic.leaves !== Math.max(1, job.microtasks)) {
      const round = next ? mosaic.round + 1 : job.round;
      mosaic = Object.assign(new Mosaic(job.microtasks), { round });
    }
    this.mosaics.delete(job.job);
    this.mosaics.set(job.job, mosaic);
    if (this.mosaics.size > mosaicsMax) this.mosaics.delete(this.mosaics.keys().next().value);
    return mosaic;
  }
}
