/** @file The timeline of a recording: lanes with what happened, the place, and where to go. */

import { layOut, ticks } from '../playback/lanes.js';
import { followed, panned, zoomed } from '../playback/zoom.js';
import { make, setText } from './dom.js';
import { itemWords, placeWords, tickWords } from './recordingwords.js';

/** The least distance between two things on a lane, in pixels, between two numbers, and of a number from the end. */
const LEAST_PX = 9;
const TICK_PX = 72;
const TICK_WIDTH_PX = 44;
/** How much closer a press of a button gets, and a wheel by each pixel. */
const ZOOM = 2;
const ZOOM_BY_PX = 1.008;
/** How far the keys go, in s. */
const STEPS = /** @type {Record<string, number>} */ ({ ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageUp: 10, PageDown: -10 });

/**
 * @typedef {object} Shown What is shown.
 * @property {import('../proto/recorder.js').RecordedStream[]} streams
 * @property {import('../proto/recorder.js').TimelineEvent[]} events
 * @property {number} duration In s.
 */

/**
 * The element is a slider for those who use keys or listen; events have buttons in the list beside it, too. It shows the
 * whole recording, or a part: by buttons, keys, two fingers, or a wheel with Ctrl, which is also what touchpads send for two
 * fingers.
 */
export class Timeline {
  element;

  #of;
  #go;
  /** @type {import('../playback/zoom.js').Span} The part that is shown. */
  #span;
  #place = 0;
  #slider = make('div', { class: 'line-head', role: 'slider', tabindex: '0', 'aria-label': 'Place in the recording', 'aria-keyshortcuts': '+ - 0' });
  #ruler = make('div', { class: 'ruler', 'aria-hidden': 'true' });
  #events = make('div', { class: 'lanes' });
  #streams = make('div', { class: 'lanes' });
  #more = make('details', { class: 'line-streams' }, make('summary', {}), this.#streams);
  #shown = make('output', { class: 'line-span' });
  #closer = zoomButton('+', 'Zoom in on the timeline', () => this.#zoom(ZOOM));
  #wider = zoomButton('−', 'Zoom out of the timeline', () => this.#zoom(1 / ZOOM));
  #fit = zoomButton('Fit', 'Show the whole recording on the timeline', () => this.#zoom(0));
  #width = 0;
  /** @type {Map<number, number>} Where the fingers are, by pointer. */
  #fingers = new Map();
  #observer = new ResizeObserver(() => this.#resized());

