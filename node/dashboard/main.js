// The page: hands the node's events to the model, and the model to what is shown.
import { $, say, set } from "./dom.js";
import { Announcer } from "./announcer.js";
import { Api, jobPath } from "./api.js";
import { confirm } from "./confirm.js";
import { EventStream } from "./stream.js";
import { JobView } from "./job.js";
import { Keys } from "./keys.js";
import { MeshView } from "./mesh.js";
import { ended, Model } from "./model.js";
import { Plot } from "./plot.js";
import { renderGuests } from "./guests.js";
import { renderJobs } from "./jobs.js";
import { renderPeers } from "./peers.js";
import { renderTally } from "./tally.js";
import { saveResult } from "./saving.js";
import { SubmitForm } from "./submit.js";
import { clipped, duration, shortJob, shortNode } from "./text.js";
import { Theme } from "./theme.js";
import { forgetToken, takeToken } from "./token.js";

const topics = "jobs,peers,node,work";
const everyMs = 120; // At most so often is all drawn anew; what moves has its own pace.

const model = new Model();
const announcer = new Announcer($("announcer"));
const api = new Api(takeToken(location, history, sessionStorage));
const job = new JobView(model, api);
const mesh = new MeshView($("mesh"));
const plot = new Plot($("plot"), $("plot-top"), $("plot-note"));
const form = new SubmitForm(api, (submitted) => {
  model.apply("job", submitted, performance.now()); // Its event may come later than this answer.
  location.hash = `#/job/${submitted.job}`;
});
const keys = new Keys($("keys-on"));

// --- Which view

let shownView = "";
let waiting = false; // For the first snapshot.

const jobId = () => /^#\/job\/([0-9a-f]{1,64})$/.exec(location.hash)?.[1] ?? "";
// By a prefix too, as on the command line.
const shownJob = () =>
  model.jobs.get(jobId()) ??
  [...model.jobs.values()].find(({ job: id }) => jobId() && id.startsWith(jobId()));

function viewNow() {
  if (locked) return "locked";
  if (waiting) return "";
  if (!jobId()) return "overview";
  return shownJob() ? "job" : "job-missing";
}

function show(view) {
  if (view === shownView && view !== "job") return;
  const moved = shownView !== "" && (view !== shownView || view !== "job");
  for (const id of ["locked", "overview", "job", "job-missing"]) $(id).hidden = id !== view;
  if (shownView === "job" && view !== "job") job.leave();
  shownView = view;
  if (moved) focusHeading();
}

function focusHeading() {
  if (shownView) $(shownView).querySelector("h1").focus({ preventScroll: true });
  scrollTo(0, 0);
}

// --- Drawing

let drawn = 0,
  due = 0;

function soon() {
  due ||= setTimeout(() => requestAnimationFrame(draw), Math.max(0, drawn + everyMs - performance.now()));
}

function draw() {
  due = 0;
  drawn = performance.now();
  show(viewNow());
  frame();
  if (shownView === "job") job.render(shownJob());
  if (shownView !== "overview") return;
  renderTally(model);
  mesh.render(model);
  plot.render(model);
  renderJobs(model);
  renderGuests(model);
  renderPeers(model);
  $("alone").hidden = model.peers.size !== 1;
}

function frame() {
  const { status } = model;
  $("tools").hidden = !status || locked;
  if (!status) return;
  say($("node-name"), clipped(status.name, 32));
  const paused = status.pause ? `, ${pauseText(status.pause)}` : "";
  say(
    $("node-about"),
    `${shortNode(status.id)}, ${status.open ? "open" : "private"} mesh ${clipped(status.mesh, 8).replace("…", "")}${paused}`,
  );
  say($("pause"), status.pause ? "Resume" : "Pause");
  const running = [...model.jobs.values()].filter((each) => !ended(each)).length;
  document.title = `${running ? `(${running}) ` : ""}${clipped(status.name)} – Tessera`;
}

function pauseText({ until_ms: until }) {
  return until
    ? `paused until ${new Date(until).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}`
    : "paused";
}

// --- News

const told = {
  steal: (news) => mesh.steal(news),
  part: (news) => {
    mesh.part(news);
    if (shownView === "job" && news.job === shownJob()?.job) job.laid();
  },
  joined: ({ peer }) => announcer.tell(`${clipped(peer.name)} joined the mesh`),
  left: ({ peer }) => announcer.tell(`${clipped(peer.name)} left the mesh`),
  pause: ({ pause }) => announcer.tell(pause ? "This node is paused" : "This node takes work again"),
  job: ({ job: { job: id, state, elapsed_ms: ms } }) =>
    announcer.tell(`Job ${shortJob(id)} ${state}${state === "done" ? ` in ${duration(ms)}` : ""}`),
  snapshot: () => (waiting = false),
};

