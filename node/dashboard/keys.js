// One key, one act; none while somebody types, and none where they were switched off.

const key = "tessera.keys";

export class Keys {
  #acts = new Map();
  #box;

  // `box`: the checkbox that switches them off.
  constructor(box) {
    this.#box = box;
    box.checked = localStorage.getItem(key) !== "off";
    box.addEventListener("change", () => localStorage.setItem(key, box.checked ? "on" : "off"));
    document.addEventListener("keydown", (event) => this.#pressed(event));
  }

  on(letter, act) {
    this.#acts.set(letter, act);
  }

  #pressed(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, select, textarea") || document.querySelector("dialog[open]")) return;
    const escape = event.key === "Escape";
    const act = this.#acts.get(event.key);
    if (!act || !(escape || this.#box.checked)) return;
    event.preventDefault();
    act();
  }
}