  /** @param {Shown} of @param {(place: number) => void} go */
  constructor(of, go) {
    this.#of = of;
    this.#go = go;
    this.#span = { from: 0, to: of.duration };
    this.#more.open = matchMedia('(min-width: 1000px)').matches;
    this.element = make('div', { class: 'line' },
      make('div', { class: 'line-tools', role: 'group', 'aria-label': 'Zoom' }, this.#shown, this.#wider, this.#closer, this.#fit),
      this.#slider, this.#events, this.#more);
    this.#slider.append(this.#ruler, make('span', { class: 'line-knob' }));
    this.#slider.setAttribute('aria-valuemin', '0');
    this.#slider.addEventListener('keydown', (event) => this.#key(event));
    this.element.addEventListener('pointerdown', (event) => this.#press(event));
    this.element.addEventListener('click', (event) => this.#activate(event));
    this.element.addEventListener('wheel', (event) => this.#wheel(event), { passive: false });
    this.#observer.observe(this.#slider);
    this.#draw();
  }

  /** More of the recording is there. @param {Shown} of */
  grow(of) {
    const whole = this.#whole;
    this.#of = of;
    if (whole) this.#span = { from: 0, to: of.duration };
    this.#draw();
  }

  /** @param {number} place In s. */
  show(place) {
    const span = followed(this.#span, this.#place, place, this.#of.duration);
    this.#place = place;
    if (span !== this.#span) this.#look(span);
    const share = this.#share(place);
    this.element.style.setProperty('--place', String(share));
    this.element.toggleAttribute('data-outside', share < 0 || share > 1);
    if (this.#slider.getAttribute('aria-valuetext') === placeWords(place)) return;
    this.#slider.setAttribute('aria-valuetext', placeWords(place));
    this.#slider.setAttribute('aria-valuenow', place.toFixed(1));
  }

  close() {
    this.#observer.disconnect();
  }

  /** Whether the whole recording is shown. */
  get #whole() {
    return this.#span.to - this.#span.from >= this.#of.duration;
  }

  /** @param {number} place In s. @returns {number} 0 to 1; otherwise it is not in the part that is shown. */
  #share(place) {
    return (place - this.#span.from) / Math.max(this.#span.to - this.#span.from, 0.001);
  }

  /** @param {number} x Of a pointer. @returns {number} In s. */
  #at(x) {
    const { left, width } = this.#slider.getBoundingClientRect();
    return this.#span.from + Math.min(1, Math.max(0, (x - left) / width)) * (this.#span.to - this.#span.from);
  }

  /**
   * @param {number} factor Above 1 gets closer; 0 shows everything.
   * @param {number} [at] What stays where it is, in s: the place, or the middle if that is not in sight.
   */
  #zoom(factor, at) {
    const { from, to } = this.#span;
    const middle = from <= this.#place && this.#place <= to ? this.#place : (from + to) / 2;
    this.#look(zoomed(this.#span, factor || Number.MIN_VALUE, at ?? middle, this.#of.duration));
  }

  /** @param {import('../playback/zoom.js').Span} span */
  #look(span) {
    this.#span = span;
    this.#draw();
    this.show(this.#place);
  }

  #resized() {
    const width = this.#slider.clientWidth;
    if (width === this.#width || width === 0) return;
    this.#width = width;
    this.#draw();
  }

  #draw() {
    const { duration } = this.#of;
    const { from, to } = this.#span;
    this.#slider.setAttribute('aria-valuemax', duration.toFixed(1));
    setText(this.#shown, this.#whole ? '' : `${placeWords(from)} to ${placeWords(to)}`);
    this.#wider.disabled = this.#fit.disabled = this.#whole;
    this.#closer.disabled = to - from <= 1;
    const width = this.#width;
    if (width === 0) return;
    const lanes = layOut({ ...this.#of, span: this.#span, least: LEAST_PX / width });
    this.#events.replaceChildren(...lanes.filter((l) => l.sort === 'events').map((l) => this.#lane(l)));
    const streams = lanes.filter((l) => l.sort === 'stream');
    this.#streams.replaceChildren(...streams.map((l) => this.#lane(l)));
    this.#more.hidden = streams.length === 0;
    setText(/** @type {HTMLElement} */ (this.#more.firstChild), `Streams (${streams.length})`);
    const { step, places } = ticks(this.#span, width / TICK_PX);
    const fit = places.filter((s) => (1 - this.#share(s)) * width >= TICK_WIDTH_PX || s === from);
    this.#ruler.replaceChildren(...fit.map((s) => {
      const tick = make('span', { class: 'tick' }, tickWords(s, step));
      tick.style.setProperty('--at', String(this.#share(s)));
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
    if (event.button !== 0 || target.closest('summary, .lane-name, .line-tools')) return;
    event.preventDefault();
    this.#slider.focus({ preventScroll: true });
    this.#fingers.set(event.pointerId, event.clientX);
    const place = target.dataset.place;
    if (this.#fingers.size === 1) this.#go(place === undefined ? this.#at(event.clientX) : Number(place));
    const end = new AbortController();
    const { signal } = end;
    this.element.setPointerCapture(event.pointerId);
    this.element.addEventListener('pointermove', (e) => e.pointerId === event.pointerId && this.#drag(e, place !== undefined), { signal });
    for (const type of /** @type {const} */ (['pointerup', 'pointercancel', 'lostpointercapture'])) {
      this.element.addEventListener(type, (e) => {
        if (e.pointerId !== event.pointerId) return;
        end.abort();
        this.#fingers.delete(event.pointerId);
      }, { signal });
    }
  }

  /** @param {MouseEvent} event Of who has no pointer: a screen reader presses an event. */
  #activate(event) {
    const { place } = /** @type {HTMLElement} */ (event.target).dataset;
    if (event.detail === 0 && place !== undefined) this.#go(Number(place));
  }

  /** One finger goes to a place, two change what is shown. @param {PointerEvent} event @param {boolean} onItem Whether it began on an event. */
  #drag(event, onItem) {
    const before = [...this.#fingers.values()];
    this.#fingers.set(event.pointerId, event.clientX);
    const after = [...this.#fingers.values()];
    if (after.length === 1) {
      if (!onItem) this.#go(this.#at(event.clientX));
      return;
    }
    const apart = ([a, b] = before) => Math.max(20, Math.abs(a - b));
    const middle = ([a, b] = before) => this.#at((a + b) / 2);
    const at = middle(before);
    const moved = panned(this.#span, at - middle(after), this.#of.duration);
    this.#span = moved;
    this.#zoom(apart(after) / apart(before), at);
  }

  /** @param {WheelEvent} event A wheel alone scrolls the page. */
  #wheel(event) {
    const pixels = event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? 1 : 16;
    const sideways = event.shiftKey && event.deltaX === 0 ? event.deltaY : event.deltaX;
    if (event.ctrlKey || event.metaKey) {
      this.#zoom(ZOOM_BY_PX ** (-event.deltaY * pixels), this.#at(event.clientX));
    } else if (!this.#whole && Math.abs(sideways) >= Math.abs(event.deltaY)) {
      const { from, to } = this.#span;
      this.#look(panned(this.#span, sideways * pixels / Math.max(this.#width, 1) * (to - from), this.#of.duration));
    } else {
      return;
    }
    event.preventDefault();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const zoom = /** @type {Record<string, number>} */ ({ '+': ZOOM, '=': ZOOM, '-': 1 / ZOOM, 0: 0 })[event.key];
    const to = event.key === 'Home' ? 0 : event.key === 'End' ? this.#of.duration : this.#place + (STEPS[event.key] ?? NaN);
    if (zoom === undefined && Number.isNaN(to)) return;
    event.preventDefault();
    if (zoom === undefined) this.#go(to);
    else this.#zoom(zoom);
  }
}

/** @param {string} words @param {string} label @param {() => void} run */
function zoomButton(words, label, run) {
  const button = make('button', { class: 'button', type: 'button', title: label, 'aria-label': label }, words);
  button.addEventListener('click', run);
  return button;
}
