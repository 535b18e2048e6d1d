/** @file One camera on the page: its picture, its state, and its actions. */

import { iconButton, make, setData, setText } from './dom.js';
import { firstSentence, since, statsRows } from './format.js';
import { saveSnapshot } from './snapshot.js';

/** The badge of a picture that is not live, by reason; the time is appended. */
const BADGES = new Map([
  ['device-away', 'Camera away'],
  ['device-gone', 'Camera away'],
  ['device-unknown', 'Camera away'],
  ['gateway-lost', 'Gateway lost'],
  ['refused', 'No video'],
  ['paused', 'Paused'],
]);

/**
 * @typedef {object} TileActions
 * @property {(tile: Tile) => void} enlarge
 * @property {(text: string) => void} announce Announces something to those who cannot see it.
 * @property {() => void} changed Called when the state of the picture changes.
 */

/** One tile. Its element carries `data-device`, `data-picture`, `data-reason` and `data-link` for styles and tests. */
export class Tile {
  /** Name of the device. */
  device;
  element;

  #robot;
  #video;
  #detach;
  #actions;
  #player = make('video', { playsinline: '', disablepictureinpicture: '' });
  #word = make('span', { class: 'word' });
  #time = make('span');
  #title = make('p', { class: 'veil-title' });
  #text = make('p', { class: 'veil-text' });
  #play = make('button', { type: 'button', class: 'button', hidden: '' }, 'Play');
  #numbers = make('dl', { class: 'numbers', hidden: '' });
  #enlarge;
  #encoding = '';
  #preprocess = '';
  #replayed = false;

  /**
   * @param {import('../robot/robot.js').Robot} robot
   * @param {string} device
   * @param {TileActions} actions
   */
  constructor(robot, device, actions) {
    this.#robot = robot;
    this.device = device;
    this.#actions = actions;
    this.#enlarge = iconButton('enlarge', `Enlarge ${device}`, () => actions.enlarge(this));
    this.#enlarge.classList.add('enlarge');
    this.#player.setAttribute('aria-label', `Live picture of ${device}`);
    this.element = this.#build();
    this.#video = robot.video(device);
    this.#detach = this.#video.attach(this.#player);
    this.#video.addEventListener('picture', () => this.#changed());
    this.#player.addEventListener('resize', () => this.#remember());
    this.#play.addEventListener('click', () => this.#player.play().catch(() => {}));
    this.#changed();
  }

  /** The picture shown now. @returns {import('./motorwords.js').Shown} */
  get shown() {
    const slot = this.#robot.devices.find((d) => d.name === this.device && d.kind === 'peer');
    return {
      device: this.device, picture: this.#video.picture, sinceMs: this.#video.sinceMs, vacant: slot?.state === 'away',
    };
  }

