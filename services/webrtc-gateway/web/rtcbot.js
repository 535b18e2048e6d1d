/**
 * @file For pages that were written for RTCBot: the names and the behaviour of its JavaScript module, and a robot of
 * Waldo at the other end.
 *
 *     <script src="/rtcbot.js"></script>
 *     <script>
 *       const conn = new rtcbot.RTCConnection();
 *       conn.video.subscribe((stream) => (document.querySelector('video').srcObject = stream));
 *       async function connect() {
 *         const offer = await conn.getLocalDescription();
 *         const response = await fetch('/connect', { method: 'POST', body: JSON.stringify(offer) });
 *         await conn.setRemoteDescription(await response.json());
 *       }
 *     </script>
 *
 * A classic script, so that such pages load it as before; as a module it does the same. What differs from RTCBot:
 * without a configuration no STUN server is asked, and gathering candidates takes at most a second; a page that loses
 * the keyboard releases its keys, and a pad that is unplugged its controls; Websocket works. New pages should use
 * waldo.js: with it, the robot stops when the page or the network fails.
 */

(() => {
  'use strict';

  /** How long an offer waits for candidates, in ms: those of the machine are there at once. */
  const GATHERING = 1000;

  /** @param {unknown} message What RTCBot does with messages that nobody wants. */
  const log = (message) => console.log(message);

  /**
   * @param {unknown} value
   * @returns {string} Strings as they are, anything else as JSON.
   */
  const encode = (value) => (typeof value === 'string' ? value : JSON.stringify(value));

  /** Video or audio of a connection, both ways. */
  class Media {
    /** @type {MediaStream|null} */ incomingStream = null;
    /** @type {MediaStreamTrack|null} */ outgoingStream = null;
    #kind;
    #rtc;
    #wanted = false;
    /** @type {((stream: MediaStream) => void)|null} */ #callback = null;
    /** @type {RTCRtpTransceiver|undefined} */ #transceiver;

    /**
     * @param {'video'|'audio'} kind
     * @param {RTCPeerConnection} rtc
     */
    constructor(kind, rtc) {
      this.#kind = kind;
      this.#rtc = rtc;
    }

    /** @param {(stream: MediaStream) => void} callback Called with what arrives. */
    subscribe(callback) {
      this.#callback = callback;
      this.offerToReceive();
      if (this.incomingStream) callback(this.incomingStream);
    }

    /** @param {MediaStreamTrack} track To be sent. */
    putSubscription(track) {
      this.outgoingStream = track;
      const sender = this.#rtc.addTrack(track);
      this.#transceiver = this.#rtc.getTransceivers().find((t) => t.sender === sender);
    }

    /** Makes the offer contain a section to receive. */
    offerToReceive() {
      this.#wanted = true;
    }

    /** Called before the offer is made. */
    prepare() {
      if (this.#transceiver) {
        if (!this.#wanted) this.#transceiver.direction = 'sendonly';
      } else if (this.#wanted) {
        this.#transceiver = this.#rtc.addTransceiver(this.#kind, { direction: 'recvonly' });
      }
    }

    /** @param {RTCTrackEvent} event */
    arrived(event) {
      const stream = event.streams[0] ?? new MediaStream([event.track]);
      this.incomingStream = stream;
      this.#callback?.(stream);
    }
  }

  /** A connection with data, video and audio. */
  class RTCConnection {
    /** @type {Media} */ video;
    /** @type {Media} */ audio;
    #rtc;
    #ordered;
    #answering = false;
    /** @type {RTCDataChannel|undefined} */ #channel;
    /** @type {string[]} */ #waiting = [];
    /** @type {(message: any) => void} */ #callback = log;

    /**
     * @param {boolean} [defaultOrdered] Whether messages arrive in order.
     * @param {RTCConfiguration} [rtcConfiguration]
     */
    constructor(defaultOrdered = true, rtcConfiguration = {}) {
      this.#ordered = defaultOrdered;
      this.#rtc = new RTCPeerConnection(rtcConfiguration);
      this.#rtc.addEventListener('datachannel', (e) => this.#listen(e.channel));
      this.#rtc.addEventListener('track', (e) => (e.track.kind === 'video' ? this.video : this.audio).arrived(e));
      this.video = new Media('video', this.#rtc);
      this.audio = new Media('audio', this.#rtc);
      this.put_nowait = this.put_nowait.bind(this);
    }

    /**
     * Makes an offer, or the answer to an offer.
     * @param {RTCSessionDescriptionInit|null} [description] The offer to answer.
     * @returns {Promise<RTCSessionDescriptionInit>} It contains all candidates.
     */
    async getLocalDescription(description = null) {
      if (description) await this.setRemoteDescription(description);
      if (!this.#answering) {
        this.#listen(this.#rtc.createDataChannel('default', { ordered: this.#ordered }));
        this.video.prepare();
        this.audio.prepare();
      }
      await this.#rtc.setLocalDescription(await (this.#answering ? this.#rtc.createAnswer() : this.#rtc.createOffer()));
      await this.#gathered();
      const { sdp, type } = /** @type {RTCSessionDescription} */ (this.#rtc.localDescription);
      return { sdp, type };
    }

    /** @param {RTCSessionDescriptionInit} description The far end's. */
    async setRemoteDescription(description) {
      await this.#rtc.setRemoteDescription(description);
      this.#answering = description.type === 'offer';
    }

    /** @param {(message: any) => void} callback Called with each message as it comes: text is not parsed. */
    subscribe(callback) {
      this.#callback = callback;
    }

    /** @param {unknown} message Sent now, or once the connection is up. */
    put_nowait(message) {
      this.#waiting.push(encode(message));
      this.#flush();
    }

    /** Ends the connection. */
    async close() {
      this.#channel?.close();
      this.#rtc.close();
    }

    /** @param {RTCDataChannel} channel */
    #listen(channel) {
      channel.addEventListener('message', (e) => this.#callback(e.data));
      if (channel.label !== 'default') return;
      this.#channel = channel;
      channel.addEventListener('open', () => this.#flush());
      this.#flush();
    }

    #flush() {
      if (this.#channel?.readyState !== 'open') return;
      for (const message of this.#waiting.splice(0)) this.#channel.send(message);
    }

    /** @returns {Promise<void>} */
    #gathered() {
      const rtc = this.#rtc;
      return new Promise((resolve) => {
        const check = () => {
          if (rtc.iceGatheringState === 'complete') finish();
        };
        const finish = () => {
          clearTimeout(late);
          rtc.removeEventListener('icegatheringstatechange', check);
          resolve();
        };
        const late = setTimeout(finish, GATHERING);
        rtc.addEventListener('icegatheringstatechange', check);
        check();
      });
    }
  }

  /** A WebSocket whose messages are JSON. The gateway has one for each topic, /ws/<topic>. */
  class Websocket {
    #socket;
    /** @type {string[]} */ #waiting = [];
    /** @type {(message: any) => void} */ #callback = log;

    /** @param {string} url May be relative to the page, and http as well as ws. */
    constructor(url) {
      const full = new URL(url, location.href);
      full.protocol = full.protocol.replace(/^http/, 'ws');
      this.#socket = new WebSocket(full);
      this.#socket.addEventListener('message', (e) => this.#callback(parse(e.data)));
      this.#socket.addEventListener('open', () => this.#flush());
      this.put_nowait = this.put_nowait.bind(this);
    }

    /** @param {(message: any) => void} callback Called with the value of each message; text if it is not JSON. */
    subscribe(callback) {
      this.#callback = callback;
    }

    /** @param {unknown} message Sent now, or once the socket is open. */
    put_nowait(message) {
      this.#waiting.push(encode(message));
      this.#flush();
    }

    /** Ends the connection. */
    close() {
      this.#socket.close();
    }

    #flush() {
      if (this.#socket.readyState !== 1) return;
      for (const message of this.#waiting.splice(0)) this.#socket.send(message);
    }
  }

  /** @param {unknown} data @returns {unknown} */
  function parse(data) {
    if (typeof data !== 'string') return data;
    try {
      return JSON.parse(data);
    } catch {
      return data;
    }
  }

  /**
   * @typedef {object} KeyMessage
   * @property {string} type `keydown` or `keyup`.
   * @property {boolean} altKey
   * @property {boolean} shiftKey
   * @property {number} keyCode
   * @property {string} key
   */

  /** Tells of keys that go down and up. While it is open, they do nothing else on the page. */
  class Keyboard {
    /** @type {(message: KeyMessage) => void} */ #callback = log;
    /** @type {Map<number, KeyMessage>} keys that are down */ #down = new Map();

    constructor() {
      addEventListener('keydown', this.#key);
      addEventListener('keyup', this.#key);
      addEventListener('blur', this.#release);
    }

    /** @param {(message: KeyMessage) => void} callback */
    subscribe(callback) {
      this.#callback = callback;
    }

    /** Stops, with all keys released. */
    close() {
      removeEventListener('keydown', this.#key);
      removeEventListener('keyup', this.#key);
      removeEventListener('blur', this.#release);
      this.#release();
    }

    #key = (/** @type {KeyboardEvent} */ e) => {
      const own = e.ctrlKey || e.metaKey; // of the browser
      if (!own) e.preventDefault();
      if (e.repeat) return;
      const { type, altKey, shiftKey, keyCode, key } = e;
      const message = { type, altKey, shiftKey, keyCode, key };
      if (type === 'keydown') this.#down.set(keyCode, message);
      else this.#down.delete(keyCode);
      this.#callback(message);
    };

    #release = () => {
      const down = [...this.#down.values()];
      this.#down.clear();
      for (const message of down) this.#callback({ ...message, type: 'keyup' });
    };
  }

  /** @typedef {{type: string, value: number|boolean}} PadMessage A button, `btn0`, or an axis, `axis0`. */

  /** How often pads are read, in ms. */
  let period = 100;
  /** @type {ReturnType<typeof setInterval>|undefined} */ let timer;
  /** @type {(Gamepad|undefined)[]} the browser's pads belong to them in order */ const pads = [];

  /** Starts, changes or stops reading. */
  function schedule() {
    clearInterval(timer);
    timer = pads.some(Boolean) ? setInterval(readPads, period) : undefined;
  }

  function readPads() {
    const found = navigator.getGamepads();
    for (const [i, pad] of pads.entries()) pad?.read(found[i] ?? null);
  }

  /** Tells of changes of a pad's controls. */
  class Gamepad {
    /** @type {globalThis.Gamepad|null} the browser's last word */ state = null;
    /** @type {(message: PadMessage) => void} */ #callback = log;
    /** @type {Map<string, number|boolean>|undefined} undefined: not seen yet */ #values;

    constructor() {
      const free = pads.indexOf(undefined);
      pads[free < 0 ? pads.length : free] = this;
      schedule();
    }

    /** @param {(message: PadMessage) => void} callback */
    subscribe(callback) {
      this.#callback = callback;
    }

    /** Stops reading. */
    close() {
      const i = pads.indexOf(this);
      if (i >= 0) pads[i] = undefined;
      schedule();
    }

    /** @param {globalThis.Gamepad|null} pad As it is now; null: unplugged. */
    read(pad) {
      const before = this.#values;
      const now = pad ? controls(pad) : before && atRest(before);
      if (pad) this.state = pad;
      this.#values = pad ? now : undefined;
      if (!before || !now) return;
      for (const [type, value] of now) {
        if (before.get(type) !== value) this.#callback({ value, type });
      }
    }
  }

  /** @param {globalThis.Gamepad} pad @returns {Map<string, number|boolean>} */
  function controls(pad) {
    /** @type {Map<string, number|boolean>} */ const values = new Map();
    for (const [i, button] of pad.buttons.entries()) values.set(`btn${i}`, button.pressed);
    for (const [i, value] of pad.axes.entries()) values.set(`axis${i}`, value);
    return values;
  }

  /** @param {Map<string, number|boolean>} values @returns {Map<string, number|boolean>} */
  function atRest(values) {
    return new Map([...values].map(([type, value]) => [type, typeof value === 'boolean' ? false : 0]));
  }

  /** @param {number} hz How often pads are read. */
  function setGamepadRate(hz) {
    period = Math.round(1000 / hz);
    schedule();
  }

  /** @template T Values in order, for those who wait for them. */
  class Queue {
    /** @type {T[]} */ #values = [];
    /** @type {((value: T) => void)[]} */ #waiting = [];

    /** @param {T} value */
    put_nowait(value) {
      const next = this.#waiting.shift();
      if (next) next(value);
      else this.#values.push(value);
    }

    /** @returns {Promise<T>} The oldest value, as soon as there is one. */
    async get() {
      if (this.#values.length > 0) return /** @type {T} */ (this.#values.shift());
      return new Promise((resolve) => this.#waiting.push(resolve));
    }
  }

  Object.assign(globalThis, { rtcbot: { RTCConnection, Websocket, Keyboard, Gamepad, setGamepadRate, Queue } });
})();
