// The mesh as a picture: each peer is a small mosaic of its slots, lit where they work. A lease is
// a tile on its way to whoever will lay it, a part done a tile on its way home, a merge a pulse.
import { calm, keyed, say, set, svg } from "./dom.js";
import { layout } from "./layout.js";
import { clipped, plural, shortNode } from "./text.js";

const flightsMax = 48; // At once; what is past that is not drawn.
const cellsMax = 64; // Of one peer: more slots share cells.
const few = 8; // Peers that a lower picture holds.
const leaseMs = 900,
  homeMs = 650,
  pulseMs = 700,
  stillMs = 1500;
const pulseEveryMs = 220;

const ease = (t) => (t < 0.5 ? 2 * t * t : 1 - 2 * (1 - t) * (1 - t));

// From a to b, bent to the left by a part of the way.
function arc(a, b, bend) {
  const control = { x: (a.x + b.x) / 2 + (b.y - a.y) * bend, y: (a.y + b.y) / 2 - (b.x - a.x) * bend };
  return {
    path: `M${a.x} ${a.y}Q${control.x} ${control.y} ${b.x} ${b.y}`,
    at: (t) => ({
      x: (1 - t) * (1 - t) * a.x + 2 * t * (1 - t) * control.x + t * t * b.x,
      y: (1 - t) * (1 - t) * a.y + 2 * t * (1 - t) * control.y + t * t * b.y,
    }),
  };
}

export class MeshView {
  #figure;
  #links = svg("g", { class: "links" });
  #flights = svg("g", { class: "flights" });
  #nodes = svg("g");
  #places = new Map(); // By id.
  #colour = () => 0;
  #self = "";
  #moving = new Set();
  #pulsed = 0;

  constructor(figure) {
    this.#figure = figure;
    figure.append(this.#links, this.#flights, this.#nodes);
  }

  render(model) {
    const peers = this.#ordered(model);
    this.#figure.classList.toggle("few", peers.length <= few);
    const { width, height } = this.#figure.getBoundingClientRect();
    if (!width) return;
    const spread = layout(Math.max(0, peers.length - 1), width, height);
    this.#self = model.self()?.id ?? "";
    this.#colour = (id) => model.colour(id);
    this.#places = new Map(peers.map((peer, i) => [peer.id, i ? spread.others[i - 1] : spread.self]));
    set(this.#figure, "viewBox", `0 0 ${width} ${height}`);
    set(this.#figure, "aria-label", describe(peers));
    keyed(
      this.#links,
      peers.filter((peer) => peer.via === "direct"),
      (peer) => peer.id,
      () => svg("line"),
      (line, peer) => this.#link(line, spread.self, peer),
    );
    keyed(
      this.#nodes,
      peers,
      (peer) => peer.id,
      node,
      (group, peer) => this.#node(group, peer, spread),
    );
  }

  #ordered(model) {
    const peers = [...model.peers.values()];
    const rank = (peer) => (peer.self ? 0 : peer.via === "direct" ? 1 : 2);
    return peers.sort((a, b) => rank(a) - rank(b) || (a.id < b.id ? -1 : 1));
  }

  #link(line, from, peer) {
    const to = this.#places.get(peer.id);
    for (const [name, value] of [
      ["x1", from.x],
      ["y1", from.y],
      ["x2", to.x],
      ["y2", to.y],
    ])
      set(line, name, value.toFixed(1));
  }

  #node(group, peer, { tile, cell, labels }) {
    const place = this.#places.get(peer.id);
    const room = peer.self ? Math.max(tile, 30) * 1.25 : tile;
    const size = Math.min(
      room,
      cell * (peer.self ? 1.25 : 1) * Math.ceil(Math.sqrt(Math.min(cellsMax, Math.max(1, peer.slots)))),
    );
    group.style.transform = `translate(${place.x.toFixed(1)}px, ${place.y.toFixed(1)}px)`;
    set(
      group,
      "class",
      `node c${this.#colour(peer.id)} ${peer.state === "ok" ? "" : "away"} ${peer.self ? "self" : ""}`,
    );
    const [ground, cells, name, work, title] = group.children;
    const half = size / 2 + (peer.self ? 5 : 3);
    for (const [attribute, value] of [
      ["x", -half],
      ["y", -half],
      ["width", 2 * half],
      ["height", 2 * half],
    ])
      set(ground, attribute, value);
    drawCells(cells, peer, size);
    set(name, "y", half + 14);
    set(work, "y", half + 28);
    say(name, labels || peer.self ? clipped(peer.name, 14) || shortNode(peer.id) : "");
    say(
      work,
      labels || peer.self ? (peer.state === "ok" ? `${peer.running}/${peer.slots}` : peer.state) : "",
    );
    say(title, `${clipped(peer.name)} ${shortNode(peer.id)}: ${peer.running} of ${peer.slots} slots at work`);
  }

