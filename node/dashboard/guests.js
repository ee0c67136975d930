// What this node works on for others.
import { $, keyed, make, say, set } from "./dom.js";
import { clipped, kernelName, shortJob, shortNode, shown } from "./text.js";

const row = () =>
  make(
    "tr",
    {},
    make("th", { scope: "row", class: "id" }),
    make("td", { class: "named" }),
    make("td", {}, make("span", { "aria-hidden": "true" }), make("bdi")),
  );

// Of a round its job, and each once.
function guestsOf(model) {
  const found = new Map();
  for (const work of model.status?.working ?? []) if (!work.rooted) found.set(work.parent ?? work.job, work);
  return [...found];
}

export function renderGuests(model) {
  const guests = guestsOf(model);
  $("guests-panel").hidden = guests.length === 0;
  keyed(
    $("guests"),
    guests,
    ([id]) => id,
    row,
    (tr, [id, work]) => {
      const [job, kernel, submitter] = tr.children;
      say(job, shortJob(id));
      set(job, "title", shown(id));
      say(
        kernel,
        work.name ? `${clipped(work.name)} ${shown(work.module).slice(0, 6)}` : kernelName(work.kernel),
      );
      set(submitter.firstElementChild, "class", `tile c${model.colour(work.submitter)}`);
      say(submitter.lastElementChild, clipped(work.submitter_name) || shortNode(work.submitter));
    },
  );
}
