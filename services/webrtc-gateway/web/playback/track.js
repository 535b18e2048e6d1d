/** @file One recorded stream in a media element, by MSE: it is fetched in pieces around the place where it plays. */

import { coveredUntil, enoughAt, MOST_BYTES, toAsk, toDrop, withPiece } from './plan.js';

/** How long to wait before a piece is asked for again, in ms. */
const AGAIN_MS = 1000;
/** A place that is so little outside of what the element has is as good as inside, in s: two pictures of a slow camera. */
const EDGE_S = 0.3;
/**
 * Further off than this, the element jumps; between the two, it goes a little faster or slower. Sound is bent only when
 * it is so far off that one sees it, because one hears that. In s.
 */
const JUMP_S = 0.3;
const STEP_S = { video: 0.01, audio: 0.08 };
/** How much faster or slower it goes per second that it is off, and at most. */
const GAIN = 1.5;
const MOST_NUDGE = 0.15;
/** Elements go no slower and no faster. */
const RATES = /** @type {const} */ ([0.07, 15]);

/**
 * What there is of the stream at the place: a picture or sound; nothing, because nothing was recorded; not yet.
 * @typedef {'ready'|'empty'|'missing'|'failed'} TrackState
 *
 * @typedef {object} TrackEnv
 * @property {() => MediaSource} newSource Makes a source for an element.
 * @property {(source: MediaSource) => string} url Makes its address. @property {(url: string) => void} forget Ends it.
 * @property {() => number} now In ms.
 */

/** @returns {typeof MediaSource|undefined} What the browser has for it; phones have another. */
export function mediaSources() {
  const { ManagedMediaSource, MediaSource: plain } = /** @type {any} */ (globalThis);
  return plain ?? ManagedMediaSource;
}

/** @returns {TrackEnv} */
export function trackEnv() {
  return {
    newSource: () => new /** @type {typeof MediaSource} */ (mediaSources())(),
    url: (source) => URL.createObjectURL(source),
    forget: (url) => URL.revokeObjectURL(url),
    now: () => performance.now(),
  };
}

/** Fetches a stream and keeps its element at the place. Nothing is fetched before {@link Track.tick} is called. */
export class Track {
  /** Why it is not shown, for people; empty if nothing is wrong. */
  problem = '';

  #element;
  #source;
  #env;
  #duration;
  #growing;
  #kind;
  #codec;
  #media;
  #url;
  /** @type {SourceBuffer|null} */
  #buffer = null;
  /** @type {import('./plan.js').Held[]} */
  #held = [];
  #most = MOST_BYTES;
  /** @type {AbortController|null} What is being fetched. */
  #fetching = null;
  /** Where the piece after the one that was appended last begins, if it follows it. */
  #follows = -1;
  #notBefore = 0;
  /** Where pieces begin that were fetched again, because the browser had let go of them. */
  #again = new Set();
  #final = false;
  #closed = false;

  /**
   * @param {HTMLMediaElement} element
   * @param {import('./pieces.js').Source} source
   * @param {{kind: 'video'|'audio', codec: string, duration: number, growing?: boolean}} of The duration of the recording, in
   *   s, and whether it is still being made.
   * @param {TrackEnv} env
   */
  constructor(element, source, { kind, codec, duration, growing = false }, env) {
    this.#element = element;
    this.#source = source;
    this.#env = env;
    this.#duration = duration;
    this.#growing = growing;
    this.#kind = kind;
    this.#codec = codec;
    this.#media = env.newSource();
    this.#media.addEventListener('sourceopen', () => this.#open());
    element.disableRemotePlayback = true; // what phones ask of elements with such a source
    this.#url = env.url(this.#media);
    element.src = this.#url;
  }

