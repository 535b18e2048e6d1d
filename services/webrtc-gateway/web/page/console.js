/** @file What a board sends, word for word, and a line to send something to it. */

import { METHODS } from '../proto/methods.js';
import { fields, text } from '../proto/json.js';
import { isActuator } from '../proto/signaling.js';
import { byId, make, setText } from './dom.js';
import { replayedFrom, replayedWords } from './recorderwords.js';
import { messageOf, serialStream, showMessage } from './serialwords.js';

/** The number of messages kept. */
const MOST = 300;

/** @typedef {import('../robot/robot.js').Robot} Robot */

/** The consoles of all boards. */
export class Consoles {
  #robot;
  #section = byId('consoles', HTMLElement);
  /** @type {Map<string, Console>} */
  #consoles = new Map();

  /** @param {Robot} robot */
  constructor(robot) {
    this.#robot = robot;
  }

  /** Adds consoles for new boards. */
  describe() {
    for (const d of this.#robot.devices) {
      const stream = serialStream(d);
      if (stream === '' || this.#consoles.has(d.name)) continue;
      const console = new Console(this.#robot, d.name, stream, isActuator(d));
      this.#consoles.set(d.name, console);
      this.#section.append(console.element);
    }
    this.#section.hidden = this.#consoles.size === 0;
  }

  /** Updates the visible consoles. Called ten times a second; a hidden page need not. */
  tick() {
    for (const console of this.#consoles.values()) console.tick();
  }
}

/** The console of one board. It listens only while it is open. */
class Console {
  element;

  #robot;
  #device;
  #stream;
  #writing;
  #log = make('ol', { class: 'log', tabindex: '0' });
  #filter = make('input', { class: 'field', type: 'search', placeholder: 'Filter', 'aria-label': 'Show only messages with' });
  #pause = make('button', { class: 'button', type: 'button', 'aria-pressed': 'false' }, 'Pause');
  #result = make('p', { class: 'hint', role: 'status' });
  /** @type {string[]} Messages kept, oldest first. */
  #lines = [];
  /** How many of them are new since they were last shown. */
  #fresh = 0;
  #listen = (/** @type {Event} */ event) => this.#take(/** @type {CustomEvent} */ (event).detail.value);

  /** @param {Robot} robot @param {string} device @param {string} stream @param {boolean} actuator */
  constructor(robot, device, stream, actuator) {
    this.#robot = robot;
    this.#device = device;
    this.#stream = stream;
    this.#writing = actuator ? make('p', { class: 'hint' }, WANTS_LEASE) : this.#form();
    this.#log.setAttribute('aria-label', `Messages of ${device}`);
    this.element = make('details', { class: 'panel console', 'data-console': device },
      make('summary', {}, 'Console ', make('span', { class: 'count' }, device)),
      make('div', { class: 'tools' }, this.#filter, this.#pause),
      this.#log,
      this.#writing,
      this.#result);
    this.element.addEventListener('toggle', () => this.#toggled());
    this.#filter.addEventListener('input', () => this.#redraw());
    this.#pause.addEventListener('click', () => {
      this.#pause.setAttribute('aria-pressed', String(!this.#paused));
      this.#redraw();
    });
  }

  /** Shows what is new. */
  tick() {
    const from = replayedFrom(this.#robot.devices.find((d) => d.name === this.#device));
    const lacked = replayedWords(this.#device, from, 'nothing can be sent to it') || this.#robot.lacks('driver', 'Sending');
    const button = this.#writing.querySelector('button');
    if (button && button.title !== lacked) [button.title, button.disabled] = [lacked, lacked !== ''];
    if (!this.element.open || this.#paused || this.#fresh === 0) return;
    const log = this.#log;
    const follow = log.scrollHeight - log.scrollTop - log.clientHeight < 24;
    const added = this.#lines.slice(-this.#fresh).filter((line) => this.#shows(line));
    this.#fresh = 0;
    log.append(...added.map((line) => make('li', {}, line)));
    while (log.children.length > MOST) log.firstElementChild?.remove();
    if (follow) log.scrollTop = log.scrollHeight;
  }

  get #paused() {
    return this.#pause.getAttribute('aria-pressed') === 'true';
  }

  #toggled() {
    const stream = this.#robot.stream(this.#device, this.#stream);
    stream.removeEventListener('message', this.#listen);
    if (this.element.open) stream.addEventListener('message', this.#listen);
  }

  /** @param {import('../proto/json.js').Json} message */
  #take(message) {
    // While paused, nothing moves, and nothing is missed: the newest messages are kept.
    this.#lines.push(`${new Date().toLocaleTimeString([], { hour12: false })} ${showMessage(message)}`);
    if (this.#lines.length > MOST) this.#lines.shift();
    this.#fresh = Math.min(this.#fresh + 1, MOST);
  }

  /** @param {string} line */
  #shows(line) {
    return line.toLowerCase().includes(this.#filter.value.toLowerCase());
  }

  #redraw() {
    // A pause keeps the messages shown, as long as they are kept at all.
    const shown = this.#paused ? this.#lines.slice(0, this.#lines.length - this.#fresh) : this.#lines;
    if (!this.#paused) this.#fresh = 0;
    this.#log.replaceChildren(...shown.filter((line) => this.#shows(line)).map((line) => make('li', {}, line)));
    this.#log.scrollTop = this.#log.scrollHeight;
  }

  #form() {
    const field = make('input', { class: 'field', 'aria-label': `Message to ${this.#device}`, placeholder: 'Message', autocomplete: 'off' });
    const form = make('form', { class: 'tools' }, field, make('button', { class: 'button', type: 'submit' }, 'Send'));
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#send(field.value);
      field.select();
    });
    return form;
  }

  /** @param {string} line */
  async #send(line) {
    try {
      const { port } = await this.#robot.call(this.#device, METHODS.getPort);
      await this.#robot.call(this.#device, METHODS.write, messageOf(line, text(fields(port).write)));
      setText(this.#result, 'Sent');
    } catch (error) {
      setText(this.#result, `Not sent: ${/** @type {Error} */ (error).message}`);
    }
  }
}

const WANTS_LEASE = 'This board moves the robot. It accepts messages only from the lease holder, so drive to send them.';
