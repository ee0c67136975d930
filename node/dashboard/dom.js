// The few things that views need of the document. Text is put as text, never as markup.

const svgSpace = "http://www.w3.org/2000/svg";

export const $ = (id) => document.getElementById(id);

// make("button", {type: "button", onclick: f, class: "quiet"}, "text", node...): functions are
// listeners, the rest attributes; null and false leave one out.
export const make = (name, attributes, ...children) =>
  fill(document.createElement(name), attributes, children);
export const svg = (name, attributes, ...children) =>
  fill(document.createElementNS(svgSpace, name), attributes, children);

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) set(element, name, value);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export function set(element, name, value) {
  if (typeof value === "function") element.addEventListener(name.replace(/^on/, ""), value);
  else if (value === null || value === undefined || value === false) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value))
    element.setAttribute(name, value === true ? "" : value);
}

export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// Children of `parent`, one for each item, in this order; those that stay keep focus and state.
export function keyed(parent, items, keyOf, create, update) {
  const had = (parent.kept ??= new Map());
  const kept = (parent.kept = new Map());
  let at = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    const child = had.get(key) ?? create(item);
    had.delete(key);
    kept.set(key, child);
    if (child === at) at = at.nextElementSibling;
    else parent.insertBefore(child, at);
    update?.(child, item);
  }
  for (const child of had.values()) child.remove();
}

// What a style sheet's variable is in this theme, for where no style sheet reaches.
const probe = make("span", { hidden: true });
export function colourOf(variable) {
  if (!probe.isConnected) document.body.append(probe);
  probe.style.color = `var(${variable})`;
  return getComputedStyle(probe).color;
}

export const calm = matchMedia("(prefers-reduced-motion: reduce)");
