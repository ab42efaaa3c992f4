// Small hands for the document. Data becomes text or attribute values here, never markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes and children; strings become text. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** One of the drawings in the page's sprite. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const use = document.createElementNS(SVG, "use");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#${name}`);
  svg.append(use);
  return svg;
}

export function setIcon(svg, name) {
  const use = svg.firstChild;
  if (use.getAttribute("href") !== `#${name}`) use.setAttribute("href", `#${name}`);
}

/** Text, only touched when it differs. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function setData(element, name, value) {
  if (element.dataset[name] !== String(value)) element.dataset[name] = value;
}

export function setAttribute(element, name, value) {
  if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

export function show(element, visible) {
  if (element.hidden === visible) element.hidden = !visible;
}

/** Make the children of a list exactly these elements, in this order, moving as few as possible. */
export function arrange(list, elements) {
  const wanted = new Set(elements);
  for (const child of [...list.children]) if (!wanted.has(child)) child.remove();
  let place = list.firstElementChild;
  for (const element of elements) {
    if (element === place) place = place.nextElementSibling;
    else list.insertBefore(element, place);
  }
}

/** A bar of named parts: widths are shares of the whole, in [0, 1]. */
export class Bar {
  constructor(element, parts) {
    this.element = element;
    this.parts = Object.fromEntries(parts.map((part) => [part, h("i", { class: part })]));
    element.append(...Object.values(this.parts));
  }

  /** Set where each part begins and how wide it is. */
  set(part, from, width) {
    const style = this.parts[part].style;
    const left = `${(100 * clamp(from)).toFixed(2)}%`;
    const wide = `${(100 * clamp(Math.min(width, 1 - clamp(from)))).toFixed(2)}%`;
    if (style.left !== left) style.left = left;
    if (style.width !== wide) style.width = wide;
  }
}

function clamp(share) {
  return Number.isFinite(share) ? Math.max(0, Math.min(1, share)) : 0;
}
