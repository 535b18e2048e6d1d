/** @file The clock of a recording that plays: all its tracks are kept at one place, and wait for one another. */

/** @typedef {import('./track.js').Track} Track */
/** @typedef {Pick<Track, 'stateAt'|'enough'|'tick'|'jump'|'close'|'off'|'grow'>} Player */

/** How much of what the leading sound is off the clock takes over, each tick; and the most that is taken over, in s. */
const GIVE = 0.2;
const MOST_OFF_S = 0.3;

/** At the end of a recording that is still being made, this much has to come before it goes on, in s. */
export const EDGE_S = 5;

/** How fast a recording can be played. */
export const SPEEDS = [0.1, 0.25, 0.5, 1, 2, 5, 10];

/**
 * Plays several tracks in step. Its events: `change` when it plays, pauses, waits, or has jumped.
 */
export class Stage extends EventTarget {
  /** Whether it should play. */
  playing = false;
  /** Whether it stands still because something has not arrived yet. */
  waiting = false;

  #duration;
  #growing;
  #now;
  /** @type {Player[]} */
  #tracks = [];
  /** @type {Player|null} The sound that the clock follows. */
  #leader = null;
  #speed = 1;
  #base = 0;
  #since = 0;

  /** @param {number} duration In s. @param {() => number} now In ms. @param {boolean} [growing] Whether it is still being made. */
  constructor(duration, now, growing = false) {
    super();
    this.#duration = duration;
    this.#growing = growing;
    this.#now = now;
  }

  /**
   * @param {Player} track
   * @param {boolean} [leads] Whether it is a sound: the clock follows the first of them, as one hears when it is bent.
   */
  add(track, leads = false) {
    this.#tracks.push(track);
    if (leads) this.#leader ??= track;
  }

  get duration() {
    return this.#duration;
  }

  /** The place, in s. */
  get place() {
    if (!this.playing || this.waiting) return this.#base;
    return Math.min(this.#duration, this.#base + (this.#now() - this.#since) / 1000 * this.#speed);
  }

  get speed() {
    return this.#speed;
  }

  set speed(speed) {
    this.#rest();
    this.#speed = speed;
    this.#changed();
  }

  /**
   * More of the recording is there, or it is complete. The place stays.
   * @param {number} duration In s. @param {boolean} growing
   */
  grow(duration, growing) {
    this.#rest();
    this.#duration = duration;
    this.#growing = growing;
    for (const track of this.#tracks) track.grow(duration, growing);
    this.tick();
  }

  /** Plays on; from the beginning if it is at the end. */
  play() {
    if (this.playing) return;
    if (this.#base >= this.#duration && !this.#growing) this.seek(0);
    this.playing = true;
    this.waiting = true; // until the next tick knows better
    this.#changed();
    this.tick();
  }

  pause() {
    this.#rest();
    this.playing = false;
    this.waiting = false;
    this.#changed();
    this.tick();
  }

  /** @param {number} place In s. */
  seek(place) {
    this.#base = Math.min(this.#duration, Math.max(0, place));
    this.#since = this.#now();
    for (const track of this.#tracks) track.jump();
    this.#changed();
    this.tick();
  }

  /** Moves everything on. Called many times a second. */
  tick() {
    this.#judge();
    const moving = this.playing && !this.waiting;
    if (moving) this.#listen();
    const { place } = this;
    for (const track of this.#tracks) track.tick(place, this.#speed, moving);
  }

  /** Ends it. */
  close() {
    for (const track of this.#tracks.splice(0)) track.close();
  }

  #judge() {
    if (!this.playing) return;
    const { place } = this;
    if (place >= this.#duration && !this.#growing) {
      this.pause();
      return;
    }
    // Once it waits, it goes on when there is enough to go on for a while.
    const edge = this.#growing && place >= this.#duration - (this.waiting ? EDGE_S - 1 : 0);
    const wait = edge || (this.waiting
      ? this.#tracks.some((t) => !t.enough(place, this.#speed)) : this.#tracks.some((t) => t.stateAt(place) === 'missing'));
    if (wait === this.waiting) return;
    this.#rest();
    this.waiting = wait;
    this.#changed();
  }

  /** Goes a little to where the sound is. */
  #listen() {
    const off = this.#leader?.off(this.place) ?? null;
    if (off === null || Math.abs(off) > MOST_OFF_S) return;
    this.#rest();
    this.#base = Math.min(this.#duration, Math.max(0, this.#base + off * GIVE));
  }

  /** Keeps the place while what it depends on changes. */
  #rest() {
    this.#base = this.place;
    this.#since = this.#now();
  }

  #changed() {
    this.dispatchEvent(new Event('change'));
  }
}
