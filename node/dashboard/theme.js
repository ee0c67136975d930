// Light or dark: as the system says, or as was chosen here.

const key = "tessera.theme";
const choices = ["auto", "dark", "light"];

export class Theme {
  #button;
  #choice;
  #changed;

  constructor(button, changed) {
    this.#button = button;
    this.#changed = changed;
    this.#choice = choices.find((choice) => choice === localStorage.getItem(key)) ?? "auto";
    button.addEventListener("click", () => this.next());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
    this.#show();
  }

  next() {
    this.#choice = choices[(choices.indexOf(this.#choice) + 1) % choices.length];
    localStorage.setItem(key, this.#choice);
    this.#show();
    this.#changed();
  }

  #show() {
    document.documentElement.dataset.theme = this.#choice;
    this.#button.dataset.choice = this.#choice;
    this.#button.setAttribute("aria-label", `Theme: ${this.#choice}`);
    this.#button.title = `Theme: ${this.#choice} (t)`;
  }
}
