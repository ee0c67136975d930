// The picture of a job, asked for again as it grows: one request at a time, not too often.
import { $, say, set } from "./dom.js";
import { jobPath } from "./api.js";
import { ended } from "./model.js";
import { percent, shortJob } from "./text.js";

const everyMs = 600;
const widths = [256, 512, 1024];

export class Picture {
  #api;
  #job = null;
  #url = "";
  #wanted = false;
  #busy = false;
  #timer = 0;
  #none = false; // This job makes no picture.

  constructor(api) {
    this.#api = api;
  }

  show(job, mayBe) {
    const another = job?.job !== this.#job?.job;
    const over = job && this.#job && ended(job) && !ended(this.#job);
    this.#job = job;
    if (another) this.#begin(mayBe);
    if (job && (another || over)) this.changed();
    if (job && !this.#none) this.#describe();
  }

  // More of it is merged.
  changed() {
    this.#wanted = true;
    if (!this.#timer && !this.#busy && !this.#none)
      this.#timer = setTimeout(() => this.#ask(), this.#url ? everyMs : 0);
  }

  #begin(mayBe) {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#none = !mayBe;
    this.#replace(null);
    $("job-picture").hidden = this.#none;
  }

  async #ask() {
    const job = this.#job;
    [this.#timer, this.#wanted, this.#busy] = [0, false, true];
    try {
      const blob = await this.#api.blob(jobPath(job.job, `/preview?width=${this.#width()}`));
      if (job.job === this.#job?.job) this.#replace(blob);
    } catch (error) {
      if (job.job === this.#job?.job && (error.status === 404 || error.status === 409)) this.#hide();
    }
    this.#busy = false;
    if (this.#wanted && this.#job) this.changed();
  }

  #width() {
    const wide = $("job-picture").clientWidth * (devicePixelRatio || 1);
    return widths.find((width) => width >= wide) ?? widths.at(-1);
  }

  #hide() {
    this.#none = true;
    $("job-picture").hidden = true;
  }

  #replace(blob) {
    const image = $("job-image"),
      before = this.#url;
    this.#url = blob ? URL.createObjectURL(blob) : "";
    image.hidden = !blob;
    if (blob) image.src = this.#url;
    else image.removeAttribute("src");
    if (before) URL.revokeObjectURL(before);
  }

  #describe() {
    const { job, state, done, microtasks } = this.#job;
    const part = state === "done" ? "whole" : `${percent(done, microtasks)} % of its tiles`;
    set($("job-image"), "alt", `Picture of job ${shortJob(job)}, ${part}`);
    say(
      $("job-picture-note"),
      state === "done"
        ? "The whole picture, made smaller to fit."
        : "As far as it is merged here; what is missing is still to come.",
    );
  }
}
