// How things are said: numbers, times and names, the same as on the command line.

const whole = new Intl.NumberFormat("en");

export const count = (n) => (Number.isFinite(n) ? whole.format(Math.round(n)) : "–");

const tenth = (n) => n.toFixed(1).replace(/\.0$/, "");

// "430", "12.4k", "2.1M": for what is read at a glance.
export function brief(n) {
  if (!Number.isFinite(n)) return "–";
  if (n < 10) return tenth(n);
  const units = ["", "k", "M", "G", "T"];
  let unit = 0;
  for (; n >= (unit ? 999.5 : 9999.5) && unit < 4; ++unit) n /= 1000;
  return n >= 100 || unit === 0 ? whole.format(Math.round(n)) + units[unit] : tenth(n) + units[unit];
}

export function bytes(n) {
  if (!Number.isFinite(n)) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  for (; n >= 1024 && unit < 4; ++unit) n /= 1024;
  return `${tenth(n)} ${units[unit]}`;
}

export function duration(ms) {
  if (!Number.isFinite(ms) || ms < 0) return "–";
  if (ms < 60_000) return `${tenth(ms / 1000)} s`;
  const s = Math.floor(ms / 1000);
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  const h = Math.floor(s / 3600);
  return h < 48 ? `${h} h ${Math.floor(s / 60) % 60} min` : `${Math.floor(h / 24)} d ${h % 24} h`;
}

export const percent = (part, all) => (all > 0 ? Math.floor((100 * part) / all) : 0);

export const shortJob = (id) => shown(id).slice(0, 6);
export const shortNode = (id) => shown(id).split("-")[0];

// Control characters, and those that turn a line's direction, from other people's names.
const unseemly = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;
export const shown = (text) => String(text ?? "").replace(unseemly, "?");
export function clipped(text, most = 24) {
  const letters = [...shown(text)];
  return letters.length > most ? letters.slice(0, most - 1).join("") + "…" : letters.join("");
}

export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

export const kernelName = (kernel) => shown(kernel).split("@")[0];
