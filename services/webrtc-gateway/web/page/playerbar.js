/** @file The bar of a replay: what is replayed, and where it is. */

import { PLAYER, playerState } from '../proto/player.js';
import { SPEEDS } from '../playback/stage.js';
import { byId, make, setData, setText } from './dom.js';
import { placeNow, replayWords } from './recorderwords.js';
import { placeWords } from './recordingwords.js';

/** How often the player is asked, in ms. */
const ASK_MS = 500;

/** The bar. It is there while the robot has a player, and carries `data-playing`. */
export class PlayerBar {
  #robot;
  #bar = byId('player', HTMLElement);
  #device = '';
  /** @type {import('../proto/player.js').PlayerState|null} */
  #state = null;
  #toldAt = 0;
  #askedAt = -Infinity;
  #title = make('p', { class: 'player-title' });
  #play = make('button', { class: 'button play', type: 'button' }, 'Play');
  #slider = make('input', { type: 'range', min: '0', step: '0.01', 'aria-label': 'Place in the recording', class: 'player-slider' });
  #place = make('output', { class: 'player-place' });
  #speed = make('select', { class: 'field', 'aria-label': 'Speed' }, ...SPEEDS.map((s) => make('option', { value: String(s) }, `${s}×`)));
  #loop = make('button', { class: 'button', type: 'button', 'aria-pressed': 'false' }, 'Loop');
  #problem = make('p', { class: 'player-problem', role: 'alert' });
  #held = false;
  /** The seek that waits for the one on its way. @type {number|null} */
  #next = null;
  #seeking = false;

  /** @param {import('../robot/robot.js').Robot} robot */
  constructor(robot) {
    this.#robot = robot;
    this.#bar.append(this.#title, make('div', { class: 'player-row' }, this.#play, this.#slider, this.#place, this.#speed, this.#loop), this.#problem);
    this.#play.addEventListener('click', () => this.#do(this.#state?.playing ? PLAYER.pause : PLAYER.play, {}));
    this.#loop.addEventListener('click', () => this.#do(PLAYER.loop, { loop: !this.#state?.loop }));
    this.#speed.addEventListener('change', () => this.#do(PLAYER.speed, { speed: Number(this.#speed.value) }));
    this.#slider.addEventListener('input', () => {
      this.#held = true;
      this.#seek(Number(this.#slider.value));
    });
    this.#slider.addEventListener('change', () => (this.#held = false));
  }

  /** Updates what changes with time. Called ten times a second. */
  tick() {
    const device = this.#robot.devices.find((d) => d.kind === 'player') ?? null;
    this.#bar.hidden = device === null;
    if (device === null) return;
    if (device.name !== this.#device) this.#state = null;
    this.#device = device.name;
    if (performance.now() - this.#askedAt > ASK_MS && this.#robot.state === 'live' && !device.gone) void this.#ask();
    const away = device.gone ? 'the player is not running' : device.state === 'away' ? device.reason : '';
    if (away !== '') setText(this.#problem, away);
    this.#show();
  }

  #show() {
    const state = this.#state;
    if (state === null) {
      setText(this.#title, 'Replay');
      return;
    }
    const place = this.#held ? Number(this.#slider.value) : placeNow(state, performance.now() - this.#toldAt);
    const lacked = this.#robot.lacks('driver', 'Playing');
    setData(this.#bar, { playing: String(state.playing), ended: String(state.ended) });
    setText(this.#title, replayWords(state, place, this.#robot.gatewayNowMs));
    setText(this.#play, state.playing ? 'Pause' : 'Play');
    setText(this.#place, `${placeWords(place)} / ${placeWords(state.durationS)}`);
    this.#slider.max = String(state.durationS);
    if (!this.#held) this.#slider.value = String(place);
    this.#slider.setAttribute('aria-valuetext', placeWords(place));
    this.#loop.setAttribute('aria-pressed', String(state.loop));
    if (document.activeElement !== this.#speed) this.#showSpeed(state.speed);
    for (const control of [this.#play, this.#slider, this.#speed, this.#loop]) {
      control.disabled = lacked !== '';
      control.title = lacked;
    }
  }

  /** @param {number} speed Others may have set any. */
  #showSpeed(speed) {
    const value = String(speed);
    if (![...this.#speed.options].some((o) => o.value === value)) this.#speed.append(make('option', { value }, `${value}×`));
    this.#speed.value = value;
  }

  /** @param {number} place In s. */
  #seek(place) {
    this.#next = place;
    if (!this.#seeking) void this.#seekOn();
  }

  /** Goes to where the slider is, one place after the other: those in between are left out. */
  async #seekOn() {
    this.#seeking = true;
    while (this.#next !== null) {
      const place = this.#next;
      this.#next = null;
      await this.#do(PLAYER.seek, { offset: `${place.toFixed(3)}s` });
    }
    this.#seeking = false;
  }

  async #ask() {
    this.#askedAt = performance.now();
    await this.#do(PLAYER.state, {});
  }

  /**
   * @param {string} method One whose answer has the state. @param {object} request
   */
  async #do(method, request) {
    const device = this.#device;
    try {
      const { state } = await this.#robot.call(device, method, request);
      if (device !== this.#device) return;
      this.#state = playerState(state);
      this.#toldAt = performance.now();
      setText(this.#problem, '');
    } catch (error) {
      setText(this.#problem, /** @type {Error} */ (error).message);
    }
    this.#show();
  }
}
