/** @file Sending the page's own camera and microphone to a device of the kind `peer`. */

import { blame } from './liveness.js';
import { Outgoing } from './outgoing.js';
import { LIVE, OFF, same } from './soundstate.js';

/** @import { Want } from '../link/sections.js' */
/** @import { SoundState, Surroundings } from './soundstate.js' */

/** The most that the picture may take, in bits per second. The device may allow less. */
const MAX_BITRATE_BPS = 2_500_000;

/** One share. Made by `sharing.share()`. */
export class Share {
  /** The stream that is sent. */
  stream;

  #stop;

  /** @param {MediaStream} stream @param {() => void} stop */
  constructor(stream, stop) {
    this.stream = stream;
    this.#stop = stop;
  }

  /** Ends the share; the tracks themselves continue. It may be called more than once. */
  stop() {
    this.#stop();
  }
}

/**
 * What the page sends to one device, for as long as it wants to: through restarts of the device, of the gateway, and
 * of the connection. Made by `robot.sharing(name)`. One page sends to a device at a time.
 *
 * Events: `state` when {@link Sharing.state} or {@link Sharing.publisher} changes.
 */
export class Sharing extends EventTarget {
  /** Name of the device. */
  device;

  #own;
  #handlers;
  /** @type {Share|null} */
  #share = null;
  #take = false;
  #camera = new Outgoing();
  #microphone = new Outgoing();
  /** Whether this share has got through. */
  #wasSeen = false;
  /** Why the gateway refuses it, or why the last share ended; empty if there is no reason. */
  #why = '';
  #state = OFF;
  #publisher = '';

  /**
   * @param {string} device
   * @param {string} own The name under which this page sends.
   * @param {import('./perdevice.js').MediaHandlers} handlers
   */
  constructor(device, own, handlers) {
    super();
    this.device = device;
    this.#own = own;
    this.#handlers = handlers;
  }

  /**
   * The state now. It is live once the device confirms that this page sends. When a share ended by itself, `text` says
   * why.
   */
  get state() {
    return this.#state;
  }

  /** The name of who sends to the device, this page or another; empty if nobody does. */
  get publisher() {
    return this.#publisher;
  }

  /**
   * Sends a stream's picture and sound to the device, live. A new share ends the current one. It ends by itself when
   * the picture ends, or when somebody else takes the device or has it already; `state` then says so.
   * @param {MediaStream} stream One picture, one sound, or both.
   * @param {object} [options]
   * @param {boolean} [options.take] Whether to take the device from somebody else who sends to it.
   * @returns {Share} The caller stops it.
   */
  share(stream, { take = false } = {}) {
    const [[video], [audio]] = [stream.getVideoTracks(), stream.getAudioTracks()];
    if (!video && !audio) throw new TypeError('share: pass a MediaStream with a track, for example from a camera');
    this.#share?.stop();
    const share = new Share(stream, () => this.#end(share, ''));
    (video ?? audio).addEventListener('ended', () => this.#end(share, 'The camera has stopped'), { once: true });
    this.#share = share;
    this.#take = take;
    this.#wasSeen = false;
    this.#why = '';
    this.#camera.send(video ?? null);
    this.#microphone.send(audio ?? null);
    this.#handlers.onWant();
    return share;
  }

  /** Ends the share for good. */
  close() {
    this.#share?.stop();
    this.#handlers.onClose();
  }

  /** For the robot: the streams that should go over the connection. @returns {Want[]} */
  get wants() {
    const { device } = this;
    if (!this.#share) return [];
    const { stream } = this.#share;
    const more = { device, owner: this, take: this.#take };
    /** @type {Want[]} */
    const wants = [];
    if (stream.getVideoTracks().length > 0) wants.push({ stream: 'camera', ...more });
    if (stream.getAudioTracks().length > 0) wants.push({ stream: 'microphone', ...more });
    return wants;
  }

  /**
   * For the robot: a stream now uses this transceiver.
   * @param {'camera'|'microphone'} stream @param {RTCRtpTransceiver} transceiver
   */
  use(stream, { sender }) {
    this.#why = '';
    if (stream === 'camera') limit(sender);
    this.#of(stream).use(sender);
  }

  /** For the robot: a stream has lost its section. @param {'camera'|'microphone'} stream */
  free(stream) {
    this.#of(stream).free();
  }

  /** For the robot: the connection is gone. */
  drop() {
    this.#camera.free();
    this.#microphone.free();
  }

  /**
   * For the robot: the gateway refuses a stream. A share that was seen before tries again: the gateway may not have
   * noticed yet that its last connection is gone.
   * @param {'camera'|'microphone'} _stream @param {string} why
   */
  refuse(_stream, why) {
    if (this.#wasSeen) this.#why = why;
    else if (this.#share) this.#end(this.#share, why);
  }

  /** For the robot: looks at the state. @param {Surroundings} around */
  judge(around) {
    const publisher = around.device?.attributes.publisher ?? '';
    if (this.#share && this.#wasSeen && publisher !== '' && publisher !== this.#own) {
      this.#end(this.#share, `${publisher} has taken over`);
    }
    const state = this.#judged(around, publisher);
    if (state.state === 'live') {
      this.#wasSeen = true;
      if (this.#take) this.#give();
    }
    if (same(state, this.#state) && publisher === this.#publisher) return;
    this.#state = state;
    this.#publisher = publisher;
    this.dispatchEvent(new CustomEvent('state', { detail: { ...state, publisher } }));
  }

  /** @param {Surroundings} around @param {string} publisher @returns {SoundState} */
  #judged(around, publisher) {
    if (!this.#share) return this.#why === '' ? OFF : { ...OFF, text: this.#why };
    const { device, link, media } = around;
    const reachable = link === 'live' && media === 'ok' && device !== null && !device.gone;
    const ready = this.#share.stream.getVideoTracks().length > 0 ? this.#camera.ready : this.#microphone.ready;
    if (reachable && ready && publisher === this.#own) return LIVE;
    const [reason, text] = blame({ ...around, refused: this.#why, paused: false });
    return { state: this.#wasSeen ? 'stale' : 'waiting', reason, text: reason === 'no-frames' ? 'Connecting video' : text };
  }

  /** It has the device: it does not take it again from somebody who comes later. */
  #give() {
    this.#take = false;
    this.#handlers.onWant();
  }

  /** @param {Share} share @param {string} why */
  #end(share, why) {
    if (this.#share !== share) return;
    this.#share = null;
    this.#why = why;
    this.#camera.send(null);
    this.#microphone.send(null);
    this.#handlers.onWant();
  }

  /** @param {'camera'|'microphone'} stream */
  #of(stream) {
    return stream === 'camera' ? this.#camera : this.#microphone;
  }
}

/** Keeps a picture within its bit rate. @param {RTCRtpSender} sender */
function limit(sender) {
  const parameters = sender.getParameters();
  // Firefox lists none before the negotiation is complete; the gateway's own limit counts then.
  for (const encoding of parameters.encodings) encoding.maxBitrate = MAX_BITRATE_BPS;
  sender.setParameters(parameters).catch(() => {});
}
