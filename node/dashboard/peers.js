// The peers as a table: what the picture of the mesh shows, in words.
import { $, keyed, make, say, set } from "./dom.js";
import { bytes, clipped, shortNode, shown } from "./text.js";

const rtt = (ms) => (Number.isFinite(ms) ? (ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`) : "–");
const via = (peer) => (peer.self ? "this node" : shown(peer.via));

function row(peer, model) {
  const tile = make("span", { class: `tile c${model.colour(peer.id)}`, "aria-hidden": "true" });
  return make(
    "tr",
    {},
    make("th", { scope: "row" }, tile, make("bdi"), make("span", { class: "id" }, ` ${shortNode(peer.id)}`)),
    ...["state", "slots number", "rtt number", "via"].map((name) => make("td", { class: name })),
  );
}

function update(tr, peer) {
  const [th, state, slots, time, how] = tr.children;
  set(tr, "title", `${shown(peer.id)}, version ${shown(peer.version)}`);
  say(th.querySelector("bdi"), clipped(peer.name) || "–");
  say(state, shown(peer.state));
  set(state, "class", peer.state === "ok" ? "state" : "state warn");
  say(slots, `${peer.running} of ${peer.slots}`);
  say(time, rtt(peer.rtt_ms ?? NaN));
  say(how, via(peer));
}

export function renderPeers(model) {
  const peers = [...model.peers.values()];
  keyed(
    $("peers"),
    peers,
    (peer) => peer.id,
    (peer) => row(peer, model),
    update,
  );
  const load = model.load;
  say($("traffic"), load ? `${bytes(load.sent_bytes)} sent, ${bytes(load.received_bytes)} received` : "");
}
