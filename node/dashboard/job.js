// One job: its state and figures, its picture, its mosaic, and who did what.
import { Aside, logLines, whyLines } from "./aside.js";
import { $, keyed, make, say, set } from "./dom.js";
import { MosaicView } from "./mosaic_view.js";
import { Picture } from "./picture.js";
import { savedBytesMax } from "./saving.js";
import { showProblem } from "./problem.js";
import { ended } from "./model.js";
import { renderShareBar, shareBar } from "./shares.js";
import {
  brief,
  bytes,
  clipped,
  count,
  duration,
  kernelName,
  percent,
  plural,
  shortJob,
  shortNode,
  shown,
} from "./text.js";

const wanted = ({ memory, arch }) =>
  [memory && `${bytes(memory)} for a worker`, arch && shown(arch)].filter(Boolean).join(", ");

// [name, value] of what is worth saying about it.
function facts(job, model) {
  const pace = model.pace(job.job);
  const named = (id) => clipped(model.name(id)) || shortNode(id);
  return [
    ["Microtasks", `${count(job.done)} of ${count(job.microtasks)}`],
    job.state === "running" && ["Pace", pace ? `${brief(pace)}/s` : "–"],
    ["Time", duration(job.elapsed_ms)],
    job.state === "running" && ["At work", plural(job.peers, "peer")],
    job.rerun > 0 && ["Run again", count(job.rerun)],
    job.round && [
      "Round",
      job.rounds ? `${count(job.round)} of at most ${count(job.rounds)}` : count(job.round),
    ],
    job.tasks !== null &&
      job.tasks !== undefined && ["Tasks", `${count(job.tasks)}, ${count(job.tasks_left)} wait`],
    ["Items", count(job.items)],
    ["Leaf", plural(job.leaf, "item")],
    job.priority && ["Priority", count(job.priority)],
    job.require && ["Requires", wanted(job.require)],
    job.fuel && ["Instructions", brief(job.fuel)],
    ["Root", named(job.root)],
    ["Submitted by", named(job.submitter)],
    job.result && ["Result", `${bytes(job.result.size)}, ${shown(job.result.type)}`],
  ].filter(Boolean);
}

const shareRow = () =>
  make(
    "tr",
    {},
    make(
      "th",
      { scope: "row" },
      make("span", { "aria-hidden": "true" }),
      make("bdi"),
      make("span", { class: "id" }),
    ),
    ...Array.from({ length: 4 }, () => make("td", { class: "number" })),
  );

export class JobView {
  #model;
  #mosaic = new MosaicView($("mosaic"));
  #picture;
  #bar = shareBar();
  #pictures = new Set(); // Kernels that make one.
  #asides;

  constructor(model, api) {
    this.#model = model;
    this.#picture = new Picture(api);
    this.#asides = [
      new Aside(api, $("job-why"), "/why", whyLines),
      new Aside(api, $("job-log"), "/log", logLines),
    ];
    $("job-progress").append(this.#bar);
  }

  kernels(list) {
    this.#pictures = new Set(
      list.filter(({ result }) => String(result).startsWith("image/")).map(({ name }) => name),
    );
  }
  repaint = () => this.#mosaic.repaint();
  laid = () => this.#picture.changed();
  leave() {
    this.#picture.show(null, false);
    for (const aside of this.#asides) aside.show(null);
  }

  render(job) {
    const model = this.#model;
    say($("job-title"), shortJob(job.job));
    set($("job-title"), "title", shown(job.job));
    say($("job-state"), shown(job.state));
    set($("job-state"), "class", `state ${shown(job.state)}`);
    say($("job-about"), kernelName(job.kernel));
    const here = job.root === model.status?.id;
    this.#picture.show(job, here && this.#pictures.has(kernelName(job.kernel)));
    for (const aside of this.#asides) aside.show(job);
    this.#progress(job);
    this.#shares(job);
    this.#buttons(job);
    const mosaic = model.mosaics.get(job.job);
    this.#mosaic.render(job, mosaic, model);
    say($("mosaic-note"), this.#missing(job, mosaic, here));
    showProblem($("job-error"), job.error);
    say($("job-command"), this.#command(job));
  }

  #progress(job) {
    const done = percent(job.done, job.microtasks),
      left = this.#model.msLeft(job);
    say($("job-percent"), `${done} %`);
    say(
      $("job-left"),
      Number.isFinite(left) ? `${duration(Math.max(1000, Math.ceil(left / 1000) * 1000))} left` : "",
    );
    set($("job-progress"), "aria-valuenow", done);
    renderShareBar(this.#bar, job, this.#model);
    const fact = ([name]) => make("div", {}, make("dt", {}, name), make("dd"));
    keyed(
      $("job-facts"),
      facts(job, this.#model),
      ([name]) => name,
      fact,
      (div, [, value]) => say(div.lastElementChild, value),
    );
  }

  #shares(job) {
    const shares = [...job.shares].sort((a, b) => b.microtasks - a.microtasks);
    const all = shares.reduce((sum, share) => sum + share.microtasks, 0);
    $("no-shares").hidden = shares.length > 0;
    keyed(
      $("shares"),
      shares,
      ({ node }) => node,
      shareRow,
      (tr, share) => {
        const [th, part, microtasks, steals, merges] = tr.children;
        set(th.children[0], "class", `tile c${this.#model.colour(share.node)}`);
        say(th.children[1], clipped(share.name || this.#model.name(share.node)) || "–");
        say(th.children[2], ` ${shortNode(share.node)}`);
        say(part, `${percent(share.microtasks, all)} %`);
        for (const [td, n] of [
          [microtasks, share.microtasks],
          [steals, share.steals],
          [merges, share.merges],
        ])
          say(td, count(n));
      },
    );
  }

  #buttons(job) {
    $("job-cancel").hidden = ended(job);
    $("job-save").hidden = job.state !== "done" || job.result.size > savedBytesMax;
  }

  #missing(job, mosaic, here) {
    if (!here) return "The node that roots this job sees its parts; here only the shares are known.";
    if (job.round && !ended(job))
      return `These are the tiles of round ${count(job.round)}; each round lays them anew.`;
    const unseen = job.done - (mosaic?.seen ?? 0);
    return unseen > job.microtasks / 100
      ? "Grey: laid before this page was opened, or merged by a peer from what several laid."
      : "";
  }

  #command(job) {
    const id = shortJob(job.job);
    if (job.state === "done")
      return `tessera result ${id} -o out${job.result.type === "image/png" ? ".png" : ".bin"}`;
    return ended(job) ? `tessera jobs` : `tessera wait ${id}`;
  }
}
