// A job's mosaic on a canvas: at the bottom its leaves, each in the colour of who laid it; above
// them the merged blocks, in the mixture of what they hold; the result is the single block at the top.
import { colourOf, set } from "./dom.js";
import { coloursCount } from "./model.js";
import { percent } from "./text.js";

const leafPart = 0.4; // Of the height.

const mix = (colours) => {
  const sum = colours.reduce((all, colour) => all.map((v, i) => v + colour[i]), [0, 0, 0]);
  return `rgb(${sum.map((v) => Math.round(v / colours.length)).join(" ")})`;
};

export class MosaicView {
  #canvas;
  #palette = [];
  #ground = "";
  #unknown = [];

  constructor(canvas) {
    this.#canvas = canvas;
    this.repaint();
  }

  repaint() {
    const rgb = (variable) =>
      colourOf(variable)
        .match(/[\d.]+/g)
        .slice(0, 3)
        .map(Number);
    this.#palette = Array.from({ length: coloursCount }, (_, i) => rgb(`--c${i}`));
    this.#unknown = rgb("--laid");
    this.#ground = colourOf("--bed");
  }

  // `mosaic` may be missing: then nothing was seen yet.
  render(job, mosaic, model) {
    const context = this.#sized();
    const { width, height } = this.#canvas;
    context.fillStyle = this.#ground;
    context.clearRect(0, 0, width, height);
    const rows = mosaic?.rows ?? 1;
    const leafHeight = rows > 1 ? height * leafPart : height;
    const rowHeight = rows > 1 ? (height - leafHeight) / (rows - 1) : 0;
    for (let row = 0; row < rows; ++row) {
      const tall = row ? rowHeight : leafHeight;
      const top = height - leafHeight - row * rowHeight;
      context.fillRect(0, top, width, tall - 1);
    }
    if (mosaic) this.#tiles(context, job, mosaic, model, { leafHeight, rowHeight });
    this.#describe(job, model);
  }

  #sized() {
    const scale = Math.min(2, devicePixelRatio || 1);
    const { width, height } = this.#canvas.getBoundingClientRect();
    const [w, h] = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
    if (this.#canvas.width !== w) this.#canvas.width = w;
    if (this.#canvas.height !== h) this.#canvas.height = h;
    return this.#canvas.getContext("2d");
  }

  #tiles(context, job, mosaic, model, { leafHeight, rowHeight }) {
    const { width, height } = this.#canvas;
    const step = width / mosaic.columns,
      gap = step > 5 ? 1.5 : step > 2.5 ? 0.75 : 0;
    const over = job.state === "done";
    const colour = (c) => {
      const owner = mosaic.owners[c];
      return owner ? this.#palette[model.colour(owner)] : this.#unknown;
    };
    for (let c = 0; c < mosaic.columns; ++c) {
      const part = over ? 1 : mosaic.fraction(c);
      if (part <= 0) continue;
      context.fillStyle = mix([colour(c)]);
      const tall = (leafHeight - 1) * Math.min(1, part);
      context.fillRect(c * step, height - tall - 1, step - gap, tall);
    }
    for (let row = 1; row < mosaic.rows; ++row)
      for (const { from, to } of over ? mosaic.all(row) : mosaic.blocks(row)) {
        const stride = Math.max(1, Math.floor((to - from) / 64)); // A mixture needs no more samples.
        const sample = [];
        for (let c = from; c < to; c += stride) sample.push(colour(c));
        context.fillStyle = mix(sample);
        context.fillRect(
          from * step,
          height - leafHeight - row * rowHeight,
          (to - from) * step - Math.max(gap, 0.5),
          rowHeight - 1,
        );
      }
  }

  #describe(job, model) {
    const all = job.round ? job.shares.reduce((sum, share) => sum + share.microtasks, 0) : job.microtasks;
    const shares = job.shares
      .filter((share) => share.microtasks > 0)
      .sort((a, b) => b.microtasks - a.microtasks)
      .slice(0, 6)
      .map(
        (share) =>
          `${share.name || model.name(share.node) || "a peer"} ${percent(share.microtasks, all)} %`,
      );
    const tiles = job.round ? `the tiles of round ${job.round}` : "the tiles";
    const by = shares.length ? `${job.round ? "; of all rounds" : ""}: ${shares.join(", ")}` : "";
    const label = `${percent(job.done, job.microtasks)} % of ${tiles} are laid${by}`;
    set(this.#canvas, "aria-label", label);
  }
}
