/** @file Playing sound on the speaker of one device. */

import { setTimeout as sleep } from 'node:timers/promises';
import { create } from '@bufbuild/protobuf';
import { AudioService, PlayAudioRequestSchema } from '#gen/waldo/audio/v1/audio_pb.js';
import { AudioBlock, audioFormat } from './frame.js';
import { callError, failure, isFinal } from './status.js';

/** The rate of samples that do not say it, in Hz. */
const USUAL_RATE = 48_000;
/** One block is bounded, in bytes. */
const MOST_BYTES = 1024 * 1024;

/**
 * @typedef {Uint8Array|Int16Array|Float32Array|AudioBlock} SoundBlock
 * @typedef {AsyncIterable<SoundBlock>|Iterable<SoundBlock>} SoundSource
 * @typedef {Pick<import('./frame.js').AudioOptions, 'format'|'rate'|'channels'>} Form
 * @typedef {import('#gen/waldo/audio/v1/audio_pb.js').PlayAudioRequest} PlayAudioRequest
 * @typedef {import('@grpc/grpc-js').ClientWritableStream<import('@bufbuild/protobuf').Message>} Call
 */

/** One talk. Made by `sound.talk()`. */
export class Talk {
  /**
   * Resolves when everything has been played or the talk was stopped, with how much was played, in ms; rejects with a
   * CallError if the device refuses, and with the error of the source if that fails.
   * @type {Promise<number>}
   */
  done;
  /** Whether sound reaches the device now. */
  live = false;
  /** Whether it ever did. */
  begun = false;
  /** Why it does not. */
  why = '';

  #device;
  #source;
  /** @type {Form} */
  #form;
  #ways;
  #onLost;
  /** @type {Call|null} */
  #call = null;
  /** @type {Promise<number>} How much the current call has played. */
  #played = Promise.resolve(0);
  #playedMs = 0;
  #stopped = false;
  /** Ends {@link Talk.#stop}. */
  #end = () => {};
  /** @type {Promise<void>} Resolves when the talk is to end. */
  #stop = new Promise((resolve) => (this.#end = resolve));

  /**
   * @param {string} device
   * @param {SoundSource} source
   * @param {Form} form
   * @param {import('./ways.js').Ways} ways
   * @param {{onLost: () => void, onEnd: () => void}} handlers
   */
  constructor(device, source, form, ways, { onLost, onEnd }) {
    if (typeof source !== 'object' || source === null || ArrayBuffer.isView(source)
      || !(Symbol.asyncIterator in source || Symbol.iterator in source)) {
      throw new TypeError('talk: pass an iterable of blocks: [Int16Array, …], or an async generator of them');
    }
    audioFormat(form); // refuses a bad one at once
    this.#device = device;
    this.#source = source;
    this.#form = { rate: USUAL_RATE, channels: 1, ...form };
    this.#ways = ways;
    this.#onLost = onLost;
    this.done = this.#run().finally(onEnd);
    this.done.catch(() => {}); // a program that does not look at it is not ended by it
  }

  /** Ends the talk: what has been sent is played to its end. It may be called more than once. */
  stop() {
    this.#stopped = true;
    this.#end();
  }

  async #run() {
    const source = this.#source;
    const blocks = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
    try {
      await Promise.race([this.#ways.known(this.#device), this.#stop]);
      while (!this.#stopped) {
        const step = await Promise.race([blocks.next(), this.#stop]);
        if (!step || step.done) break;
        await this.#say(this.#request(step.value));
      }
      this.#call?.end();
      return this.#playedMs + (await this.#played);
    } catch (error) {
      this.#call?.cancel();
      throw error;
    } finally {
      this.live = false;
      if (this.#stopped) void blocks.return?.();
    }
  }

  /** Sends a block, and waits until another can be sent. @param {PlayAudioRequest} request */
  async #say(request) {
    const call = this.#call ?? (await this.#open());
    if (!call) {
      // It takes the time that it would have taken to play.
      await Promise.race([sleep(playingMs(request)), this.#stop]);
      return;
    }
    const room = call.write(request);
    this.live = this.begun = true;
    if (!room) {
      await Promise.race([
        new Promise((resolve) => call.once('drain', resolve)), this.#played.catch(() => {}), this.#stop,
      ]);
    }
  }

  /** @returns {Promise<Call|null>} Null while the device cannot be reached: what is said now is lost. */
  async #open() {
    this.#playedMs += await this.#played;
    this.#played = Promise.resolve(0);
    try {
      const address = this.#ways.address(this.#device);
      this.#played = new Promise((resolve, reject) => {
        const call = this.#ways.wire.write(address, AudioService.method.playAudio, (error, response) => {
          if (this.#call === call) this.#call = null;
          this.live = false;
          const failed = error && callError(error, this.#device);
          if (failed && isFinal(failed)) reject(failed);
          else resolve(failed ? 0 : milliseconds(/** @type {any} */ (response).played));
          this.why = failed?.message ?? '';
          if (failed) this.#onLost();
        });
        call.on('error', () => {}); // the callback has it
        this.#call = call;
      });
      this.#played.catch(() => {});
    } catch (error) {
      this.why = callError(error, this.#device).message;
    }
    return this.#call;
  }

  /** @param {SoundBlock} block */
  #request(block) {
    if (!ArrayBuffer.isView(block)) {
      throw new TypeError('talk: a block must be an Int16Array, a Float32Array, an AudioBlock, or bytes');
    }
    if (block.byteLength > MOST_BYTES) {
      throw failure('INVALID_ARGUMENT', `talk: a block has ${block.byteLength} bytes, at most are 1 MiB: cut it up`);
    }
    const form =
      block instanceof AudioBlock
        ? { format: block.format || 's16', rate: block.rate, channels: /** @type {1|2} */ (block.channels) }
        : block instanceof Int16Array
          ? { ...this.#form, format: /** @type {const} */ ('s16') }
          : block instanceof Float32Array
            ? { ...this.#form, format: /** @type {const} */ ('f32') }
            : this.#form;
    const data = Uint8Array.from(new Uint8Array(block.buffer, block.byteOffset, block.byteLength));
    return create(PlayAudioRequestSchema, {
      frame: { format: audioFormat(form), talker: this.#ways.env.holder(), data },
    });
  }
}

/** @param {import('@bufbuild/protobuf/wkt').Duration|undefined} duration */
function milliseconds(duration) {
  return duration ? Number(duration.seconds) * 1000 + duration.nanos / 1e6 : 0;
}

/** @param {PlayAudioRequest} request @returns {number} In ms. */
function playingMs({ frame }) {
  const { mediaType, sampleFormat, sampleRateHz, channels } = frame?.format ?? {};
  if (mediaType !== 'audio/raw' || !sampleRateHz || !channels) return 20; // a packet of Opus
  return (frame?.data.length ?? 0) / (sampleFormat === 'F32LE' ? 4 : 2) / channels / sampleRateHz * 1000;
}
