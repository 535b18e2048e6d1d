/**
 * @file All videos that the page wants, independent of the connection.
 */

import { Video } from './video.js';
import { pathStats } from './videostats.js';

/** A request for statistics this soon after the last one shares its result, in ms. */
const STATS_MS = 500;

/** What the gateway says of the path counts for this long, in ms; it says it once a second. */
const PATH_MS = 3000;

/**
 * @typedef {import('./videostats.js').VideoStats} VideoStats
 * @typedef {import('./shownreport.js').ShownVideo} ShownVideo
 */

/** The videos, by device. */
export class VideoSet {
  #env;
  #clock;
  #onWant;
  /** @type {Map<string, Video>} */
  #videos = new Map();
  /** @type {{atMs: number, result: Promise<Record<string, VideoStats>>}|null} */
  #stats = null;
  /** @type {{atMs: number, path: import('./videostats.js').Path}|null} */
  #path = null;

  /**
   * @param {import('../base/env.js').Env} env
   * @param {import('../link/clock.js').Clock} clock
   * @param {() => void} onWant Called when the wanted devices change.
   */
  constructor(env, clock, onWant) {
    this.#env = env;
    this.#clock = clock;
    this.#onWant = onWant;
  }

  /** @returns {import('../link/sections.js').Want[]} */
  get wants() {
    return [...this.#videos].map(([device, owner]) => ({ device, stream: 'video', owner }));
  }

  /**
   * @param {string} device
   * @returns {Video} The same for the same device, until it is closed.
   */
  get(device) {
    const known = this.#videos.get(device);
    if (known) return known;
    const video = new Video(device, this.#env, this.#clock, () => {
      this.#videos.delete(device);
      this.#onWant();
    });
    this.#videos.set(device, video);
    this.#onWant();
    return video;
  }

  /**
   * @param {string} device
   * @param {RTCRtpReceiver|import('./picturesocket.js').PictureReceiver} receiver Its packets now arrive here.
   */
  use(device, receiver) {
    this.#videos.get(device)?.useReceiver(receiver);
  }

  /** @param {string} device @param {string} why Why the gateway refuses it. */
  refuse(device, why) {
    this.#videos.get(device)?.refuse(why);
  }

  /** @param {string} device @returns {number|null} See {@link Video.seenMs}; null for a video that nobody wants. */
  seenMs(device) {
    return this.#videos.get(device)?.seenMs ?? null;
  }

  /** The connection is gone. */
  drop() {
    for (const video of this.#videos.values()) video.dropReceiver();
  }

  /** @param {import('./videostats.js').Path} path What the gateway says of the path to this page. */
  usePath(path) {
    this.#path = { atMs: this.#env.now(), path };
    for (const { device, captureMs, rtpTimestamp } of path.videos) {
      if (captureMs !== null) this.#videos.get(device)?.tellCapture(captureMs, rtpTimestamp);
    }
  }

  /** Tracks whose pictures are on the screen. */
  get tracks() {
    return [...this.#videos.values()].flatMap((v) => v.stream.getTracks());
  }

  /** Time since the last frame of any video, in ms; null before the first. */
  get youngestMs() {
    const ages = [...this.#videos.values()].flatMap(({ sinceMs }) => (sinceMs === null ? [] : [sinceMs]));
    return ages.length === 0 ? null : Math.min(...ages);
  }

  /**
   * Judges all pictures.
   * @param {Omit<import('./video.js').Surroundings, 'device'>} around
   * @param {import('../proto/signaling.js').Device[]} devices
   */
  judge(around, devices) {
    const byName = new Map(devices.map((d) => [d.name, d]));
    for (const [name, video] of this.#videos) video.tick({ ...around, device: byName.get(name) ?? null });
  }

  /**
   * Numbers about each video since the previous call.
   * @param {() => Promise<RTCStatsReport>|undefined} look
   * @returns {Promise<Record<string, VideoStats>>} By name of the device.
   */
  stats(look) {
    const atMs = this.#env.now();
    if (this.#stats && atMs - this.#stats.atMs < STATS_MS) return this.#stats.result;
    this.#stats = { atMs, result: this.#collect(look) };
    return this.#stats.result;
  }

  /**
   * What was shown of each video since the last call, for the gateway.
   * @param {() => Promise<RTCStatsReport>|undefined} look
   * @returns {Promise<ShownVideo[]>}
   */
  async takeShown(look) {
    const report = await reportOf(look);
    return [...this.#videos.values()].flatMap((video) => video.takeShown(report) ?? []);
  }

  /** @param {() => Promise<RTCStatsReport>|undefined} look */
  async #collect(look) {
    const atMs = this.#env.now();
    const report = await reportOf(look);
    const path = this.#path && atMs - this.#path.atMs < PATH_MS ? this.#path.path : null;
    return Object.fromEntries([...this.#videos].map(([name, video]) =>
      [name, video.statsFrom(report, atMs, pathStats(path, name))]));
  }
}

/**
 * @param {() => Promise<RTCStatsReport>|undefined} look
 * @returns {Promise<any[]>} All entries. A connection that is being closed has none; that is not worth an error.
 */
async function reportOf(look) {
  /** @type {any[]} */
  const report = [];
  (await look()?.catch(() => null))?.forEach((s) => report.push(s));
  return report;
}
