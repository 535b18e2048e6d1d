/** @file What happened in a recording, as a list to go through. */

import { make, setData, setText } from './dom.js';
import { EVENT_NAMES, eventWords, placeWords } from './recordingwords.js';

/** How many events are shown at first, and how many more each time. */
const PORTION = 300;

/** @typedef {import('../proto/recorder.js').TimelineEvent} TimelineEvent */

/** The list. Each event is a button that goes there. */
export class EventList {
  element;

  /** @type {TimelineEvent[]} In order of time. */
  #events = [];
  #leftOut = 0;
  #go;
  #count = make('span', { class: 'count' });
  #filters = make('div', { class: 'event-kinds', role: 'group', 'aria-label': 'Kinds of events' });
  #list = make('ol', { class: 'events' });
  #more = make('button', { class: 'button', type: 'button', hidden: '' }, 'Show more');
  /** @type {Set<TimelineEvent['kind']>} */
  #hidden = new Set();
  #most = PORTION;
  /** @type {TimelineEvent[]} Those that are in the list, in its order. */
  #shown = [];
  #current = -1;

  /** @param {(place: number) => void} go */
  constructor(go) {
    this.#go = go;
    this.element = make('section', { class: 'panel happened', 'aria-label': 'Events' },
      make('h2', {}, 'Events ', this.#count), this.#filters, this.#list, this.#more);
    this.#more.addEventListener('click', () => {
      this.#most += PORTION;
      this.#draw();
    });
  }

  /** Takes what is known of the recording now. @param {TimelineEvent[]} events In order of time. @param {number} leftOut How many more there are. */
  update(events, leftOut) {
    if (this.#list.childElementCount > 0 && JSON.stringify([events, leftOut]) === JSON.stringify([this.#events, this.#leftOut])) return;
    this.#events = events;
    this.#leftOut = leftOut;
    setText(this.#count, String(events.length + leftOut));
    const kinds = [...new Set(events.map((e) => e.kind))];
    for (const kind of kinds) if (!this.#filters.querySelector(`[data-kind="${kind}"]`)) this.#filters.append(this.#filter(kind));
    this.#filters.hidden = kinds.length < 2;
    const focused = [...this.#list.children].findIndex((row) => row.contains(document.activeElement));
    this.#draw();
    /** @type {HTMLElement|null|undefined} */ (this.#list.children[focused]?.querySelector('.event'))?.focus({ preventScroll: true });
  }

  /** Marks the event that was last. @param {number} place In s. */
  show(place) {
    const current = this.#shown.findLastIndex((e) => e.startS <= place + 0.01);
    if (current === this.#current) return;
    for (const [index, at] of [[this.#current, 'false'], [current, 'true']]) {
      const element = /** @type {HTMLElement|undefined} */ (this.#list.children[Number(index)]);
      if (element) setData(element, { now: String(at) });
    }
    this.#current = current;
    const element = /** @type {HTMLElement|undefined} */ (this.#list.children[current]);
    if (!element || this.#list.matches(':hover')) return; // somebody is reading elsewhere
    const above = element.offsetTop - this.#list.offsetTop;
    const { scrollTop, clientHeight } = this.#list;
    if (above < scrollTop || above + element.offsetHeight > scrollTop + clientHeight) this.#list.scrollTop = above - clientHeight / 3;
  }

  #draw() {
    this.#shown = this.#events.filter((e) => !this.#hidden.has(e.kind)).slice(0, this.#most);
    this.#current = -1;
    this.#list.replaceChildren(...this.#shown.map((e) => this.#row(e)));
    if (this.#shown.length === 0) this.#list.append(make('li', { class: 'hint' }, 'Nothing was marked, driven, refused or stopped.'));
    if (this.#leftOut > 0) this.#list.append(make('li', { class: 'hint' }, `${this.#leftOut} more are only in the file.`));
    this.#more.hidden = this.#events.filter((e) => !this.#hidden.has(e.kind)).length <= this.#most;
  }

  /** @param {TimelineEvent} e */
  #row(e) {
    const until = e.endS === null ? '' : ` to ${placeWords(e.endS)}`;
    const button = make('button', { type: 'button', class: 'event', 'data-kind': e.kind, 'data-place': String(e.startS) },
      make('span', { class: 'event-place', title: `${placeWords(e.startS)}${until}` }, placeWords(e.startS)),
      make('span', { class: 'event-kind' }, EVENT_NAMES[e.kind]), make('span', { class: 'event-text' }, eventWords(e)));
    button.addEventListener('click', () => this.#go(e.startS));
    return make('li', {}, button);
  }

  /** @param {TimelineEvent['kind']} kind */
  #filter(kind) {
    const button = make('button', { type: 'button', class: 'button', 'aria-pressed': 'true', 'data-kind': kind }, EVENT_NAMES[kind]);
    button.addEventListener('click', () => {
      if (!this.#hidden.delete(kind)) this.#hidden.add(kind);
      button.setAttribute('aria-pressed', String(!this.#hidden.has(kind)));
      this.#draw();
    });
    return button;
  }
}
