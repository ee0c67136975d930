// Microtasks a second over the last two minutes, a column for each second.
import { say, set, svg } from "./dom.js";
import { brief, count } from "./text.js";
import { secondsKept } from "./model.js";

const width = 600,
  height = 120,
  foot = 1;

// 1, 2 or 5 times a power of ten, not below n.
export function niceAbove(n) {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, n)));
  return [1, 2, 5, 10].map((k) => k * power).find((top) => top >= n);
}

// The columns as one path: the newest at the right.
export function columnsPath(loads, top) {
  const step = width / secondsKept;
  return loads
    .map(({ rate }, i) => {
      const x = width - (loads.length - i) * step;
      const y = (rate > 0 ? Math.max(2, (height - foot) * (rate / top)) : 0).toFixed(1);
      return y > 0 ? `M${x.toFixed(2)} ${height - foot}v-${y}h${(step - 1).toFixed(2)}v${y}z` : "";
    })
    .join("");
}

export class Plot {
  #path = svg("path", { class: "columns" });
  #line = svg("path", { class: "axis", d: `M0 ${height - 0.5}H${width}` });
  #figure;
  #top;
  #note;

  constructor(figure, top, note) {
    this.#figure = figure;
    this.#top = top;
    this.#note = note;
    set(figure, "viewBox", `0 0 ${width} ${height}`);
    figure.append(
      svg("path", { class: "grid", d: `M0 .5H${width}M0 ${height / 2}H${width}` }),
      this.#path,
      this.#line,
    );
  }

  render({ loads, load }) {
    const peak = Math.max(0, ...loads.map(({ rate }) => rate));
    const top = niceAbove(peak);
    set(this.#path, "d", columnsPath(loads, top));
    say(this.#top, peak > 0 ? `${brief(top)}/s` : "");
    say(this.#note, load ? `${count(load.microtasks)} microtasks here since the start` : "");
    set(
      this.#figure,
      "aria-label",
      `Microtasks a second on this node: now ${brief(load?.rate ?? 0)}, at most ${brief(peak)} in the last two minutes`,
    );
  }
}
