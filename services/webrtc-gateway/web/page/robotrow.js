/** @file One robot of the list. */

import { counted, firstSentence } from './format.js';
import { make, setData, setText } from './dom.js';

/** How often a preview is taken again, in ms, and how wide it is, in pixels. */
const PREVIEW_MS = 2000;
const PREVIEW_PX = 320;

/** @typedef {import('../proto/fleet.js').FleetRobot} FleetRobot */

/** A robot. Its camera is asked for pictures only while the preview is open. */
export class RobotRow {
  element;
  name;

  #text = make('span', { class: 'robot-text' });
  #since = make('span', { class: 'robot-since' });
  #camera = '';
  #preview = make('button', { class: 'button', type: 'button', 'aria-pressed': 'false' }, 'Preview');
  #picture = make('img', { class: 'robot-picture', alt: '' });
  #note = make('p', { class: 'hint', role: 'status' });
  #body = make('div', { class: 'robot-preview', hidden: '' }, this.#picture, this.#note);
  #next = 0;

  /** @param {string} name */
  constructor(name) {
    this.name = name;
    const link = make('a', { class: 'robot-name', href: `r/${name}/` }, make('span', { class: 'dot', 'aria-hidden': 'true' }), name);
    this.element = make('li', { class: 'robot', 'data-robot': name }, link, this.#text, this.#since, this.#preview, this.#body);
    this.#preview.addEventListener('click', () => this.#toggle());
    this.#picture.addEventListener('load', () => this.#came(''));
    this.#picture.addEventListener('error', () => void this.#explain());
  }

  /** @param {FleetRobot} robot */
  show(robot) {
    setData(this.element, { state: robot.away ? 'away' : robot.reason || troubles(robot) ? 'trouble' : 'there' });
    setText(this.#text, words(robot));
    setText(this.#since, robot.sinceMs === null ? '' : `since ${clockTime(robot.sinceMs)}`);
    this.#camera = robot.devices.find((d) => d.kind !== '' && !d.gone && PICTURES.has(d.kind))?.name ?? '';
    const open = this.#open;
    this.#preview.disabled = !open && (robot.away || this.#camera === '');
    if (open && robot.away) this.#came(robot.reason);
  }

  /** @param {string} filter In lower case. */
  filter(filter) {
    const hidden = !this.name.includes(filter);
    if (this.element.hidden !== hidden) this.element.hidden = hidden;
  }

  remove() {
    clearTimeout(this.#next);
    this.element.remove();
  }

  get #open() {
    return this.#preview.getAttribute('aria-pressed') === 'true';
  }

  #toggle() {
    const open = !this.#open;
    this.#preview.setAttribute('aria-pressed', String(open));
    this.#body.hidden = !open;
    clearTimeout(this.#next);
    if (open) this.#take();
    else this.#picture.removeAttribute('src');
  }

  #take() {
    if (document.hidden) {
      this.#next = setTimeout(() => this.#take(), PREVIEW_MS);
      return;
    }
    setText(this.#note, this.#picture.naturalWidth > 0 ? '' : 'Waiting for a picture');
    this.#picture.src = `${this.#address}&t=${Date.now()}`;
  }

  get #address() {
    return `r/${this.name}/snapshot/${this.#camera}.jpg?width=${PREVIEW_PX}`;
  }

  /** @param {string} problem */
  #came(problem) {
    setText(this.#note, problem);
    clearTimeout(this.#next);
    if (this.#open) this.#next = setTimeout(() => this.#take(), PREVIEW_MS);
  }

  /** Shows why no picture came: an image does not tell. */
  async #explain() {
    if (!this.#open) return;
    this.#picture.removeAttribute('src');
    try {
      const answer = await fetch(this.#address, { cache: 'no-store' });
      this.#came(answer.ok ? '' : (await answer.text()).trim().slice(0, 300));
    } catch {
      this.#came('The gateway does not answer.');
    }
  }
}

/** Kinds of devices that make pictures. Others may too, but only their own page knows. */
const PICTURES = new Set(['camera', 'rtsp-ingest', 'peer']);

/** @param {FleetRobot} robot @returns {boolean} Whether a device of it cannot be used. */
function troubles(robot) {
  return robot.devices.some((d) => d.gone || d.state === 'away');
}

/** @param {FleetRobot} robot What there is to say about it. */
function words(robot) {
  const devices = counted(robot.devices.length, 'device', 'devices');
  if (robot.away) return `Away: ${robot.reason}`;
  const bad = robot.devices.filter((d) => d.gone || d.state === 'away')
    .map((d) => (d.gone ? `${d.name} is not running` : `${d.name} is away${d.reason ? `: ${firstSentence(d.reason)}` : ''}`));
  return [robot.reason, devices, ...bad].filter(Boolean).join(' · ');
}

/** @param {number} ms Unix time. @returns {string} The time of day, with the date if it was on another one. */
function clockTime(ms) {
  const then = new Date(ms);
  const time = then.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', hour12: false });
  return then.toDateString() === new Date().toDateString() ? time : `${then.toLocaleDateString()} ${time}`;
}
