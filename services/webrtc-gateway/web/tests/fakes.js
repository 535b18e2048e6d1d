/** @file A browser that tests can hold in their hands: its time moves only when they say so. */

/** Runs what is waiting in promises. */
export async function settle() {
  for (let i = 0; i < 20; i += 1) await Promise.resolve();
}

/** One end of a WebSocket; the test is the other. */
export class FakeSocket {
  sent = [];
  closed = false;
  readyState = 0;
  bufferedAmount = 0;

  constructor(url) {
    this.url = url;
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close() {
    this.closed = true;
  }

  /** The gateway accepts. */
  open() {
    this.readyState = 1;
    this.onopen?.();
  }

  /** The gateway says something. */
  say(message) {
    this.onmessage?.({ data: typeof message === 'string' ? message : JSON.stringify(message) });
  }

  /** The gateway is gone. */
  drop(code = 1006, reason = '') {
    this.onclose?.({ code, reason });
  }

  /** Messages of one kind that were sent. */
  of(kind) {
    return this.sent.filter((m) => kind in m).map((m) => m[kind]);
  }
}

let serial = 0;

/** What a microphone gives. */
export class FakeTrack extends EventTarget {
  kind = 'audio';

  /** It is unplugged. */
  end() {
    this.dispatchEvent(new Event('ended'));
  }
}

/** A transceiver as far as connection.js needs it. */
class FakeTransceiver {
  mid = null;
  currentDirection = null;
  sender = {
    track: null,
    replaceTrack: (track) => {
      this.sender.track = track;
      return Promise.resolve();
    },
    parameters: { encodings: [{}] },
    getParameters: () => structuredClone(this.sender.parameters),
    setParameters: (parameters) => {
      this.sender.parameters = parameters;
      return Promise.resolve();
    },
  };

  constructor(kind, direction) {
    this.kind = kind;
    this.direction = direction;
    serial += 1;
    const track = Object.assign(new EventTarget(), { id: `track${serial}`, muted: true });
    this.receiver = { jitterBufferTarget: null, track, sources: [], getSynchronizationSources: () => this.receiver.sources };
  }
}

/** A data channel; the test is the far end. */
export class FakeDataChannel {
  readyState = 'connecting';
  bufferedAmount = 0;
  sent = [];

  constructor(label, init) {
    this.label = label;
    this.init = init;
  }

  send(data) {
    if (this.readyState !== 'open') throw new Error('not open');
    this.sent.push(data);
  }

  close() {
    this.readyState = 'closed';
  }

  /** The way is there. */
  open() {
    this.readyState = 'open';
    this.onopen?.();
  }

  /** The far end says something. */
  say(data) {
    this.onmessage?.({ data: typeof data === 'string' || data instanceof ArrayBuffer ? data : JSON.stringify(data) });
  }

  /** The far end closes it. */
  drop() {
    this.readyState = 'closed';
    this.onclose?.();
  }
}

const OPUS = ['m=audio', 'a=rtpmap:111 opus/48000/2', 'a=fmtp:111 minptime=10;useinbandfec=1', 'a=fmtp:102 packetization-mode=1', ''].join('\r\n');

/** An RTCPeerConnection that agrees to everything, one section per transceiver and one for all data channels. */
export class FakePeer {
  channels = [];
  connectionState = 'new';
  localDescription = null;
  remoteDescription = null;
  transceivers = [];
  candidates = [];
  restarts = 0;
  closed = false;
  configuration = {};
  /** Whether offers look like those of sound. */
  opus = false;
  /** What its offers end with, such as a fingerprint. */
  more = '';

  getConfiguration() {
    return this.configuration;
  }

  setConfiguration(c) {
    this.configuration = c;
  }

  addTransceiver(kind, { direction }) {
    const t = new FakeTransceiver(kind, direction);
    this.transceivers.push(t);
    return t;
  }

  createDataChannel(label, init) {
    this.channels.push(new FakeDataChannel(label, init));
    return this.channels.at(-1);
  }

  /** The channel of a label that was made last. */
  channel(label) {
    return this.channels.findLast((c) => c.label === label);
  }

  async createOffer({ iceRestart }) {
    if (iceRestart) this.restarts += 1;
    if (this.opus) return { type: 'offer', sdp: OPUS };
    return { type: 'offer', sdp: `offer of ${this.transceivers.length}${this.channels.length > 0 ? ' m=application' : ''}${this.more && `${this.more}a=ice-ufrag:${this.restarts}\r\n`}` };
  }

  async setLocalDescription(d) {
    if (d.type === 'rollback') {
      for (const t of this.transceivers) if (t.currentDirection === null) t.mid = null;
      this.localDescription = null;
      return;
    }
    this.localDescription = d;
    this.transceivers.forEach((t, i) => (t.mid = String(i)));
  }

  async setRemoteDescription(d) {
    if (d.sdp === 'bad') throw new Error('cannot parse');
    this.remoteDescription = d;
    for (const t of this.transceivers) t.currentDirection = d.sdp === 'nothing' ? 'inactive' : t.direction;
  }

  async addIceCandidate(c) {
    this.candidates.push(c);
  }

  async getStats() {
    return new Map();
  }

  close() {
    this.closed = true;
    this.connectionState = 'closed';
  }
}

/** A video element that shows a frame when told to. */
export class FakeVideo {
  paused = true;
  callbacks = new Map();
  presented = 0;

  play() {
    this.paused = false;
    return Promise.resolve();
  }

  requestVideoFrameCallback(run) {
    this.callbacks.set((serial += 1), run);
    return serial;
  }

  cancelVideoFrameCallback(id) {
    this.callbacks.delete(id);
  }