const stream = new EventStream(api, topics, {
  event(kind, data) {
    for (const news of model.apply(kind, data, performance.now())) told[news.kind]?.(news);
    soon();
  },
  up: () => connected(true),
  down: ({ again, denied }) => (denied ? lock() : connected(false, again)),
});

// --- The line to the node

let locked = false,
  isUp = true;

function connected(up, again = 0) {
  $("banner").hidden = up;
  if (up && !isUp) announcer.tell("Connected again");
  if (!up) {
    say(
      $("banner-text"),
      `The node does not answer. Next try in ${duration(Math.ceil(again / 1000) * 1000)}.`,
    );
    waiting &&= model.status === null;
    soon();
  }
  if (up && !isUp) loadKernels();
  isUp = up;
}

// The token is of no use: there is none, or the node has another since it was started again.
function lock() {
  locked = true;
  forgetToken(sessionStorage);
  stream.close();
  $("banner").hidden = true;
  document.title = "Tessera";
  soon();
}

async function loadKernels() {
  try {
    const { kernels } = await api.get("/v1/kernels");
    form.kernels(kernels);
    job.kernels(kernels);
    soon();
  } catch {
    // It is asked again when the line is up again.
  }
}

// --- What people do

function askCancel() {
  const subject = shownJob();
  if (!subject || ended(subject)) return;
  confirm(`Cancel job ${shortJob(subject.job)}?`, "What was computed so far is lost.", [
    { label: "Cancel the job", kind: "danger", act: () => api.post(jobPath(subject.job, "/cancel"), {}) },
  ]);
}

function askPause() {
  if (!model.status) return;
  const set = (path, body) => ({
    act: () =>
      api
        .post(path, body)
        .then(({ pause }) => model.apply("pause", { pause }, 0))
        .then(soon),
  });
  if (model.status.pause)
    return confirm("Resume this node?", "It takes work again.", [
      { label: "Resume", kind: "main", ...set("/v1/resume", {}) },
    ]);
  confirm(
    "Pause this node?",
    "It hands back what it runs and takes no work. It stays in the mesh, and what was submitted here goes on elsewhere.",
    [
      { label: "For an hour", ...set("/v1/pause", { seconds: 3600 }) },
      { label: "Until resumed", kind: "main", ...set("/v1/pause", {}) },
    ],
  );
}

async function save() {
  const button = $("job-save");
  button.disabled = true;
  await saveResult(api, shownJob()).catch(({ message, why = "" }) => confirm(message, why, []));
  button.disabled = false;
}

function step(by) {
  const links = [...$("jobs").querySelectorAll("a")];
  const at = links.indexOf(document.activeElement);
  if (shownView === "overview") links[Math.max(0, Math.min(links.length - 1, at + by))]?.focus();
}

const theme = new Theme($("theme"), () => {
  job.repaint();
  soon();
});

const openHelp = () => $("keys").showModal();
const openForm = () => !locked && model.status && form.open();
for (const [id, act] of [
  ["new-job", openForm],
  ["pause", askPause],
  ["help", openHelp],
  ["job-cancel", askCancel],
  ["job-save", save],
  ["banner-again", () => stream.open()],
])
  $(id).addEventListener("click", act);
for (const button of document.querySelectorAll("dialog .close"))
  button.addEventListener("click", () => button.closest("dialog").close());
for (const [key, act] of [
  ["n", openForm],
  ["p", askPause],
  ["t", () => theme.next()],
  ["c", askCancel],
  ["?", openHelp],
  ["j", () => step(1)],
  ["k", () => step(-1)],
])
  keys.on(key, act);
keys.on("Escape", () => shownView.startsWith("job") && (location.hash = "#/"));
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // The fragment names the view.
  $("main").focus();
});
addEventListener("hashchange", () => {
  if (location.hash.startsWith("#token=")) return location.reload(); // Brought to a page that is open.
  soon();
});
addEventListener("resize", soon);

job.repaint();
if (sessionStorage.getItem("tessera.token")) {
  waiting = true;
  stream.open();
  loadKernels();
} else {
  lock();
}
set(document.documentElement, "data-ready", true);
