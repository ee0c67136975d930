// The form that submits a job, made of what the node says its kernels take.
import { $, make, say, set } from "./dom.js";
import { blobBytesMax, blobId } from "./blob.js";
import { bytes, shown } from "./text.js";
import { showProblem } from "./problem.js";
import { commandLine, jobRequest } from "./request.js";

const breathe = () => new Promise((go) => setTimeout(go));

export class SubmitForm {
  #api;
  #submitted;
  #kernels = [];
  #key = ""; // Of this submission, so that a second try makes no second job.

  // submitted(job) is told of each that was taken.
  constructor(api, submitted) {
    this.#api = api;
    this.#submitted = submitted;
    $("submit-kernel").addEventListener("change", () => this.#fields());
    $("submit-form").addEventListener("input", () => this.#changed());
    $("submit-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
  }

  kernels(list) {
    this.#kernels = list;
    $("submit-kernel").replaceChildren(
      ...list.map(({ name }) => make("option", { value: name }, shown(name))),
    );
    const first = list.find(({ name }) => name === "mandelbrot");
    if (first) $("submit-kernel").value = first.name;
    this.#fields();
  }

  open() {
    showProblem($("submit-error"), null);
    $("submit").showModal();
    $("submit-kernel").focus();
  }

  #kernel = () => this.#kernels.find(({ name }) => name === $("submit-kernel").value);

  #fields() {
    const kernel = this.#kernel();
    if (!kernel) return;
    say($("submit-help"), shown(kernel.help));
    const module = kernel.name === "wasm";
    const files = [
      module && file("module", "Module", "A WebAssembly file; see tessera new task"),
      module && file("module_params", "Its parameters", "A file, or none"),
      (module || kernel.wants_input) &&
        file("input", "Input", kernel.wants_input ? "A file to work on" : "A file, or none"),
    ];
    const counts = [
      (module || kernel.wants_items) &&
        field(
          "items",
          "Items",
          make("input", {
            type: "text",
            inputmode: "numeric",
            name: "items",
            value: module ? "" : "1000000",
          }),
          "How many",
        ),
      field(
        "leaf",
        "Leaf",
        make("input", { type: "text", name: "leaf", placeholder: "the kernel’s own" }),
        "Items of one microtask, or auto",
      ),
    ];
    const wishes = [
      wish("priority", "Priority", "-10 to 10; the highest is served first", {
        inputmode: "numeric",
        value: "0",
      }),
      wish("memory", "Memory required", "Of one worker, for example 512M; nodes with less run none of it", {
        placeholder: "any",
      }),
      field("arch", "Processor required", architectures(), "Other nodes run none of it"),
    ];
    const params = kernel.params.filter(({ name }) => !(module && name === "name")).map(parameter);
    $("submit-fields").replaceChildren(...[...files, ...params, ...counts, ...wishes].filter(Boolean));
    this.#changed();
  }

  #changed() {
    this.#key = crypto.randomUUID();
    showProblem($("submit-error"), null);
    const names = Object.fromEntries(
      Object.entries(this.#files()).map(([name, given]) => [name, given?.name]),
    );
    if (this.#kernel()) say($("submit-command"), commandLine(this.#kernel(), this.#values(), names));
  }

  #values() {
    const values = { params: {} };
    for (const control of $("submit-fields").querySelectorAll("input:not([type=file]), select")) {
      const param = control.dataset.param;
      if (param) values.params[param] = control.value.trim();
      else values[control.name] = control.value.trim();
    }
    return values;
  }

  #files() {
    const controls = [...$("submit-fields").querySelectorAll("input[type=file]")];
    return Object.fromEntries(controls.map((control) => [control.name, control.files[0]]));
  }

  async #submit() {
    const go = $("submit-go");
    go.disabled = true;
    showProblem($("submit-error"), null);
    try {
      const blobs = {};
      for (const [name, given] of Object.entries(this.#files()))
        if (given) blobs[name] = await this.#put(given);
      const values = this.#values();
      const module = this.#files().module;
      if (module) values.params.name = module.name;
      say(go, "Submitting");
      const job = await this.#api.post("/v1/jobs", jobRequest(this.#kernel(), values, blobs), {
        "Idempotency-Key": this.#key,
      });
      this.#key = crypto.randomUUID();
      $("submit").close();
      this.#submitted(job);
    } catch (error) {
      showProblem($("submit-error"), error);
    }
    say(go, "Submit");
    go.disabled = false;
  }

  async #put(given) {
    if (given.size > blobBytesMax)
      throw Object.assign(new Error(`${given.name} is too large for this page`), {
        why: `it takes files of up to ${bytes(blobBytesMax)}`,
        fix: "submit it on the command line",
      });
    say($("submit-go"), "Sending the file");
    const content = new Uint8Array(await given.arrayBuffer());
    const id = await blobId(content, breathe);
    await this.#api.put(`/v1/blobs/${id}`, content);
    return id;
  }
}

function field(name, label, control, help) {
  const note = help ? make("small", { id: `help-${name}` }, shown(help)) : null;
  set(control, "aria-describedby", note && note.id);
  return make("label", { class: "field" }, make("span", {}, shown(label)), control, note);
}

// What the node may do with it, as text that may be left as it is.
const wish = (name, label, help, attributes) =>
  field(
    name,
    label,
    make("input", { type: "text", name, spellcheck: "false", autocomplete: "off", ...attributes }),
    help,
  );

const architectures = () =>
  make(
    "select",
    { name: "arch" },
    ...["", "x86_64", "aarch64", "riscv64"].map((arch) => make("option", { value: arch }, arch || "any")),
  );

const file = (name, label, help) => field(name, label, make("input", { type: "file", name }), help);

function parameter(param) {
  const range = param.min !== undefined && param.min !== null ? `, ${param.min} to ${param.max}` : "";
  return field(
    `param-${param.name}`,
    param.name,
    control(param),
    `${param.help}${param.choices.length ? "" : range}`,
  );
}

function control(param) {
  const own = { "data-param": param.name };
  if (param.choices.length) {
    const options = param.choices.map((choice) =>
      make("option", { value: choice, selected: choice === param.default }, shown(choice)),
    );
    return make("select", own, ...options);
  }
  const numeric = param.type !== "text";
  return make("input", {
    ...own,
    type: "text",
    inputmode: numeric ? "decimal" : null,
    value: String(param.default),
    spellcheck: "false",
    autocomplete: "off",
  });
}
