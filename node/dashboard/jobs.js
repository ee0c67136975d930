// The list of jobs.
import { $, keyed, make, say, set } from "./dom.js";
import { brief, clipped, count, duration, kernelName, percent, shortJob, shown } from "./text.js";
import { renderShareBar, shareBar } from "./shares.js";

const rowsMax = 100; // What a person reads; the rest is counted.

function row(job) {
  const link = make("a", { href: `#/job/${job.job}`, class: "id" }, shortJob(job.job));
  return make(
    "tr",
    { "data-job": job.job },
    make("th", { scope: "row" }, link),
    make("td", { class: "kernel" }),
    make("td", { class: "state" }),
    make("td", { class: "progress" }, shareBar(), make("span", { class: "number" })),
    make("td", { class: "number wide" }),
    make("td", { class: "number wide" }),
    make("td", { class: "number" }),
  );
}

const roundOf = (job) => (job.round ? `round ${count(job.round)}` : "");

function progress(job) {
  const round = roundOf(job);
  return `${percent(job.done, job.microtasks)} %${round ? `, ${round}` : ""}`;
}

function update(tr, job, model) {
  const [, kernel, state, bar, tasks, pace, time] = tr.children;
  say(kernel, clipped(kernelName(job.kernel)));
  say(state, shown(job.state));
  set(state, "class", `state ${shown(job.state)}`);
  renderShareBar(bar.firstElementChild, job, model);
  say(bar.lastElementChild, progress(job));
  say(tasks, count(job.microtasks));
  const now = model.pace(job.job);
  say(pace, job.state === "running" && now ? `${brief(now)}/s` : "–");
  say(time, duration(job.elapsed_ms));
}

export function renderJobs(model) {
  const jobs = [...model.jobs.values()];
  $("no-jobs").hidden = jobs.length > 0;
  $("jobs-table").hidden = jobs.length === 0;
  keyed(
    $("jobs"),
    jobs.slice(0, rowsMax),
    (job) => job.job,
    row,
    (tr, job) => update(tr, job, model),
  );
  say(
    $("more-jobs"),
    jobs.length > rowsMax ? `and ${count(jobs.length - rowsMax)} older ones: tessera jobs` : "",
  );
}
