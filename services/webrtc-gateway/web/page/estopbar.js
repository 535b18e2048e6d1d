/** @file The e-stop: a button that is always visible, the space bar, and the texts while it is pressed. */

import { isOwn } from '../base/holder.js';
import { inField } from '../inputs/keyboard.js';
import { ConfirmButton, KeyForm } from './confirm.js';
import { byId, setData, setText } from './dom.js';

/** @typedef {import('../robot/robot.js').Robot} Robot */

/** The e-stop of the page. Its button carries `data-estop` for styles and tests. */
export class EStopBar {
  #robot;
  #announce;
  #safety = byId('safety', HTMLElement);
  #button = byId('estop', HTMLButtonElement);
  #banner = byId('estop-banner', HTMLElement);
  #title = byId('estop-title', HTMLElement);
  #text = byId('estop-text', HTMLElement);
  #clear = new ConfirmButton(byId('estop-clear', HTMLButtonElement), () => void this.#end(''));
  #key = new KeyForm('Clear', (key) => void this.#end(key));
  #home = document.createComment('the e-stop is in full screen');
  /** Why it could not be cleared. */
  #refusal = '';
  #said = '';

  /**
   * @param {Robot} robot
   * @param {(text: string) => void} announce
   */
  constructor(robot, announce) {
    this.#robot = robot;
    this.#announce = announce;
    byId('estop-actions', HTMLElement).append(this.#key.element);
    // The press counts, not the release: an e-stop needs no second thought.
    this.#button.addEventListener('pointerdown', (event) => event.button === 0 && this.#press());
    this.#button.addEventListener('click', (event) => event.detail === 0 && this.#press()); // by keyboard or screen reader
    for (const type of /** @type {const} */ (['keydown', 'keyup'])) {
      window.addEventListener(type, (event) => this.#space(event), { capture: true });
    }
    document.addEventListener('fullscreenchange', () => this.#follow());
    robot.addEventListener('estop', () => this.show());
    this.show();
  }

  /** Shows the present state. */
  show() {
    const { state, unconfirmed, why, latched } = this.#robot.eStopState;
    const there = this.#robot.actuators.length > 0 || state !== 'clear';
    if (this.#safety.hidden === there) this.#safety.hidden = byId('drive-keys', HTMLElement).hidden = !there;
    setData(this.#button, { estop: state });
    this.#button.setAttribute('aria-pressed', String(state !== 'clear'));
    if (this.#banner.hidden !== (state === 'clear')) this.#banner.hidden = state === 'clear';
    setData(this.#banner, { state });
    if (state === 'clear') {
      this.#refusal = '';
      this.#key.hide();
    }
    const [title, text] = state === 'pending' ? pending(unconfirmed, why) : latched ? pressed(latched, isOwn(latched.by, this.#robot.holder)) : ['', ''];
    setText(this.#title, title);
    setText(this.#text, this.#refusal || text);
    this.#clear.show('Clear', 'Really clear?');
    const lacked = state === 'latched' ? this.#robot.lacks('operator', 'Clearing it') : '';
    this.#clear.forbid(lacked);
    if (lacked !== '') setText(this.#text, [text, lacked].filter(Boolean).join('. '));
    const word = { clear: 'The e-stop is cleared', pending: 'E-stop pressed, not confirmed yet', latched: title }[state];
    if (word !== this.#said && (this.#said !== '' || state !== 'clear')) this.#announce(word);
    this.#said = word;
  }

  #press() {
    this.#refusal = '';
    void this.#robot.eStop('');
  }

  /** @param {string} key */
  async #end(key) {
    this.#refusal = '';
    try {
      await this.#robot.clearEStop({ key });
    } catch (error) {
      const { code, message } = /** @type {import('../channels/calls.js').CallError} */ (error);
      this.#refusal = code === 'PERMISSION_DENIED' && key === '' ? 'Clearing it needs the override key.' : `Not cleared: ${message}`;
      if (code === 'PERMISSION_DENIED') this.#key.show();
    }
    this.show();
  }

  /** @param {KeyboardEvent} event The space bar stops the robot and does nothing else: it neither presses buttons nor scrolls. */
  #space(event) {
    if (event.code !== 'Space' || event.ctrlKey || event.metaKey || event.altKey || inField(event)) return;
    if (this.#safety.hidden) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (event.type === 'keydown' && !event.repeat) this.#press();
  }

  /** An element in full screen hides the rest of the page, so the e-stop moves into it. */
  #follow() {
    const full = document.fullscreenElement;
    if (full && !this.#home.parentNode) this.#safety.replaceWith(this.#home);
    if (full) full.append(this.#safety);
    else if (this.#home.parentNode) this.#home.replaceWith(this.#safety);
  }
}

/** @param {string[]} unconfirmed @param {string} why @returns {[string, string]} */
function pending(unconfirmed, why) {
  const who = unconfirmed.length > 0 ? unconfirmed.join(', ') : 'the gateway';
  return ['E-STOP pressed, not confirmed yet', `Waiting for ${who}${why ? `: ${why}` : ''}. It is repeated until then.`];
}

/** @param {import('../proto/actuator.js').LatchedEStop & {device: string}} e @param {boolean} own @returns {[string, string]} */
function pressed(e, own) {
  const at = e.pressMs === null ? '' : ` at ${new Date(e.pressMs).toLocaleTimeString()}`;
  const lasts = e.persisted ? '' : `It will not survive a restart of ${e.device}.`;
  return [`E-STOP pressed by ${own ? 'you' : e.by || 'somebody'}${at}`, [e.reason, lasts].filter(Boolean).join(' ')];
}