  steal({ from, to, leaves }) {
    this.#fly(
      from,
      to,
      "lease",
      this.#colour(to),
      leaseMs,
      0.22,
      Math.min(3, 1 + Math.floor(Math.log2(leaves) / 4)),
    );
  }

  // fresh: it was not known before, so that it came from who laid it.
  part({ node, merged, fresh }) {
    if (fresh && node && node !== this.#self)
      this.#fly(node, this.#self, "home", this.#colour(node), homeMs, 0.1, 1);
    else if (merged) this.#pulse();
  }

  #fly(from, to, kind, colour, ms, bend, tiles) {
    const a = this.#places.get(from),
      b = this.#places.get(to);
    if (!a || !b || document.hidden || this.#moving.size >= flightsMax) return;
    const way = arc(a, b, bend);
    const trail = svg("path", { d: way.path });
    const group = svg("g", { class: `flight ${kind} c${colour}` }, trail);
    const squares = calm.matches
      ? []
      : Array.from({ length: tiles }, () => svg("rect", { x: -4, y: -4, width: 8, height: 8, rx: 1 }));
    group.append(...squares);
    this.#flights.append(group);
    this.#run(calm.matches ? stillMs : ms, group, (t) => {
      squares.forEach((square, i) => {
        const { x, y } = way.at(ease(Math.max(0, t - i * 0.09)));
        set(square, "transform", `translate(${x.toFixed(1)} ${y.toFixed(1)}) rotate(${(t * 90).toFixed(0)})`);
      });
      if (!calm.matches) set(trail, "opacity", (0.55 * (1 - t)).toFixed(2));
    });
  }

  #pulse() {
    const now = performance.now(),
      place = this.#places.get(this.#self);
    if (!place || document.hidden || calm.matches || now < this.#pulsed + pulseEveryMs) return;
    this.#pulsed = now;
    const square = svg("rect", { class: `pulse c${this.#colour(this.#self)}`, rx: 3 });
    this.#flights.append(square);
    this.#run(pulseMs, square, (t) => {
      const half = 28 + 26 * ease(t);
      for (const [name, value] of [
        ["x", place.x - half],
        ["y", place.y - half],
        ["width", 2 * half],
        ["height", 2 * half],
      ])
        set(square, name, value.toFixed(1));
      set(square, "opacity", (0.8 * (1 - t)).toFixed(2));
    });
  }

  #run(ms, element, draw) {
    const began = performance.now();
    const flight = (now) => {
      const t = Math.min(1, Math.max(0, (now - began) / ms));
      draw(t);
      if (t >= 1) element.remove();
      return t < 1;
    };
    flight(began);
    this.#moving.add(flight);
    if (this.#moving.size === 1) requestAnimationFrame((now) => this.#frame(now));
  }

  #frame(now) {
    for (const flight of this.#moving) if (!flight(now)) this.#moving.delete(flight);
    if (this.#moving.size) requestAnimationFrame((next) => this.#frame(next));
  }
}

const node = () =>
  svg(
    "g",
    {},
    svg("rect", { class: "ground", rx: 3 }),
    svg("g", { class: "cells" }),
    svg("text", { class: "name" }),
    svg("text", { class: "work" }),
    svg("title"),
  );

// One square for each slot, those at work first.
function drawCells(cells, peer, size) {
  const slots = Math.max(1, Math.min(cellsMax, peer.slots));
  const lit = peer.slots ? Math.round((slots * Math.min(peer.running, peer.slots)) / peer.slots) : 0;
  const key = `${slots} ${lit} ${size}`;
  if (cells.dataset.key === key) return;
  cells.dataset.key = key;
  const across = Math.ceil(Math.sqrt(slots)),
    down = Math.ceil(slots / across);
  const gap = size / across > 9 ? 2 : 1,
    cell = size / across;
  const top = -(down * cell) / 2;
  const square = (i) => {
    const x = -size / 2 + (i % across) * cell + gap / 2,
      y = top + Math.floor(i / across) * cell + gap / 2;
    return `M${x.toFixed(1)} ${y.toFixed(1)}h${(cell - gap).toFixed(1)}v${(cell - gap).toFixed(1)}h${(gap - cell).toFixed(1)}z`;
  };
  const all = Array.from({ length: slots }, (_, i) => square(i));
  cells.replaceChildren(
    svg("path", { class: "lit", d: all.slice(0, lit).join("") || "M0 0" }),
    svg("path", { class: "free", d: all.slice(lit).join("") || "M0 0" }),
  );
}

function describe(peers) {
  const direct = peers.filter((peer) => peer.via === "direct").length;
  const running = peers.reduce((sum, peer) => sum + (peer.running || 0), 0);
  return `The mesh: ${plural(peers.length, "node")}, ${direct} with a direct line to this one, ${plural(running, "slot")} at work. The table of peers says the same in words.`;
}
