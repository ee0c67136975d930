// A job's progress as a line of tiles in the colours of those who laid them.
import { keyed, set, svg } from "./dom.js";
import { segments } from "./segments.js";

export const shareBar = () =>
  svg("svg", { class: "bar", viewBox: "0 0 1000 10", preserveAspectRatio: "none", "aria-hidden": "true" });

export function renderShareBar(bar, job, model) {
  const rect = () => svg("rect", { y: 0, height: 10 });
  keyed(
    bar,
    segments(job),
    ({ node }) => node,
    rect,
    (element, { node, from, to }) => {
      set(element, "class", node ? `c${model.colour(node)}` : "laid");
      set(element, "x", (1000 * from).toFixed(1));
      set(element, "width", Math.max(0, 1000 * (to - from)).toFixed(1));
    },
  );
}
