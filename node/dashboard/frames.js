// text/event-stream, cut into frames: {id, event, data}. Source: the HTML standard, 9.2.6.
// Comments (": beat") make no frame. Pure: text in, frames out.

export const frameCharsMax = 1 << 26; // A snapshot of all jobs is the largest: a guess.

export class Frames {
  #rest = "";
  #frame = { event: "", data: [] };
  #id = "";

  // Throws RangeError where a line or a frame has no end.
  push(text) {
    this.#rest += text;
    const found = [];
    const lines = this.#rest.split(/\r\n|\n|\r(?!$)/); // A last CR may be half of a CRLF.
    this.#rest = lines.pop();
    if (this.#rest.length > frameCharsMax) throw new RangeError("the event stream has no line ends");
    for (const line of lines) this.#take(line, found);
    return found;
  }

  #take(line, found) {
    if (line === "") return this.#end(found);
    const colon = line.indexOf(":"); // At 0: a comment, which is a field without a name.
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "data") this.#frame.data.push(value);
    else if (name === "event") this.#frame.event = value;
    else if (name === "id" && !value.includes("\0")) this.#id = value;
  }

  #end(found) {
    const { event, data } = this.#frame;
    this.#frame = { event: "", data: [] };
    if (data.length) found.push({ id: this.#id, event: event || "message", data: data.join("\n") });
  }
}
