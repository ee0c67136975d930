// The mesh in four numbers.
import { $, say } from "./dom.js";
import { brief, count } from "./text.js";
import { ended } from "./model.js";

export function renderTally(model) {
  const peers = [...model.peers.values()];
  const sum = (of) => peers.reduce((total, peer) => total + (of(peer) || 0), 0);
  const jobs = [...model.jobs.values()];
  say($("tally-peers"), count(peers.length));
  say($("tally-slots"), `${count(sum((peer) => peer.running))} / ${count(sum((peer) => peer.slots))}`);
  say($("tally-jobs"), count(jobs.filter((job) => !ended(job)).length));
  say($("tally-rate"), model.load ? `${brief(model.load.rate)}/s` : "–");
}
