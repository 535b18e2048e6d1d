/** @file The list of recordings. */

import { RECORDER, recording } from '../proto/recorder.js';
import { messages, text } from '../proto/json.js';
import { writeSpot } from '../playback/spot.js';
import { describeState } from './devicewords.js';
import { byId, make, setText } from './dom.js';
import { replayedFrom } from './recorderwords.js';
import { emptyWords, placeWords, sizeWords, startWords } from './recordingwords.js';

/** How often the list is asked for while it is looked at, in ms. */
const EVERY_MS = 3000;
/** How many recordings a recorder is asked for at once. */
const PAGE = 100;
/** How many marks of a recording are named. */
const NAMED = 3;

/**
 * @typedef {import('../proto/recorder.js').Recording} Recording
 * @typedef {Recording & {recorder: string}} Listed
 */

/** The table. It is kept up to date while it is shown. */
export class RecordingList {
  /** @type {Listed[]} The newest first. */
  recordings = [];

  #robot;
  #section = byId('list', HTMLElement);
  #rows = byId('list-rows', HTMLTableSectionElement);
  #more = byId('list-more', HTMLButtonElement);
  #problem = byId('list-problem', HTMLElement);
  #notice = byId('list-notice', HTMLElement);
  #noted = '';
  #asking = false;
  #listed = false;
  #asked = -Infinity;
  #most = PAGE;
  #shown = '';
  /** Those that were deleted here. A list that was asked for before may still have them. */
  #dropped = new Set();

  /** @param {import('../robot/robot.js').Robot} robot */
  constructor(robot) {
    this.#robot = robot;
    this.#more.addEventListener('click', () => this.#older());
  }

