/**
 * @file The video of one device over its own WebSocket, for browsers in which WebRTC finds no path.
 *
 * The gateway sends whole pictures and waits for confirmation, so that none grows old on the way; the Go package
 * server documents the format. When the decoder cannot keep up, pictures are dropped up to the next key frame.
 */

import { NTP_TO_UNIX_MS } from './frameage.js';

const HEADER_BYTES = 16;
const VERSION = 1;
/** At most this many pictures wait for the decoder. */
const MOST_WAITING = 3;
/** Time between two requests for a key frame, in ms. */
const ASK_MS = 500;
/** A socket that was closed is reopened after this, and after twice as long each further time, in ms. */
const [FIRST_RETRY_MS, LAST_RETRY_MS] = [500, 4000];
/** WebSocket.OPEN. */
const OPEN = 1;
/** Pictures drawn last that may be on the screen. */
const MOST_DRAWN = 4;

/**
 * @typedef {import('./frameage.js').Source & {timestamp: number}} ShownSource
 * @typedef {{captureTime?: number, presentationTime: number}} ShownFrame Of requestVideoFrameCallback.
 *
 * @typedef {object} PictureReceiver What a Video needs of an RTCRtpReceiver.
 * @property {MediaStreamTrack} track
 * @property {() => ShownSource[]} getSynchronizationSources
 * @property {(frame: ShownFrame) => ShownSource|undefined} sourceOf The source of a frame that an element shows.
 */

/** One video. Call {@link PictureSocket.tick} several times a second. */
export class PictureSocket {
  #openSocket;
  #env;
  #onReceiver;
  #screen;
  /** @type {WebSocket|null} */
  #socket = null;
  /** @type {import('../base/env.js').Decoder|null} */
  #decoder = null;
  /** The codec that the gateway named; empty before it did. */
  #codec = '';
  /** Number of the newest picture. */
  #number = 0;
  /** Number of the last confirmed picture. */
  #confirmed = 0;
  #askedAt = -Infinity;
  #retryAt = -Infinity;
  #patience = FIRST_RETRY_MS;
  /** @type {ShownSource[]} Those of the pictures drawn last, the newest first. */
  #drawn = [];

  /**
   * @param {() => WebSocket} openSocket
   * @param {(receiver: PictureReceiver) => void} onReceiver Called with the first picture.
   * @param {import('../base/env.js').Env} env
   */
  constructor(openSocket, onReceiver, env) {
    this.#openSocket = openSocket;
    this.#env = env;
    this.#onReceiver = onReceiver;
    this.#screen = env.newScreen();
  }

  /** The receiver of the video; null before the first picture. @returns {PictureReceiver|null} */
  get receiver() {
    if (this.#drawn.length === 0) return null;
    return {
      track: this.#screen.track,
      getSynchronizationSources: () => this.#drawn.slice(0, 1),
      // An element shows what was drawn before the frame was taken of it.
      sourceOf: ({ captureTime, presentationTime }) => {
        const takenMs = this.#env.originMs + (captureTime ?? presentationTime);
        return this.#drawn.find(({ timestamp }) => timestamp <= takenMs);
      },
    };
  }

  /** Opens the socket if it is closed, and requests a key frame while decoding cannot start without one. */
  tick() {
    const now = this.#env.now();
    if (!this.#socket && now >= this.#retryAt) this.#open();
    if (this.#socket && !this.#decoder && this.#number > 0) this.#askKey(now);
  }

  /** Ends the video. */
  close() {
    this.#leave();
    this.#retryAt = Infinity;
    this.#screen.close();
  }

  #open() {
    const socket = (this.#socket = this.#openSocket());
    socket.binaryType = 'arraybuffer';
    socket.onmessage = ({ data }) => (data instanceof ArrayBuffer ? this.#receive(data) : this.#useCodec(data));
    socket.onclose = () => {
      this.#retryAt = this.#env.now() + this.#patience;
      this.#patience = Math.min(2 * this.#patience, LAST_RETRY_MS);
      this.#leave();
    };
  }

  #leave() {
    this.#drop();
    this.#number = this.#confirmed = 0;
    this.#codec = '';
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onmessage = socket.onclose = null;
    socket.close();
  }

  /** @param {ArrayBuffer} message */
  #receive(message) {
    const view = new DataView(message);
    if (message.byteLength <= HEADER_BYTES || view.getUint8(0) !== VERSION) return;
    this.#number = view.getUint32(4);
    this.#patience = FIRST_RETRY_MS;
    const picture = { key: (view.getUint8(1) & 1) === 1, captureUs: Number(view.getBigInt64(8)), data: new Uint8Array(message, HEADER_BYTES) };
    if (picture.key) this.#prepare();
    if (this.#decoder && this.#decoder.waiting >= MOST_WAITING) this.#drop();
    try {
      this.#decoder?.decode(picture.key, picture.captureUs, picture.data);
    } catch {
      this.#drop();
    }
    if (!this.#decoder) this.#askKey(this.#env.now());
    this.#confirm();
  }

  /** The gateway names the codec that begins with the next key frame. @param {unknown} text */
  #useCodec(text) {
    let codec;
    try {
      ({ codec } = JSON.parse(String(text)));
    } catch {
      return; // from a newer gateway
    }
    if (typeof codec !== 'string' || codec === this.#codec) return;
    this.#codec = codec;
    this.#drop();
  }

  /** A key frame has arrived: a decoder can start. */
  #prepare() {
    if (this.#decoder || this.#codec === '') return;
    try {
      const decoder = this.#env.newDecoder({
        output: (frame) => decoder === this.#decoder && this.#show(frame),
        error: () => decoder === this.#decoder && this.#drop(),
        dequeue: () => decoder === this.#decoder && this.#confirm(),
      });
      this.#decoder = decoder;
      decoder.configure(this.#codec);
    } catch {
      this.#drop(); // this browser cannot decode it
    }
  }

  /** Drops the decoder and all pictures that wait for it. */
  #drop() {
    const decoder = this.#decoder;
    this.#decoder = null;
    decoder?.close();
  }

  /** @param {import('../base/env.js').DecodedFrame} frame */
  #show(frame) {
    const first = this.#drawn.length === 0;
    this.#screen.draw(frame);
    this.#drawn.unshift({
      timestamp: this.#env.originMs + this.#env.now(), captureTimestamp: frame.timestamp / 1000 + NTP_TO_UNIX_MS,
    });
    this.#drawn.length = Math.min(this.#drawn.length, MOST_DRAWN);
    frame.close();
    const { receiver } = this;
    if (first && receiver) this.#onReceiver(receiver);
  }

  /** Confirms to the gateway what has left the decoder, so that it sends more. */
  #confirm() {
    const got = this.#number - (this.#decoder?.waiting ?? 0);
    if (got <= this.#confirmed) return;
    this.#confirmed = got;
    this.#say({ got });
  }

  /** @param {number} now */
  #askKey(now) {
    if (now - this.#askedAt < ASK_MS) return;
    this.#askedAt = now;
    this.#say({ got: this.#confirmed, keyFrame: true });
  }

  /** @param {object} word */
  #say(word) {
    if (this.#socket?.readyState === OPEN) this.#socket.send(JSON.stringify(word));
  }
}