  /** The element shows a frame. */
  frame(now, more = {}) {
    this.presented += 1;
    const run = [...this.callbacks.values()];
    this.callbacks.clear();
    const frame = { presentedFrames: this.presented, expectedDisplayTime: now, presentationTime: now, ...more };
    for (const f of run) f(now, frame);
  }
}

/** A decoder that is done at once, unless it is busy. */
export class FakeDecoder {
  codec = '';
  chunks = [];
  waiting = 0;
  busy = false;
  closed = false;

  constructor(handlers) {
    this.handlers = handlers;
  }

  configure(codec) {
    this.codec = codec;
  }

  decode(key, timestamp, data) {
    this.chunks.push({ key, timestamp, data });
    this.waiting += 1;
    if (!this.busy) this.work();
  }

  /** It decodes what waits. */
  work() {
    for (const { timestamp } of this.chunks.slice(this.chunks.length - this.waiting)) {
      this.waiting -= 1;
      this.handlers.output({ timestamp, displayWidth: 640, displayHeight: 480, close() {} });
    }
    this.handlers.dequeue();
  }

  close() {
    this.closed = true;
  }
}

/** Everything the library needs, with a clock of its own. */
export class FakeEnv {
  originMs = 1_000_000;
  time = 0;
  sockets = [];
  peers = [];
  fetches = [];
  /** What `/healthz` answers; null: nobody is there. */
  health = null;
  pageHidden = false;
  wakers = new Set();
  watchers = new Set();
  timers = new Set();
  pads = [];
  /** Whether it has WebCodecs. */
  decodes = false;
  decoders = [];
  screens = [];

  now = () => this.time;
  hidden = () => this.pageHidden;
  holder = () => 'Chromium on Linux 3f2a';
  gamepads = () => this.pads;

  origin = 'http://robot:8080';
  /** What the offers of its peers end with. */
  more = '';
  subtle = globalThis.crypto.subtle;
  /** What `/signal` answers to who asks without a WebSocket; null: nothing that may be read. */
  why = { status: 401, text: 'a token is needed\n', type: 'text/plain; charset=utf-8' };

  openSocket = (url, protocols) => {
    this.sockets.push(Object.assign(new FakeSocket(url), { protocols }));
    return this.sockets.at(-1);
  };

  canDecode = () => this.decodes;

  /** Media types that its decoder takes. */
  types = ['video/H264', 'video/VP8'];
  decodable = async () => this.types;

  newDecoder = (handlers) => {
    this.decoders.push(new FakeDecoder(handlers));
    return this.decoder;
  };

  newScreen = () => {
    const track = Object.assign(new EventTarget(), { id: `screen${(serial += 1)}`, muted: false });
    this.screens.push({ track, drawn: [], closed: false, draw(frame) { this.drawn.push(frame.timestamp); }, close() { this.closed = true; } });
    return this.screens.at(-1);
  };

  openPeer = () => {
    this.peers.push(Object.assign(new FakePeer(), { more: this.more }));
    return this.peers.at(-1);
  };

  newStream = () => {
    const tracks = new Set();
    return {
      getTracks: () => [...tracks],
      getAudioTracks: () => [...tracks],
      addTrack: (t) => tracks.add(t),
      removeTrack: (t) => tracks.delete(t),
    };
  };

  fetch = async (url, init) => {
    this.fetches.push({ url, init, at: this.time });
    if (this.health === null) throw new TypeError('refused');
    if (url.endsWith('/signal')) {
      if (this.why === null) throw new TypeError('not allowed to read');
      const { status, text, type, ticket } = this.why;
      const headers = new Headers({ 'Content-Type': type, ...(ticket ? { 'Waldo-Ticket': ticket } : {}) });
      return { type: 'basic', status, text: async () => text, headers };
    }
    return { type: 'basic', status: this.health };
  };

  every = (run, ms) => {
    const timer = { run, ms, next: this.time + ms };
    this.timers.add(timer);
    return () => this.timers.delete(timer);
  };

  onWake = (run) => {
    this.wakers.add(run);
    return () => this.wakers.delete(run);
  };

  networks = new Set();

  onNetwork = (run) => {
    this.networks.add(run);
    return () => this.networks.delete(run);
  };

  onAway = (run) => {
    this.watchers.add(run);
    return () => this.watchers.delete(run);
  };

  /** Whether elements are on the screen. */
  onScreen = true;
  seers = new Set();
  watchSeen = (element, run) => {
    run(this.onScreen);
    this.seers.add(run);
    return () => this.seers.delete(run);
  };

  /** All elements are scrolled onto the screen, or off it. */
  scroll(onScreen) {
    this.onScreen = onScreen;
    for (const run of this.seers) run(onScreen);
  }

  /** The page is hidden, blurred, frozen or closed. */
  leave(why) {
    if (why === 'hidden') this.pageHidden = true;
    for (const run of [...this.watchers]) run(why);
  }

  /** That of the newest session. */
  get socket() {
    return this.sockets.findLast((s) => !s.url.includes('/picture/'));
  }

  /** That of the newest pictures. */
  get pictureSocket() {
    return this.sockets.findLast((s) => s.url.includes('/picture/'));
  }

  get decoder() {
    return this.decoders.at(-1);
  }

  get peer() {
    return this.peers.at(-1);
  }

  /** Lets time pass: timers run when they are due, then what they promised. `each` is called every 10 ms. */
  async pass(ms, each = () => {}) {
    const end = this.time + ms;
    while (this.time < end) {
      this.time = Math.min(end, this.time + 10);
      for (const t of this.timers) {
        if (t.next > this.time) continue;
        t.next += t.ms;
        t.run();
      }
      each(this.time);
      await settle();
    }
  }

  /** Time passes, but nothing runs: the tab was frozen. */
  freeze(ms) {
    this.time += ms;
    for (const t of this.timers) t.next = this.time + 1;
  }
}