  /** @param {number} place In s. @returns {TrackState} */
  stateAt(place) {
    if (this.#final) return 'failed';
    if (this.#target(place) !== null) return 'ready';
    return coveredUntil(this.#held, place) > place ? 'empty' : 'missing';
  }

  /**
   * Whether there is enough to go on at a place.
   * @param {number} place @param {number} speed
   */
  enough(place, speed) {
    const until = Math.min(place + enoughAt(speed), this.#duration - 0.001);
    return this.#final || this.stateAt(place) !== 'missing' && coveredUntil(this.#held, place) >= until;
  }

  /**
   * How far the element is from a place while it plays there.
   * @param {number} place In s.
   * @returns {number|null} In s; null if it does not play.
   */
  off(place) {
    const target = this.#target(place);
    return target !== place || this.#element.paused || this.#element.seeking ? null : this.#element.currentTime - place;
  }

  /** How much is held, in bytes. */
  get bytes() {
    return this.#held.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /**
   * Keeps the element at the place, and what it has around it. Called many times a second.
   * @param {number} place In s. @param {number} speed @param {boolean} moving
   */
  tick(place, speed, moving) {
    this.#follow(place, speed, moving);
    if (this.#buffer === null || this.#final || this.#buffer.updating || this.#media.readyState === 'closed') return;
    this.#missed(place);
    const facts = { held: this.#held, place, speed, duration: this.#duration, most: this.#most };
    const drop = toDrop(facts);
    if (drop) {
      this.#held = this.#held.filter((h) => h !== drop);
      this.#buffer.remove(drop.start, drop.end);
      return;
    }
    const ask = toAsk(facts);
    if (this.#fetching || ask === null || this.#env.now() < this.#notBefore) return;
    void this.#fetch(ask);
  }

  /**
   * More of the recording is there, or it is complete.
   * @param {number} duration In s. @param {boolean} growing
   */
  grow(duration, growing) {
    this.#duration = duration;
    this.#growing = growing;
    // The last piece was cut where the recording ended then.
    this.#held = this.#held.filter(({ last }) => !last);
    this.#follows = -1;
  }

  /** The place has jumped: what is on its way is not wanted any more. */
  jump() {
    this.#fetching?.abort();
    this.#fetching = null;
    this.#notBefore = 0;
  }

  /** Ends it; the element is empty then. */
  close() {
    this.#closed = true;
    this.jump();
    this.#element.removeAttribute('src');
    this.#element.load();
    this.#env.forget(this.#url);
  }

  #open() {
    if (this.#buffer !== null || this.#closed) return;
    try {
      this.#buffer = this.#media.addSourceBuffer(this.#type(this.#codec));
      // Otherwise the element is as long as what it has.
      this.#media.duration = this.#duration + 1;
    } catch {
      this.#fail(unplayable(this.#codec));
    }
  }

  /** @param {string} codec */
  #type(codec) {
    return `${this.#kind}/mp4; codecs="${codec}"`;
  }

  /**
   * Where the element has to be for a place.
   * @param {number} place
   * @returns {number|null} Null if it has nothing there.
   */
  #target(place) {
    const { buffered } = this.#element;
    let near = null;
    for (let i = 0; i < buffered.length; i += 1) {
      const [start, end] = [buffered.start(i), buffered.end(i)];
      if (start <= place && place < end) return place;
      if (start - EDGE_S <= place && place < end + EDGE_S) near ??= Math.max(start, Math.min(end - 0.001, place));
    }
    return near;
  }

  /**
   * Whether the element has everything between where it is and a target. A seek to the end of what it has does not come to
   * an end before more comes there, and nothing may come if the place has left.
   * @param {number} target
   */
  #joined(target) {
    const { buffered, currentTime } = this.#element;
    for (let i = 0; i < buffered.length; i += 1) {
      const [start, end] = [buffered.start(i), buffered.end(i)];
      if (start <= target && target < end) return start <= currentTime && currentTime < end;
    }
    return false;
  }

  /**
   * Browsers let go of what they have when they run short. What should be at the place and is not is fetched again, once:
   * then there is a hole in the stream.
   * @param {number} place
   */
  #missed(place) {
    if (this.#target(place) !== null) return;
    const gone = this.#held.find((h) => h.bytes > 0 && h.from <= place && place < h.end && h.end !== Infinity);
    if (!gone || this.#again.has(gone.start)) return;
    this.#again.add(gone.start);
    this.#held = this.#held.filter((h) => h !== gone);
    this.#follows = -1;
  }

  /** @param {number} place @param {number} speed @param {boolean} moving */
  #follow(place, speed, moving) {
    const element = this.#element;
    const target = this.#target(place);
    const busy = element.seeking && target !== null && this.#joined(target);
    if (target === null || !moving) {
      if (!element.paused) element.pause();
      if (target !== null && Math.abs(element.currentTime - target) > 0.001 && !busy) element.currentTime = target;
      return;
    }
    const off = element.currentTime - target;
    if (Math.abs(off) > JUMP_S * Math.max(1, speed) && !busy) element.currentTime = target;
    const nudge = Math.abs(off) < STEP_S[this.#kind] ? 0 : Math.max(-MOST_NUDGE, Math.min(MOST_NUDGE, -off * GAIN / Math.max(1, speed)));
    const rate = Math.max(RATES[0], Math.min(RATES[1], speed * (1 + nudge)));
    if (Math.abs(element.playbackRate - rate) > 0.004) element.playbackRate = rate;
    if (element.paused) element.play().catch(() => {}); // it was paused again
  }

  /** @param {number} place */
  async #fetch(place) {
    const fetching = new AbortController();
    this.#fetching = fetching;
    const end = this.#growing ? this.#duration : Infinity;
    try {
      for (let at = /** @type {number|null} */ (place); at !== null;) at = await this.#fetchOn(at, place, end, fetching);
      if (this.#fetching !== fetching) return;
      this.problem = '';
    } catch (error) {
      if (this.#fetching !== fetching) return;
      const { message, final = false } = /** @type {import('./pieces.js').SourceError} */ (error);
      this.#notBefore = this.#env.now() + AGAIN_MS;
      if (final) this.#fail(message);
      else this.problem = message;
    } finally {
      if (this.#fetching === fetching) this.#fetching = null;
    }
  }

  /**
   * Fetches a piece on the way to a place.
   * @param {number} at @param {number} place @param {number} end @param {AbortController} fetching
   * @returns {Promise<number|null>} Where to go on: a long group of pictures is in several pieces, and a picture needs
   *   all those before it.
   */
  async #fetchOn(at, place, end, fetching) {
    const piece = await this.#source(at, this.#follows !== at, fetching.signal);
    if (this.#fetching !== fetching) return null;
    const { offset, next } = piece;
    const short = next !== null && next < place && next > (at === place ? offset : at);
    if (!(await this.#take(short ? Math.min(at, offset) : at, piece, end)) || this.#fetching !== fetching) return null;
    if (short) return next;
    // A recorder that does not get there is not asked for the same again and again.
    if (coveredUntil(this.#held, place) <= place) this.#held = withPiece(this.#held, { start: place, from: place, end: place + 1, bytes: 0 });
    return null;
  }

  /**
   * @param {number} asked @param {import('./pieces.js').Piece} piece @param {number} end Until when nothing comes after the last piece.
   * @returns {Promise<boolean>} Whether there was room for it.
   */
  async #take(asked, piece, end) {
    const buffer = this.#buffer;
    if (buffer === null || this.#closed) return false;
    // A recorder that does not get ahead is not asked for the same again and again.
    const next = piece.next !== null && piece.next <= asked ? asked + 1 : piece.next;
    const held = {
      start: Math.min(asked, piece.offset), from: piece.offset, end: next ?? Math.max(end, asked + 0.001), bytes: piece.bytes, last: next === null,
    };
    if (piece.bytes > 0) {
      if (piece.codec !== '' && piece.codec !== this.#codec) {
        if (!mediaSources()?.isTypeSupported(this.#type(piece.codec))) throw Object.assign(new Error(unplayable(piece.codec)), { final: true });
        buffer.changeType(this.#type(piece.codec));
        this.#codec = piece.codec;
      }
      if (!(await this.#append(buffer, piece.data))) return false;
    }
    this.#follows = next ?? -1;
    this.#held = withPiece(this.#held, held);
    if (next === null && !this.#growing && this.#media.readyState === 'open' && !buffer.updating) this.#media.endOfStream();
    return true;
  }

  /**
   * @param {SourceBuffer} buffer @param {BufferSource} data
   * @returns {Promise<boolean>} False: the browser had no room, and some is being made.
   */
  async #append(buffer, data) {
    const ended = new Promise((done, failed) => {
      buffer.addEventListener('updateend', done, { once: true });
      buffer.addEventListener('error', () => failed(Object.assign(new Error(`${BROKEN}.`), { final: true })), { once: true });
    });
    try {
      buffer.appendBuffer(data);
    } catch (error) {
      if (/** @type {DOMException} */ (error).name !== 'QuotaExceededError') throw Object.assign(new Error(BROKEN), { final: true });
      this.#most = Math.min(this.#most, this.bytes) * 0.7;
      return false;
    }
    await ended;
    return true;
  }

  /** @param {string} problem */
  #fail(problem) {
    this.problem = problem;
    this.#final = true;
  }
}

const BROKEN = 'The browser cannot decode this stream';

/** @param {string} codec What to say of a stream that the browser does not play. */
export function unplayable(codec) {
  return `This browser does not play ${codec || 'it'}`;
}
