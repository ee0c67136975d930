// What is asked of the node only while somebody looks: why a job is not done, and its log.
import { jobPath } from "./api.js";
import { make, say } from "./dom.js";
import { count, duration, shown } from "./text.js";
import { ended } from "./model.js";
import { showProblem } from "./problem.js";

const everyMs = 2000;
const entriesMax = 200; // Of a log: the newest.

// The lines of {why, fix, queued, running, leased, eta_ms}.
export function whyLines({ why = [], fix, queued, running, leased, eta_ms: eta }) {
  const lines = why.map(shown);
  if (Number.isFinite(queued))
    lines.push(
      `${count(queued)} microtasks queued, ${count(running)} running here, ${count(leased)} with peers`,
    );
  if (Number.isFinite(eta)) lines.push(`done in about ${duration(eta)}`);
  if (fix) lines.push(shown(fix));
  return lines;
}

const time = (ms) => new Date(ms).toLocaleTimeString([], { hour12: false });
export const logLines = ({ entries = [] }) =>
  entries.slice(-entriesMax).map(({ at_ms: at, text }) => `${time(at)}  ${shown(text)}`);

export class Aside {
  #api;
  #details;
  #what;
  #linesOf;
  #job = null;
  #timer = 0;

  // details: its summary, a problem, a list. what: "/why".
  constructor(api, details, what, linesOf) {
    this.#api = api;
    this.#details = details;
    this.#what = what;
    this.#linesOf = linesOf;
    details.addEventListener("toggle", () => this.#ask());
  }

  show(job) {
    const another = job?.job !== this.#job?.job;
    this.#job = job;
    if (!another) return;
    this.#details.open = false;
    this.#fill([]);
  }

  async #ask() {
    clearTimeout(this.#timer);
    const job = this.#job;
    if (!job || !this.#details.open) return;
    try {
      const answer = await this.#api.get(jobPath(job.job, this.#what));
      if (job.job !== this.#job?.job) return;
      showProblem(this.#details.querySelector(".problem"), null);
      this.#fill(this.#linesOf(answer));
    } catch (error) {
      return showProblem(this.#details.querySelector(".problem"), error);
    }
    if (!ended(this.#job)) this.#timer = setTimeout(() => this.#ask(), everyMs);
  }

  #fill(lines) {
    const list = this.#details.querySelector("ul");
    while (list.children.length > lines.length) list.lastChild.remove();
    while (list.children.length < lines.length) list.append(make("li"));
    lines.forEach((line, i) => say(list.children[i], line));
  }
}
