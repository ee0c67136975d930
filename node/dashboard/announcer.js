// Tells those who listen what changed: politely, and seldom.

const everyMs = 4000;
const atOnceMax = 3;

export class Announcer {
  #region;
  #waiting = [];
  #timer = 0;

  constructor(region) {
    this.#region = region;
  }

  tell(text) {
    this.#waiting.push(text);
    this.#timer ||= setTimeout(() => this.#speak(), 250);
  }

  #speak() {
    const more = this.#waiting.length - atOnceMax;
    const said = this.#waiting.slice(-atOnceMax);
    if (more > 0) said.unshift(`${more} more changes`);
    this.#waiting = [];
    if (said.length) this.#region.textContent = said.join(". ");
    this.#timer = said.length ? setTimeout(() => this.#speak(), everyMs) : 0;
  }
}
