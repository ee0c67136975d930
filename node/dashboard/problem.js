// What the node refused, in its own three lines.
import { say } from "./dom.js";
import { shown } from "./text.js";

export function showProblem(box, error) {
  box.hidden = !error;
  if (!error) return;
  const lost = error instanceof TypeError; // fetch() says no more.
  const what = lost ? "the node does not answer" : (error.what ?? error.message);
  say(box.querySelector(".code"), shown(`${error.code ? `${error.code} ` : ""}${what}`));
  say(box.querySelector(".why"), shown(lost ? "the connection broke" : (error.why ?? "")));
  say(box.querySelector(".fix"), shown(lost ? "is it still running? tessera status" : (error.fix ?? "")));
}
