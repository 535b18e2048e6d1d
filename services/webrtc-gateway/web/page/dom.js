/** @file Small helpers to build the page. No markup is ever made from text, so nothing a device says can become markup. */

/**
 * Finds an element the page must have.
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 */
export function byId(id, type) {
  const element = document.getElementById(id);
  if (element instanceof type) return element;
  throw new Error(`page: no ${type.name} #${id}`);
}

/**
 * Makes an element.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string>} [attributes]
 * @param {...(Node|string)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/**
 * Sets an element's text only if it differs, so that selections and screen readers are left in peace.
 * @param {HTMLElement} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Sets data attributes that differ, so that observers see only changes.
 * @param {HTMLElement} element
 * @param {Record<string, string>} data
 */
export function setData(element, data) {
  for (const [name, value] of Object.entries(data)) if (element.dataset[name] !== value) element.dataset[name] = value;
}

/** Outlines on a 24 by 24 grid. */
const paths = {
  snapshot: 'M4 8h3l2-3h6l2 3h3v11H4z M12 10.2a3.3 3.3 0 1 0 0 6.6 3.3 3.3 0 0 0 0-6.6z',
  enlarge: 'M4 5h16v10H4z M4 19h4 M10 19h4 M16 19h4',
  fullscreen: 'M4 9V4h5 M15 4h5v5 M20 15v5h-5 M9 20H4v-5',
};

/**
 * A button with a picture instead of words.
 * @param {keyof typeof paths} icon
 * @param {string} label What it does; read aloud and shown on hover.
 * @param {() => void} run
 */
export function iconButton(icon, label, run) {
  const ns = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(ns, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(ns, 'path');
  path.setAttribute('d', paths[icon]);
  svg.append(path);
  const button = make('button', { type: 'button', class: 'icon', 'aria-label': label, title: label }, svg);
  button.addEventListener('click', run);
  return button;
}
