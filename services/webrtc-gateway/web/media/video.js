/**
 * @file The video of one device, for as long as the page wants it: through restarts of the camera, of the gateway, and
 * of the connection it keeps the same MediaStream, and knows at any moment whether its picture is still true.
 */

import { median } from '../base/median.js';
import { captureTime, frameAge } from './frameage.js';
import { ElementWatch } from './elementwatch.js';
import { Freshness } from './freshness.js';
import { explain } from './liveness.js';
import { Sources } from './sources.js';
import { ShownReport } from './shownreport.js';
import { videoStats } from './videostats.js';

/** The age is the median of this many frames. */
const AGES = 30;
/** An age that was measured longer ago than this says nothing of now, in ms. */
const OUTDATED_MS = 1500;

/**
 * @typedef {Omit<import('./liveness.js').Facts, 'freshness'|'refused'|'paused'>} Surroundings What the robot knows.
 */

/**
 * One device's video. Made by `robot.video(name)`.
 *
 * Events: `picture` when {@link Video.picture} changes its state, reason, or text; its detail is the new one.
 */
export class Video extends EventTarget {
  /** Name of the device. */
  device;
  /** The live stream: this object always stays the same; the track in it is replaced on reconnection. */
  stream;

  #env;
  #clock;
  #freshness = new Freshness();
  /** @type {import('./liveness.js').Picture} */
  #picture = { state: 'waiting', reason: 'connecting', text: 'Connecting to the gateway' };
  /** @type {RTCRtpReceiver|import('./picturesocket.js').PictureReceiver|null} */
  #receiver = null;
  /** @type {MediaStreamTrack|null} The receiver's track, until media arrives on it. */
  #awaited = null;
  /** Since when it is awaited. */
  #awaitedAt = 0;
  /** @type {Set<ElementWatch>} */
  #elements = new Set();
  #refused = '';
  /** Whether media has arrived: only then do elements get the stream. */
  #arrived = false;
  #shown = 0;
  /** When the age of a frame was measured last. */
  #agedAt = -Infinity;
  /** @type {number[]} */
  #ages = [];
  #sources = new Sources();
  #report = new ShownReport();
  /** @type {number|null} */
  #seenMs = null;
  /** @type {import('./videostats.js').Sample|null} */
  #sample = null;
  #onClose;

  /**
   * @param {string} device
   * @param {import('../base/env.js').Env} env
   * @param {import('../link/clock.js').Clock} clock
   * @param {() => void} onClose
   */
  constructor(device, env, clock, onClose) {
    super();
    this.device = device;
    this.#env = env;
    this.#clock = clock;
    this.#onClose = onClose;
    this.stream = env.newStream();
  }

  /** The state of the picture now, and why it is not live. */
  get picture() {
    return this.#picture;
  }

  /** Time since the last frame, in ms; null before the first. */
  get sinceMs() {
    return this.#freshness.sinceMs(this.#env.now());
  }

  /** Age from which this picture counts as stale, in ms; learned from the camera's frame rate. */
  get thresholdMs() {
    return this.#freshness.thresholdMs;
  }

  /**
   * Capture to screen in ms, median of the last frames; null if the browser does not report it, or has not for 1.5 s.
   */
  get ageMs() {
    return this.#env.now() - this.#agedAt > OUTDATED_MS ? null : median(this.#ages);
  }

  /**
   * When the picture that was shown last was captured, Unix time in ms on the camera's clock; null before the first,
   * and if the browser does not tell. Pictures in elements that are not on the screen do not count.
   */
  get seenMs() {
    return this.#seenMs;
  }

