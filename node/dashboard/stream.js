// The node's events, for as long as the page is open: reads, tells of each, and comes back after a
// break from where it was.
import { Frames } from "./frames.js";
import { Refused } from "./api.js";

const silenceMsMax = 25_000; // Two and a half beats of the server.
const backOffMs = [300, 1000, 2000, 4000, 8000, 15_000];

export const pauseBefore = (attempt, dice = Math.random) =>
  backOffMs[Math.min(attempt, backOffMs.length - 1)] * (0.75 + dice() / 2);

export class EventStream {
  #api;
  #topics;
  #listener;
  #lastId = "";
  #attempt = 0;
  #reading = null; // AbortController of the connection that is open.
  #retry = 0;
  #closed = false;

  // listener: event(kind, data), up(), down({again: ms} or {denied: Refused}).
  constructor(api, topics, listener) {
    this.#api = api;
    this.#topics = topics;
    this.#listener = listener;
  }

  open() {
    clearTimeout(this.#retry);
    if (this.#closed || this.#reading) return;
    this.#follow();
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#reading?.abort();
  }

  async #follow() {
    const reading = (this.#reading = new AbortController());
    let denied = null;
    try {
      await this.#read(reading);
    } catch (error) {
      if (error instanceof Refused && error.status === 401) denied = error;
    }
    reading.abort();
    this.#reading = null;
    if (this.#closed) return;
    if (denied) return this.#listener.down({ denied });
    const again = pauseBefore(this.#attempt++);
    this.#retry = setTimeout(() => this.open(), again);
    this.#listener.down({ again });
  }

  async #read(reading) {
    let beat = setTimeout(() => reading.abort(), silenceMsMax);
    try {
      const response = await this.#api.stream(
        `/v1/events?topics=${this.#topics}`,
        this.#lastId,
        reading.signal,
      );
      this.#listener.up();
      const frames = new Frames();
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { value, done } = await reader.read();
        clearTimeout(beat);
        if (done) return;
        beat = setTimeout(() => reading.abort(), silenceMsMax);
        for (const frame of frames.push(value)) this.#take(frame);
      }
    } finally {
      clearTimeout(beat);
    }
  }

  #take(frame) {
    this.#attempt = 0; // A line that brings something is a good one.
    if (frame.id) this.#lastId = frame.id;
    let data;
    try {
      data = JSON.parse(frame.data);
    } catch {
      return; // One that cannot be read takes no other along.
    }
    this.#listener.event(frame.event, data);
  }
}
