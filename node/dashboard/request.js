// What a person filled in, as POST /v1/jobs wants it, and as the command line would say it. Pure.

// fields: {params: {name: text}, items, leaf, priority, memory, arch}; blobs: {input, module,
// module_params}, as hashes.
export function jobRequest(kernel, { params, items, leaf, priority, memory, arch }, blobs) {
  const said = (value) => value !== undefined && value !== "";
  const request = { kernel: kernel.name, params: changed(kernel, params) };
  if (said(items)) request.items = items;
  if (said(leaf)) request.leaf = leaf;
  if (said(priority) && priority !== "0") request.priority = wholeNumber(priority);
  const require = {};
  if (said(memory)) require.memory = bytesOf(memory);
  if (said(arch)) require.arch = arch;
  if (said(memory) || said(arch)) request.require = require;
  for (const [name, hash] of Object.entries(blobs)) if (hash) request[name] = hash;
  return request;
}

// What is none goes as it is: the node says what is wrong with it.
const wholeNumber = (text) => (/^[+-]?\d+$/.test(text) ? Number(text) : text);

// "64M", "2 GiB", as the command line reads them; bytes without a unit.
export function bytesOf(text) {
  const [, number, unit] = /^(\d+)\s*(?:([KMGT])(?:i?B)?|B)?$/i.exec(text) ?? [];
  if (number === undefined) return text;
  const bytes = Number(number) * 1024 ** (" KMGT".indexOf((unit ?? " ").toUpperCase()));
  return Number.isSafeInteger(bytes) ? bytes : text;
}

// Those that differ from their defaults.
function changed(kernel, params) {
  const defaults = new Map(kernel.params.map((param) => [param.name, String(param.default)]));
  return Object.fromEntries(
    Object.entries(params).filter(([name, value]) => value !== "" && value !== defaults.get(name)),
  );
}

const quoted = (word) => (/^[\w.,:=/@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

// files: {input, module, module_params}, as names.
export function commandLine(kernel, { params, items, leaf, priority, memory, arch }, files) {
  const words = ["tessera"];
  const module = kernel.name === "wasm";
  words.push(...(module ? ["run", files.module || "FILE.wasm"] : ["submit", kernel.name]));
  for (const [name, value] of Object.entries(changed(kernel, params)))
    words.push(...(module ? flag(name, value) : ["-p", `${name}=${value}`]));
  if (items) words.push("--items", items);
  if (leaf) words.push("--leaf", leaf);
  if (priority && priority !== "0") words.push("--priority", priority);
  if (memory) words.push("--require", `memory=${memory.replaceAll(" ", "")}`);
  if (arch) words.push("--require", `arch=${arch}`);
  if (module && files.module_params) words.push("--params", files.module_params);
  if (files.input || kernel.wants_input) words.push("--input", files.input || "FILE");
  return words.map(quoted).join(" ");
}

const flagNames = { output: "output-limit", time: "time-limit", compile_time: "compile-limit" };
const flag = (name, value) => (name === "name" ? [] : [`--${flagNames[name] ?? name}`, value]);