  /**
   * Shows the video in an element, muted, whenever it is available. Several elements may show the same video.
   * @param {HTMLVideoElement} element
   * @returns {() => void} Detaches the element.
   */
  attach(element) {
    /** @type {ElementWatch} */
    const watch = new ElementWatch(element, this.stream, this.#env, (f, count) => this.#onFrame(watch, f, count));
    this.#elements.add(watch);
    if (this.#arrived) watch.show();
    return () => {
      if (this.#elements.delete(watch)) watch.close();
    };
  }

  /**
   * For pages that show pictures by other means than an element on the screen, such as in a headset: the driver sees
   * this one now. Without it such a page drives blind.
   * @param {VideoFrameCallbackMetadata} frame
   */
  saw(frame) {
    this.#seenMs = captureTime(frame, this.#sourceOf(frame)) ?? this.#seenMs;
  }

  /** Ends the video: its elements are emptied, and the gateway is told. */
  close() {
    for (const watch of this.#elements) watch.close();
    this.#elements.clear();
    this.#onClose();
  }

  /**
   * For the robot: packets of this device now arrive at this receiver. The last picture stays until the first of them
   * is decoded.
   * @param {RTCRtpReceiver|import('./picturesocket.js').PictureReceiver} receiver
   */
  useReceiver(receiver) {
    this.#refused = '';
    this.#receiver = receiver;
    this.#sample = null;
    this.#sources.clear();
    const { track } = receiver;
    this.#awaited = track.muted ? track : null;
    this.#awaitedAt = this.#env.now();
    if (!track.muted) this.#show(track);
    else if (this.stream.getTracks().length === 0) this.stream.addTrack(track);
    track.addEventListener('unmute', () => this.#awaited === track && this.#show(track), { once: true });
  }

  /** For the robot: the connection is gone; the picture freezes. */
  dropReceiver() {
    this.#receiver = this.#awaited = null;
  }

  /**
   * For the robot: the gateway refuses this video.
   * @param {string} why
   */
  refuse(why) {
    this.#refused = why || 'refused by the gateway';
  }

  /**
   * For the robot: judges the picture. Called every few dozen ms.
   * @param {Surroundings} around
   */
  tick(around) {
    const now = this.#env.now();
    // Browsers report only frames that are on the screen, and few of them when they save power; then the last decoded
    // frame has to do.
    const source = this.#source();
    // After an offer was rolled back, Chromium never reports that a track is no longer muted.
    const decodedAt = source ? Math.min(now, source.timestamp - this.#env.originMs) : -Infinity;
    if (this.#awaited && decodedAt > this.#awaitedAt) this.#show(this.#awaited);
    if (source) this.#freshness.touch(decodedAt);
    this.#sources.note(source);
    const next = explain({
      ...around,
      freshness: this.#freshness.judge(now),
      refused: this.#refused,
      paused: [...this.#elements].some((e) => e.paused),
    });
    const was = this.#picture;
    if (next.state === was.state && next.reason === was.reason && next.text === was.text) return;
    this.#picture = next;
    this.dispatchEvent(new CustomEvent('picture', { detail: next }));
  }

  /**
   * For the robot: numbers since the last call.
   * @param {any[]} report
   * @param {number} atMs
   * @param {import('./videostats.js').PathStats} path
   * @returns {import('./videostats.js').VideoStats}
   */
  statsFrom(report, atMs, path) {
    const seen = [...this.#elements].some((e) => e.seen);
    const page = { shown: seen ? this.#shown : null, ageMs: this.ageMs };
    const { stats, sample } = videoStats(report, this.#receiver?.track.id ?? '', atMs, page, this.#sample, path);
    this.#sample = sample;
    return stats;
  }

  /**
   * For the robot: the gateway tells when a picture was captured.
   * @param {number} captureMs Unix time in ms.
   * @param {number} rtpTimestamp
   */
  tellCapture(captureMs, rtpTimestamp) {
    this.#sources.tell(captureMs, rtpTimestamp);
  }

  /**
   * For the robot: what was shown since the last call, for the gateway.
   * @param {any[]} report
   * @returns {import('./shownreport.js').ShownVideo|null} Null if nothing was.
   */
  takeShown(report) {
    return this.#report.take(this.device, report, this.#receiver?.track.id ?? '');
  }

  /** Media arrives on this track: it takes the place of the one before. @param {MediaStreamTrack} track */
  #show(track) {
    this.#awaited = null;
    for (const old of this.stream.getTracks()) if (old !== track) this.stream.removeTrack(old);
    this.stream.addTrack(track);
    this.#arrived = true;
    for (const watch of this.#elements) watch.show();
  }

  /** @returns {any} The source of the last decoded frame, as RTCRtpReceiver reports it. */
  #source() {
    return this.#receiver?.getSynchronizationSources?.()[0];
  }

  /**
   * @param {ElementWatch} watch
   * @param {VideoFrameCallbackMetadata} frame
   * @param {number} count Frames shown since the last call.
   */
  #onFrame(watch, frame, count) {
    this.#shown += count;
    this.#freshness.frame(this.#env.now(), count);
    const source = this.#sourceOf(frame);
    if (watch.seen) this.saw(frame);
    const clock = { originMs: this.#env.originMs, offsetMs: this.#clock.offsetMs };
    const age = frameAge(frame, source, clock);
    this.#report.frame(age, count);
    if (age === null) return;
    this.#agedAt = this.#env.now();
    this.#ages.push(age);
    if (this.#ages.length > AGES) this.#ages.shift();
  }

  /** @param {VideoFrameCallbackMetadata} frame @returns {import('./frameage.js').Source|undefined} */
  #sourceOf(frame) {
    const receiver = this.#receiver;
    if (receiver && 'sourceOf' in receiver) return receiver.sourceOf(frame);
    this.#sources.note(this.#source());
    return this.#sources.of(frame);
  }
}