  /** Updates what changes with time. Called several times a second. */
  tick() {
    const { state, reason, text } = this.#picture;
    setText(this.#text, reason === 'gateway-lost' ? this.#robot.refusal || 'Reconnecting' : text);
    const ms = state === 'live' || reason === 'paused' ? null : this.#video.sinceMs;
    const word = state === 'live' ? (this.#replayed ? 'Replay' : 'Live') : state === 'waiting' ? 'Waiting' : 'Stale';
    setText(this.#word, BADGES.get(reason) ?? word);
    setText(this.#time, ms === null ? '' : since(ms));
  }

  /**
   * Takes what the device reports. The shape of the picture is set at once, so that nothing moves when the first frame
   * arrives.
   * @param {import('../proto/signaling.js').Device} device
   */
  describe({ attributes }) {
    this.#replayed = attributes.replay !== undefined;
    setData(this.element, { replay: String(this.#replayed) });
    this.#changed();
    this.#shape(Number(attributes.width_px), Number(attributes.height_px));
    this.#encoding = attributes.encoding ?? '';
    this.#preprocess = attributes.preprocess ?? '';
  }

  /** @param {import('../media/videostats.js').VideoStats|null} stats Null to show none. */
  showStats(stats) {
    this.#numbers.hidden = stats === null;
    if (stats === null) return;
    const rows = statsRows(stats, this.#encoding, this.#preprocess);
    if (this.#numbers.children.length !== rows.length) {
      this.#numbers.replaceChildren(
        ...rows.map(([name, , meaning]) =>
          make('div', { title: meaning, 'data-stat': name }, make('dt', {}, name), make('dd'))),
      );
    }
    rows.forEach(([, value], i) => setText(/** @type {HTMLElement} */ (this.#numbers.children[i].lastChild), value));
  }

  /** @param {boolean} large */
  setLarge(large) {
    this.element.classList.toggle('large', large);
    this.#enlarge.setAttribute('aria-pressed', String(large));
  }

  /** Enters or leaves full screen with this tile. */
  toggleFullscreen() {
    if (document.fullscreenElement) void document.exitFullscreen();
    else if (this.element.requestFullscreen) this.element.requestFullscreen().catch(() => {});
    // iPhones allow it only for the bare video, which would hide the e-stop; there the tile fills the page.
    else this.element.classList.toggle('fill');
  }

  /** Removes the tile from the page. */
  remove() {
    this.#detach();
    this.#video.close();
    this.element.remove();
  }

  #build() {
    const screen = make('div', { class: 'screen' },
      this.#player,
      this.#numbers,
      make('div', { class: 'veil' }, make('div', { class: 'message' }, this.#title, this.#text, this.#play)));
    const caption = make('div', { class: 'caption' },
      make('span', { class: 'badge' }, this.#word, this.#time),
      make('h2', {}, this.device),
      iconButton('snapshot', `Save a picture of ${this.device}`, () => this.#snapshot()),
      this.#enlarge,
      iconButton('fullscreen', `Full screen ${this.device}`, () => this.toggleFullscreen()));
    const attributes = { class: 'tile', 'data-device': this.device, 'aria-label': `Camera ${this.device}` };
    const tile = make('article', attributes, screen, caption);
    this.#player.addEventListener('dblclick', () => this.#actions.enlarge(this));
    this.#recall(tile);
    return tile;
  }

  /** The picture of a replay that pauses, or goes slowly, is what there is to see: it is not frozen. */
  get #picture() {
    const { picture } = this.#video;
    const rests = this.#replayed && picture.state === 'stale' && picture.reason === 'no-frames';
    return rests ? /** @type {const} */ ({ state: 'live', reason: 'ok', text: '' }) : picture;
  }

  #changed() {
    const { state, reason, text } = this.#picture;
    const was = this.element.dataset.picture;
    setData(this.element, { picture: state, reason, link: this.#robot.state });
    setText(this.#title, BADGES.get(reason) ?? (state === 'waiting' ? 'Waiting for the picture' : 'Picture is frozen'));
    this.#play.hidden = reason !== 'paused';
    this.tick();
    this.#actions.changed();
    if (was !== undefined && was !== state) this.#actions.announce(`${this.device}: ${state}. ${firstSentence(text)}`);
  }

  /** The link is part of the tile's state although the picture may not have changed yet. */
  linkChanged() {
    setData(this.element, { link: this.#robot.state });
  }

  async #snapshot() {
    const name = [this.#robot.name || 'robot', this.device].join('-');
    const saved = await saveSnapshot(this.device, name, this.#player);
    this.#actions.announce(saved ? `Picture of ${this.device} saved` : `No picture of ${this.device} to save`);
    this.element.classList.remove('flash');
    if (!saved) return;
    void this.element.offsetWidth; // lets the flash start over
    this.element.classList.add('flash');
  }

  /** @param {number} width @param {number} height @param {HTMLElement} [element] */
  #shape(width, height, element = this.element) {
    if (width > 0 && height > 0) element.style.setProperty('--ratio', String(width / height));
  }

  /** Keeps the picture's shape for the next visit. */
  #remember() {
    const { videoWidth, videoHeight } = this.#player;
    if (videoWidth === 0) return;
    this.#shape(videoWidth, videoHeight);
    try {
      localStorage.setItem(`waldo.size.${this.device}`, `${videoWidth}x${videoHeight}`);
    } catch {
      // Without storage, the tile takes its shape from the first frame.
    }
  }

  /** @param {HTMLElement} element */
  #recall(element) {
    try {
      const [width, height] = (localStorage.getItem(`waldo.size.${this.device}`) ?? '').split('x').map(Number);
      this.#shape(width, height, element);
    } catch {
      // As above.
    }
  }
}
