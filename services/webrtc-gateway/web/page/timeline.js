/** @file The timeline of a recording: lanes with what happened, the place, and where to go. */

import { layOut, ticks } from '../playback/lanes.js';
import { make, setText } from './dom.js';
import { itemWords, placeWords, tickWords } from './recordingwords.js';

/** The least distance between two things on a lane, in pixels, between two numbers, and of a number from the end. */
const LEAST_PX = 9;
const TICK_PX = 72;
const TICK_WIDTH_PX = 44;
/** How far the keys go, in s. */
const STEPS = /** @type {Record<string, number>} */ ({ ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageUp: 10, PageDown: -10 });

/** The element is a slider for those who use keys or listen; events have buttons in the list beside it, too. */
export class Timeline {
  element;

  #of;
  #go;
  #slider = make('div', { class: 'line-head', role: 'slider', tabindex: '0', 'aria-label': 'Place in the recording' });
  #ruler = make('div', { class: 'ruler', 'aria-hidden': 'true' });
  #events = make('div', { class: 'lanes' });
  #streams = make('div', { class: 'lanes' });
  #more = make('details', { class: 'line-streams' }, make('summary', {}), this.#streams);
  #width = 0;
  #observer = new ResizeObserver(() => this.#draw());

  /**
   * @param {{streams: import('../proto/recorder.js').RecordedStream[], events: import('../proto/recorder.js').TimelineEvent[], duration: number}} of
   * @param {(place: number) => void} go
   */
  constructor(of, go) {
    this.#of = of;
    this.#go = go;
    this.#more.open = matchMedia('(min-width: 1000px)').matches;
    this.element = make('div', { class: 'line' }, this.#slider, this.#events, this.#more);
    this.#slider.append(this.#ruler, make('span', { class: 'line-knob' }));
    this.#slider.setAttribute('aria-valuemin', '0');
    this.#slider.setAttribute('aria-valuemax', of.duration.toFixed(1));
    this.#slider.addEventListener('keydown', (event) => this.#key(event));
    this.element.addEventListener('pointerdown', (event) => this.#press(event));
    this.#observer.observe(this.#slider);
  }

  /** @param {number} place In s. */
  show(place) {
    this.element.style.setProperty('--place', String(place / Math.max(this.#of.duration, 0.001)));
    if (this.#slider.getAttribute('aria-valuetext') === placeWords(place)) return;
    this.#slider.setAttribute('aria-valuetext', placeWords(place));
    this.#slider.setAttribute('aria-valuenow', place.toFixed(1));
  }

  close() {
    this.#observer.disconnect();
  }

  #draw() {
    const width = this.#slider.clientWidth;
    if (width === this.#width || width === 0) return;
    this.#width = width;
    const { duration } = this.#of;
    const lanes = layOut({ ...this.#of, least: LEAST_PX / width });
    this.#events.replaceChildren(...lanes.filter((l) => l.sort === 'events').map((l) => this.#lane(l)));
    const streams = lanes.filter((l) => l.sort === 'stream');
    this.#streams.replaceChildren(...streams.map((l) => this.#lane(l)));
    this.#more.hidden = streams.length === 0;
    setText(/** @type {HTMLElement} */ (this.#more.firstChild), `Streams (${streams.length})`);
    const places = ticks(duration, width / TICK_PX);
    const fit = places.filter((s) => (1 - s / Math.max(duration, 0.001)) * width >= TICK_WIDTH_PX || s === 0);
    this.#ruler.replaceChildren(...fit.map((s) => {
      const tick = make('span', { class: 'tick' }, tickWords(s, places[1] ?? duration));
      tick.style.setProperty('--at', String(s / Math.max(duration, 0.001)));
      return tick;
    }));
  }

  /** @param {import('../playback/lanes.js').Lane} lane */
  #lane({ name, detail, sort, items }) {
    const track = make('div', { class: 'lane-track' }, ...items.map((item) => {
      const words = itemWords(item.events);
      const button = make('button', { type: 'button', class: 'lane-item', tabindex: '-1', title: words, 'aria-label': words, 'data-kind': item.kind });
      button.style.setProperty('--at', String(item.at));
      button.style.setProperty('--to', String(item.to));
      button.dataset.place = String(item.events[0].startS);
      return button;
    }));
    return make('div', { class: 'lane', 'data-sort': sort }, make('span', { class: 'lane-name', title: detail || name }, name), track);
  }

  /** @param {PointerEvent} event */
  #press(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    if (event.button !== 0 || target.closest('summary, .lane-name')) return;
    event.preventDefault();
    this.#slider.focus({ preventScroll: true });
    const place = target.dataset.place;
    if (place !== undefined) {
      this.#go(Number(place));
      return;
    }
    const at = (/** @type {PointerEvent} */ e) => {
      const { left, width } = this.#slider.getBoundingClientRect();
      this.#go(Math.min(1, Math.max(0, (e.clientX - left) / width)) * this.#of.duration);
    };
    at(event);
    const end = new AbortController();
    this.element.setPointerCapture(event.pointerId);
    this.element.addEventListener('pointermove', at, { signal: end.signal });
    for (const type of ['pointerup', 'pointercancel', 'lostpointercapture']) {
      this.element.addEventListener(type, () => end.abort(), { signal: end.signal });
    }
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const now = Number(this.#slider.getAttribute('aria-valuenow'));
    const to = event.key === 'Home' ? 0 : event.key === 'End' ? this.#of.duration : now + (STEPS[event.key] ?? NaN);
    if (Number.isNaN(to) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.#go(to);
  }
}