  /**
   * Whether all recordings are known that were made since a time. Asks for older ones if they are not.
   * @param {number} atMs Unix time in ms.
   */
  reaches(atMs) {
    if (!this.#listed) return false;
    const begun = (/** @type {string} */ name) => this.recordings.some((r) => r.recorder === name && (r.startMs ?? Infinity) <= atMs);
    if (this.#more.hidden || this.recorders.every(begun)) return true;
    if (!this.#asking) this.#older();
    return false;
  }

  #older() {
    this.#most += PAGE;
    void this.refresh();
  }

  /**
   * Says above the list why the address does not lead to a recording.
   * @param {string} text Empty: nothing is to be said.
   * @param {{recorder: string, name: string, place: number, atMs: number}|null} [nearest] Where else it could lead.
   */
  note(text, nearest = null) {
    const href = nearest && writeSpot({ ...nearest, recorder: this.recorders.length > 1 ? nearest.recorder : '' });
    const noted = JSON.stringify([text, href]);
    if (noted === this.#noted) return;
    this.#noted = noted;
    this.#notice.hidden = text === '';
    this.#notice.replaceChildren(text, ...(nearest && href ? [make('a', { href }, startWords(nearest.atMs)), '.'] : []));
  }

  /** Names of the recorders of the robot. */
  get recorders() {
    return this.#robot.devices.filter((d) => d.kind === 'recorder').map((d) => d.name);
  }

  /** @param {boolean} on Whether it is what is looked at. */
  show(on) {
    this.#section.hidden = !on;
    if (on) void this.refresh();
  }

  /** A recording was deleted. @param {string} recorder @param {string} name */
  drop(recorder, name) {
    this.#dropped.add(`${recorder}/${name}`);
    this.#take(this.recordings);
  }

  /** Updates what changes with time. Called several times a second. */
  tick() {
    this.#showEmpty();
    if (!this.#section.hidden && performance.now() - this.#asked > EVERY_MS) void this.refresh();
  }

  /** Asks all recorders. */
  async refresh() {
    if (this.#asking || this.#robot.state !== 'live' || this.recorders.length === 0) return;
    this.#asking = true;
    this.#asked = performance.now();
    /** @type {Listed[]} */
    const all = [];
    const problems = [];
    let more = false;
    for (const recorder of this.recorders) {
      try {
        more = await this.#ask(recorder, all) || more;
        this.#listed = true;
      } catch (error) {
        problems.push(this.#why(recorder, /** @type {Error} */ (error)));
        all.push(...this.recordings.filter((r) => r.recorder === recorder)); // as they were
      }
    }
    this.#asking = false;
    this.#more.hidden = !more;
    setText(this.#problem, problems.join(' '));
    this.#problem.hidden = problems.length === 0;
    this.#take(all);
  }

  /** @param {Listed[]} all */
  #take(all) {
    const kept = all.filter((r) => !this.#dropped.has(`${r.recorder}/${r.name}`));
    this.recordings = kept.sort((a, b) => (b.startMs ?? 0) - (a.startMs ?? 0));
    this.#draw();
  }

  /** @param {string} recorder @param {Listed[]} to @returns {Promise<boolean>} Whether there are more. */
  async #ask(recorder, to) {
    let token = '';
    for (let left = this.#most; left > 0;) {
      const answer = await this.#robot.call(recorder, RECORDER.list, { pageSize: Math.min(left, PAGE), pageToken: token });
      const page = messages(answer.recordings).map((r) => ({ ...recording(r), recorder }));
      to.push(...page);
      token = text(answer.nextPageToken);
      if (token === '' || page.length === 0) return false;
      left -= page.length;
    }
    return true;
  }

  /** @param {string} recorder @param {Error} error */
  #why(recorder, error) {
    const device = this.#robot.devices.find((d) => d.name === recorder);
    if (device && (device.gone || device.state === 'away')) {
      const { text: state, why } = describeState(device);
      return `${recorder} is ${state.toLowerCase()}: ${why}. Its recordings appear when it is back.`;
    }
    return `${recorder}: ${error.message}`;
  }

  #draw() {
    const several = this.recorders.length > 1;
    const drawn = JSON.stringify([this.recordings, several]);
    if (drawn === this.#shown) return;
    this.#shown = drawn;
    const kept = this.#focused();
    this.#rows.replaceChildren(...this.recordings.map((r) => row(r, several)));
    if (kept) /** @type {HTMLElement|null} */ (this.#rows.querySelector(`a[href="${CSS.escape(kept)}"]`))?.focus();
    byId('list-table', HTMLElement).hidden = this.recordings.length === 0;
    setText(byId('list-count', HTMLElement), this.recordings.length > 0 ? String(this.recordings.length) : '');
    this.#showEmpty();
  }

  /** Where the link leads that has the focus. */
  #focused() {
    const { activeElement } = document;
    return activeElement && this.#rows.contains(activeElement) ? activeElement.getAttribute('href') : null;
  }

  #showEmpty() {
    const words = this.recordings.length > 0 ? null : emptyWords({
      live: this.#robot.state === 'live', complete: this.#robot.complete, refusal: this.#robot.refusal,
      recorders: this.recorders.length, listed: this.#listed, replayed: this.#robot.devices.map(replayedFrom).find((name) => name !== '') ?? '',
    });
    byId('list-empty', HTMLElement).hidden = words === null;
    if (words === null) return;
    setText(byId('empty-title', HTMLElement), words.title);
    setText(byId('empty-text', HTMLElement), words.text);
    byId('empty-code', HTMLElement).hidden = !words.code;
  }
}

/** @param {Listed} r @param {boolean} several Whether the recorder has to be named. */
function row(r, several) {
  const link = make('a', { href: writeSpot({ recorder: several ? r.recorder : '', name: r.name }), title: r.name }, startWords(r.startMs));
  const start = make('th', { scope: 'row' }, link);
  if (r.open) start.append(make('span', { class: 'tag', 'data-tag': 'open' }, 'recording'));
  if (several) start.append(make('span', { class: 'count' }, ` ${r.recorder}`));
  if (r.problem) start.append(make('span', { class: 'row-problem' }, r.problem));
  return make('tr', { 'data-recording': r.name }, start,
    make('td', { class: 'number', 'data-label': 'duration' }, placeWords(r.durationMs / 1000, false)),
    make('td', { class: 'number', 'data-label': 'size' }, sizeWords(r.bytes)),
    make('td', { class: 'kind' }, r.devices.join(', ')),
    make('td', { class: 'row-marks' }, ...markWords(r)));
}

/** @param {Recording} r @returns {(Node|string)[]} */
function markWords({ marks }) {
  const named = marks.slice(0, NAMED).map((m) => make('span', { class: 'tag', 'data-tag': 'mark' }, m.text));
  return marks.length > NAMED ? [...named, `and ${marks.length - NAMED} more`] : named;
}
