/** @file The sound of one device, both ways, for as long as the program wants it. */

import { create } from '@bufbuild/protobuf';
import { AudioService, AudioTap, StreamAudioRequestSchema } from '#gen/waldo/audio/v1/audio_pb.js';
import { Levels } from '#web/media/levels.js';
import { blame } from './blame.js';
import { audioFormat, blockOf, choose, whole } from './frame.js';
import { iterate } from './reading.js';
import { Talk } from './talk.js';

export { Talk };

/** How many blocks may be on their way. */
const WINDOW = 8;
/** Sound that has not arrived for this long has stopped, in ms. */
const STALE_MS = 500;

/**
 * @typedef {import('./frame.js').AudioBlock} AudioBlock
 * @typedef {import('./frame.js').AudioOptions} AudioOptions
 *
 * @typedef {object} SoundState
 * @property {'off'|'waiting'|'live'|'stale'} state
 * @property {import('./blame.js').Reason|''} reason
 * @property {string} text Why it is not live, for people; empty when it is.
 */

/** @type {SoundState} */
const OFF = { state: 'off', reason: '', text: '' };
/** @type {SoundState} */
const LIVE = { state: 'live', reason: 'ok', text: '' };

/** One listener. Made by `sound.listen()`; read it with `for await`. */
export class Listening {
  #reading;

  /** @param {import('./reading.js').Reading<AudioBlock>} reading */
  constructor(reading) {
    this.#reading = reading;
  }

  /** How many blocks the device left out because this program was too slow. */
  get dropped() {
    return this.#reading.dropped;
  }

  /** The blocks, until {@link Listening.stop}. */
  [Symbol.asyncIterator]() {
    return iterate(() => this.#reading);
  }

  /** Ends listening. It may be called more than once. */
  stop() {
    this.#reading.close();
  }
}

/**
 * The sound of one device. Made by `robot.audio(name)`.
 *
 * Events: `state` when {@link Sound.hearing} or {@link Sound.talking} changes.
 */
export class Sound extends EventTarget {
  /** Name of the device. */
  device;

  #ways;
  /** @type {(stream: string) => import('./stream.js').Stream} */
  #stream;
  /** @type {Set<import('./reading.js').Reading<AudioBlock>>} */
  #readings = new Set();
  #heardMs = -Infinity;
  /** Why the stream has broken; empty while it has not. */
  #lost = '';
  /** @type {import('./blame.js').Surroundings|null} */
  #around = null;
  /** @type {Talk|null} */
  #talk = null;
  #hearing = OFF;
  #talking = OFF;
  /** @type {Levels|null} */
  #levels = null;

  /**
   * @param {string} device @param {import('./ways.js').Ways} ways
   * @param {(stream: string) => import('./stream.js').Stream} stream
   */
  constructor(device, ways, stream) {
    super();
    this.device = device;
    this.#ways = ways;
    this.#stream = stream;
  }

  /** The state of listening now. */
  get hearing() {
    return this.#hearing;
  }

  /** The state of talking now. */
  get talking() {
    return this.#talking;
  }

  /** The sound levels, and who talks; the device measures from the first access until they are closed. */
  get levels() {
    this.#levels ??= new Levels(/** @type {any} */ (this.#stream('levels')), this.#ways.env,
      () => (this.#levels = null));
    return this.#levels;
  }

  /** A listener of its own, with the device's own format. */
  [Symbol.asyncIterator]() {
    return this.listen()[Symbol.asyncIterator]();
  }

  /**
   * Listens to the device's microphone. A program that is too slow loses the oldest sound, so its delay does not grow.
   * @param {AudioOptions} [options]
   * @returns {Listening} The caller stops it; each caller has its own.
   */
  listen(options = {}) {
    const request = create(StreamAudioRequestSchema, {
      format: audioFormat(options),
      blockSamples: whole('blockSamples', options.blockSamples ?? 0, 0, 48_000),
      tap: choose('tap', options.tap ?? 'microphone', { microphone: AudioTap.MICROPHONE, speaker: AudioTap.SPEAKER }),
    });
    const reading = this.#ways.read(this.device, AudioService.method.streamAudio, request, WINDOW,
      ({ frame, droppedCount: n }) => ({ value: frame && blockOf(frame, Number(n)), dropped: Number(n) }), {
        onArrival: () => {
          this.#lost = '';
          this.#heardMs = performance.now();
        },
        onLost: (why) => {
          this.#lost = why;
          if (this.#around) this.tick(this.#around);
        },
        onClose: () => this.#readings.delete(reading),
      });
    this.#readings.add(reading);
    return new Listening(reading);
  }

  /**
   * Plays sound on the device's speaker, mixed with that of others. The device takes it at the speed at which it plays,
   * and holds the source back. What is said while the device is away is lost.
   * @param {import('./talk.js').SoundSource} source Blocks of samples: `Int16Array`, `Float32Array`, an AudioBlock, or
   *   bytes in the format of the options.
   * @param {Pick<AudioOptions, 'format'|'rate'|'channels'>} [options] Of the source; AudioBlocks know theirs.
   * @returns {Talk} A sound has one talk: a new one ends the current one.
   */
  talk(source, options = {}) {
    this.#talk?.stop();
    const talk = new Talk(this.device, source, options, this.#ways, {
      onLost: () => this.#around && this.tick(this.#around),
      onEnd: () => {
        if (this.#talk === talk) this.#talk = null;
      },
    });
    this.#talk = talk;
    return talk;
  }

  /** Ends all listening and talking. */
  close() {
    for (const reading of this.#readings) reading.close();
    this.#talk?.stop();
    this.#levels?.close();
  }

  /**
   * For the robot: judges both directions. Called every few dozen ms.
   * @param {import('./blame.js').Surroundings} around
   */
  tick(around) {
    this.#around = around;
    const [hearing, talking] = [this.#hear(around), this.#speak(around)];
    if (same(hearing, this.#hearing) && same(talking, this.#talking)) return;
    this.#hearing = hearing;
    this.#talking = talking;
    this.dispatchEvent(new CustomEvent('state', { detail: { hearing, talking } }));
  }

  /** @param {import('./blame.js').Surroundings} around @returns {SoundState} */
  #hear(around) {
    if (this.#readings.size === 0) return OFF;
    if ([...this.#readings].some((r) => r.full)) this.#heardMs = performance.now();
    if (around.link !== 'closed' && this.#lost === '' && performance.now() - this.#heardMs < STALE_MS) return LIVE;
    const [reason, text] = blame({ ...around, lost: this.#lost, noun: 'sound' });
    return { state: this.#heardMs === -Infinity ? 'waiting' : 'stale', reason, text };
  }

  /** @param {import('./blame.js').Surroundings} around @returns {SoundState} */
  #speak(around) {
    if (!this.#talk) return OFF;
    if (this.#talk.live) return LIVE;
    const [reason, text] = blame({ ...around, lost: this.#talk.why, noun: 'sound' });
    return { state: this.#talk.begun ? 'stale' : 'waiting', reason, text };
  }
}

/** @param {SoundState} a @param {SoundState} b */
function same(a, b) {
  return a.state === b.state && a.reason === b.reason && a.text === b.text;
}
