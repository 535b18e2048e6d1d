/** @file How to learn more of the drive at the place that is shown: the way from a recording to the audit log. */

import { commandLine } from './commandline.js';
import { make } from './dom.js';
import { auditCommand } from './recordingwords.js';

/** How far from a drive a place may be, in s: addresses name places in milliseconds. */
const NEAR_S = 0.01;
/** How many devices that are driven at the same time are shown. */
const MOST = 8;

/** @typedef {import('../proto/recorder.js').TimelineEvent} TimelineEvent */

/** The panel. It is hidden where nobody drove. */
export class AuditPanel {
  element = make('section', { class: 'panel audit', 'aria-label': 'Audit', hidden: '' });

  /** @type {TimelineEvent[]} */
  #drives = [];
  #startMs;
  #announce;
  #shown = '';

  /**
   * @param {number|null} startMs When the recording began, Unix time; null if it is not known.
   * @param {(text: string) => void} announce
   */
  constructor(startMs, announce) {
    this.#startMs = startMs;
    this.#announce = announce;
  }

  /** Takes what is known of the recording now. @param {readonly TimelineEvent[]} events */
  update(events) {
    this.#drives = events.filter((e) => e.kind === 'drive');
  }

  /** @param {number} place In s. */
  show(place) {
    const drives = this.#drives.filter((e) => e.startS <= place + NEAR_S && place <= (e.endS ?? e.startS) + NEAR_S).slice(0, MOST);
    const start = this.#startMs;
    const commands = start === null ? [] : drives.map((e) => auditCommand(start, e));
    if (commands.join('\n') === this.#shown) return;
    this.#shown = commands.join('\n');
    this.element.hidden = commands.length === 0;
    this.element.replaceChildren(make('h2', {}, 'This drive'),
      make('p', { class: 'hint' }, 'For each of its commands, what the driver had seen and what became of it, run on the robot:'),
      ...commands.map((c) => commandLine(c, this.#announce)));
  }
}
