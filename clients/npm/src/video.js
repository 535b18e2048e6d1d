/** @file The video of one device, for as long as the program wants it. */

import { create } from '@bufbuild/protobuf';
import {
  CameraService, CaptureFrameRequestSchema, StreamFramesRequestSchema,
} from '#gen/waldo/camera/v1/camera_service_pb.js';
import { Freshness } from '#web/media/freshness.js';
import { blame } from './blame.js';
import { frameOf, videoFormat, whole } from './frame.js';
import { iterate } from './reading.js';

/** Readers that need every frame have more of them on their way. */
const [WINDOW, ENCODED_WINDOW] = [2, 8];

/**
 * @typedef {import('./frame.js').Frame} Frame
 * @typedef {import('./frame.js').VideoOptions} VideoOptions
 * @typedef {import('./ways.js').Ways} Ways
 * @typedef {import('./blame.js').Reason} Reason
 *
 * @typedef {object} Picture
 * @property {'waiting'|'live'|'stale'} state Waiting: no frame has come yet. Stale: none comes now.
 * @property {Reason} reason
 * @property {string} text Why it is not live, for people; empty when it is.
 */

/**
 * One device's video. Made by `robot.video(name)`.
 *
 * Read it with `for await`: each loop is a reader of its own, which gets the newest frames at its own pace, through
 * restarts of the camera. The loop ends when the robot is closed, and throws a CallError if the camera refuses, for
 * example a format that it cannot make.
 *
 * Events: `picture` when {@link Video.picture} changes while somebody reads; its detail is the new one.
 */
export class Video extends EventTarget {
  /** Name of the device. */
  device;

  #ways;
  #options;
  #format;
  #window;
  #freshness = new Freshness();
  /** @type {Picture} */
  #picture = { state: 'waiting', reason: 'connecting', text: 'Connecting' };
  /** @type {Set<import('./reading.js').Reading<Frame>>} */
  #readings = new Set();
  /** Why the stream has broken; empty while it has not. */
  #lost = '';
  /** @type {import('./blame.js').Surroundings|null} */
  #around = null;

  /** @param {string} device @param {VideoOptions} options @param {Ways} ways */
  constructor(device, options, ways) {
    super();
    this.device = device;
    this.#ways = ways;
    this.#options = options;
    this.#format = videoFormat(options);
    const encoded = !['image/jpeg', 'video/raw'].includes(this.#format.mediaType);
    this.#window = whole('window', options.window ?? (encoded ? ENCODED_WINDOW : WINDOW), 1, 1024);
  }

  /** The state of the picture now, and why it is not live. */
  get picture() {
    return this.#picture;
  }

  /** Time since the last frame, in ms; null before the first. */
  get sinceMs() {
    return this.#freshness.sinceMs(performance.now());
  }

  /** A reader of its own. */
  [Symbol.asyncIterator]() {
    return iterate(() => this.#read());
  }

  /**
   * One picture, captured after this call: a JPEG, unless the video is raw.
   * @param {{timeoutMs?: number}} [options]
   * @returns {Promise<Frame>} Rejects with a CallError.
   */
  async snapshot({ timeoutMs } = {}) {
    const format =
      this.#format.mediaType === 'video/raw' ? this.#format : videoFormat({ ...this.#options, format: 'jpeg' });
    const request = create(CaptureFrameRequestSchema, { format });
    const { frame } = await this.#ways.ask(this.device, CameraService.method.captureFrame, request, timeoutMs);
    return this.#taken(frameOf(/** @type {import('./frame.js').VideoFrame} */ (frame), 0));
  }

  /** Ends all loops. */
  close() {
    for (const reading of this.#readings) reading.close();
  }

  /** For the robot: judges the picture. Called every few dozen ms. @param {import('./blame.js').Surroundings} around */
  tick(around) {
    this.#around = around;
    if (this.#readings.size === 0) return;
    const now = performance.now();
    // While a program is busy with a frame none is sent to it; that says nothing about the camera.
    if ([...this.#readings].some((r) => r.full)) this.#freshness.touch(now);
    const known = this.#freshness.judge(now);
    // A stream that has broken is told at once, however soon there is another.
    const state = known === 'live' && (this.#lost !== '' || around.link === 'closed') ? 'stale' : known;
    const [reason, text] =
      state === 'live' ? /** @type {const} */ (['ok', '']) : blame({ ...around, lost: this.#lost });
    const was = this.#picture;
    if (was.state === state && was.reason === reason && was.text === text) return;
    this.#picture = { state, reason, text };
    this.dispatchEvent(new CustomEvent('picture', { detail: this.#picture }));
  }

  /** The program gets a frame: whoever drives by this camera has seen it. @param {Frame} frame */
  #taken(frame) {
    if (!Number.isNaN(frame.captureTime)) this.#ways.seen.set(this.device, frame.captureTime);
    return frame;
  }

  #read() {
    const request = create(StreamFramesRequestSchema, { format: this.#format });
    const reading = this.#ways.read(this.device, CameraService.method.streamFrames, request, this.#window,
      ({ frame, droppedCount: n }) =>
        ({ value: frame && this.#taken(frameOf(frame, Number(n))), dropped: Number(n) }), {
        onArrival: () => {
          this.#lost = '';
          this.#freshness.frame(performance.now());
        },
        onLost: (why) => {
          this.#lost = why;
          if (this.#around) this.tick(this.#around);
        },
        onClose: () => this.#readings.delete(reading),
      });
    this.#readings.add(reading);
    return reading;
  }
}
