/** Elements made of text only: nothing here reads markup, so nothing that comes in can be any. */

export type Child = Node | string | null;

export interface Attributes {
  readonly [name: string]: string | number | undefined;
}

/** `class` and other attributes by their names; a `style` is refused by the page's own policy. */
export function h(
  tag: string,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElement {
  const element = document.createElement(tag);
  fill(element, attributes, children);
  return element;
}

export function svg(
  tag: string,
  attributes: Attributes = {},
  ...children: readonly Child[]
): SVGElement {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  fill(element, attributes, children);
  return element;
}

function fill(element: Element, attributes: Attributes, children: readonly Child[]): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined) element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child) => child !== null));
}

export function byId(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the page has no element ${id}`);
  return element;
}

/** Sets the text where it differs, so that a selection of what stays is kept. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

export function setClass(element: Element, name: string): void {
  if (element.className !== name) element.className = name;
}

const shown = new WeakMap<Element, string>();

/** Draws the children anew where what they are drawn from has changed. */
export function redraw(id: string, from: unknown, draw: () => readonly Child[]): void {
  const element = byId(id);
  const key = JSON.stringify(from);
  if (shown.get(element) === key) return;
  shown.set(element, key);
  element.replaceChildren(...draw().filter((child) => child !== null));
}

/** Name and value pairs. */
export function facts(pairs: readonly (readonly [name: string, value: Child])[]): HTMLElement {
  return h('dl', {}, ...pairs.flatMap(([name, value]) => [h('dt', {}, name), h('dd', {}, value)]));
}
