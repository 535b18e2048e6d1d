/** @file The streams of devices of every kind: open one to see its values, and the last minute of each number. */

import { byId, make, setData, setText } from './dom.js';
import { flatten, plotted } from './flatten.js';
import { counted, since } from './format.js';
import { ValueRow } from './valuerow.js';

/** How much of a number's history is plotted, in ms. */
const SPAN_MS = 60_000;
/** A stream that has been silent for this long is marked, in ms. */
const STALE_MS = 3000;
/** How many streams are listed, and how many values of one are shown. */
const [MOST_STREAMS, MOST_VALUES] = [60, 40];
/** Messages that the page shows elsewhere, or that say nothing to people. */
const NOT_LISTED = new Set([
  'waldo.media.v1.VideoFrame', 'waldo.media.v1.AudioFrame', 'waldo.serial.v1.SerialMessage',
  'waldo.control.v1.ControlState', 'waldo.control.v1.CommandRecord', 'waldo.audio.v1.Levels', 'waldo.peer.v1.Wish',
  'waldo.recorder.v1.RecorderState', 'waldo.recorder.v1.Mark', 'waldo.player.v1.PlayerState',
]);

/** @typedef {import('../robot/robot.js').Robot} Robot */
/** @typedef {import('../channels/stream.js').Stream} Stream */

/** The streams that can be watched. */
export class WatchPanels {
  #robot;
  #section = byId('watches', HTMLElement);
  /** @type {Map<string, WatchPanel>} */
  #panels = new Map();

  /** @param {Robot} robot */
  constructor(robot) {
    this.#robot = robot;
  }

  /** Adds new streams. A panel is hidden, and closed, while the robot has no such device. */
  describe() {
    for (const [key, panel] of this.#panels) {
      panel.show(!this.#robot.complete || this.#robot.devices.some((d) => key.startsWith(`${d.name}/`)));
    }
    for (const d of this.#robot.devices) {
      for (const s of d.streams) {
        const key = `${d.name}/${s.name}`;
        const known = this.#panels.get(key);
        if (known) known.live(d.epoch);
        else if (s.direction === 'out' && !NOT_LISTED.has(s.messageType) && this.#panels.size < MOST_STREAMS) {
          const panel = new WatchPanel(this.#robot, d, s);
          this.#panels.set(key, panel);
          this.#section.append(panel.element);
        }
      }
    }
    this.#section.hidden = ![...this.#panels.values()].some((panel) => !panel.element.hidden);
  }

  /** Updates the visible streams. Called ten times a second; a hidden page need not. */
  tick() {
    for (const panel of this.#panels.values()) panel.tick(performance.now());
  }
}

/** One stream. It is read only while it is open. */
class WatchPanel {
  element;

  #robot;
  #device;
  #name;
  #epoch;
  #age = make('span', { class: 'count' });
  #why = make('p', { class: 'hint', role: 'status' });
  #rows = make('dl', { class: 'values' });
  /** @type {Map<string, ValueRow>} */
  #byKey = new Map();
  /** @type {Stream|null} */
  #stream = null;
  #heardAt = -Infinity;
  #fresh = false;
  #more = false;
  #listen = (/** @type {Event} */ event) => this.#take(/** @type {CustomEvent} */ (event).detail.value);
  #lose = () => this.#gap();

  /**
   * @param {Robot} robot
   * @param {import('../proto/signaling.js').Device} device
   * @param {import('../proto/signaling.js').Stream} stream
   */
  constructor(robot, device, stream) {
    this.#robot = robot;
    this.#device = device.name;
    this.#name = stream.name;
    this.#epoch = device.epoch;
    this.element = make('details', { class: 'panel console watch', 'data-watch': `${device.name}/${stream.name}` },
      make('summary', { title: stream.messageType }, `${stream.name} `, make('span', { class: 'count' }, device.name),
        ' ', this.#age),
      this.#rows, this.#why);
    this.element.addEventListener('toggle', () => this.#toggled());
  }

  /** @param {boolean} exists */
  show(exists) {
    this.element.hidden = !exists;
    if (!exists) this.element.open = false;
  }

  /** @param {string} epoch The device's life now: the line of one does not continue in the next. */
  live(epoch) {
    if (epoch !== this.#epoch) this.#gap();
    this.#epoch = epoch;
  }

  /** @param {number} nowMs */
  tick(nowMs) {
    if (!this.element.open) return;
    const silent = nowMs - this.#heardAt;
    const stale = silent > STALE_MS;
    setData(this.element, { stale: String(stale) });
    setText(this.#age, stale && silent < Infinity ? `silent for ${since(silent)}` : '');
    setText(this.#why, this.#words(silent));
    // The lines move on while the device is silent, so that the gap is visible.
    for (const row of this.#byKey.values()) row.draw(nowMs, this.#fresh);
    this.#fresh = false;
  }

  /** @param {number} silent @returns {string} The notes beside the values. */
  #words(silent) {
    if (this.#stream?.why) return this.#stream.why;
    if (silent === Infinity) return 'Waiting for the first message';
    const lost = this.#stream?.droppedCount ?? 0;
    const more = this.#more && `Only ${MOST_VALUES} values are shown.`;
    const told = lost > 0 && `${counted(lost, 'message was', 'messages were')} lost on the way.`;
    return [more, told].filter(Boolean).join(' ');
  }

  #toggled() {
    if (this.element.open === (this.#stream !== null)) return;
    if (!this.element.open) {
      this.#stream?.close(); // the device need not publish for this page any longer
      this.#stream = null;
      this.#gap();
      return;
    }
    this.#stream = this.#robot.stream(this.#device, this.#name, { gathered: true });
    this.#stream.addEventListener('message', this.#listen);
    this.#stream.addEventListener('close', this.#lose);
  }

  /** @param {unknown} message */
  #take(message) {
    this.#heardAt = performance.now();
    this.#fresh = true;
    const { values, more } = flatten(message, this.#name, MOST_VALUES);
    this.#more ||= more;
    const given = new Set();
    for (const [key, value] of values) {
      this.#row(key)?.take(this.#heardAt, value, plotted(value));
      given.add(key);
    }
    for (const [key, row] of this.#byKey) if (!given.has(key)) row.take(this.#heardAt, null);
  }

  /** @param {string} key @returns {ValueRow|null} Null if there are too many. */
  #row(key) {
    const known = this.#byKey.get(key);
    if (known) return known;
    if (this.#byKey.size >= MOST_VALUES) {
      this.#more = true;
      return null;
    }
    const row = new ValueRow(this.#device, key, SPAN_MS);
    this.#byKey.set(key, row);
    this.#rows.append(row.element);
    return row;
  }

  #gap() {
    for (const row of this.#byKey.values()) row.gap();
  }
}
