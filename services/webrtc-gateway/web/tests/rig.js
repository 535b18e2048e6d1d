/** @file A gateway and an actuator for tests, which obey the rules of the real ones as far as pages can tell. */

import { Robot } from '../robot/robot.js';
import { FakeEnv, settle } from './fakes.js';

const CONTROL = 'waldo.control.v1.ControlService/';
const SERIAL = 'waldo.serial.v1.SerialService/';
export const MOVE = 'waldo.ptz.v1.PtzService/Move';

/** A command that is refused. */
const refused = (report, code = 'FAILED_PRECONDITION') => ({
  error: {
    code,
    message: `the command is refused: ${report.verdict}`,
    details: [{ '@type': 'type.googleapis.com/waldo.control.v1.CommandReport', ...report }],
  },
});

/** An actuator with the rules of pkg/control: rig.test.js compares the two. */
export class FakeActuator {
  name;
  epoch;
  safe = '{"left":0, "right":0}';
  fields = ['left', 'right'].map((key) => ({ key, format: 'h', whole: true, minimum: -32768, maximum: 32767 }));
  present = true;
  /** Whether its process runs. */
  up = true;
  key = '';
  lease = null;
  eStop = null;
  presses = [];
  armed = false;
  moved = null;
  fence = 0;
  cause = 'START';
  /** What reached the hardware, and when. */
  carried = [];
  /** What the driver must see: `{camera, slowMs, stopMs}`; null if that is not watched. */
  watch = null;
  /** When the picture was captured that the last command's sender had seen; null if none. */
  seenMs = null;
  /** All commands that came, and what became of them. */
  judged = [];
  calls = [];
  #ids = 1000;

  constructor(env, name = 'motors', epoch = '77') {
    this.env = env;
    this.name = name;
    this.epoch = epoch;
    this.born = env.time;
  }

  get now() {
    return this.env.time - this.born;
  }

  clock(ms = this.now) {
    return `${(ms / 1000).toFixed(9)}s`;
  }

  get state() {
    this.advance();
    const phase = this.eStop ? 'E_STOPPED' : !this.lease ? 'FREE' : this.moved === null ? 'SAFE' : 'DRIVING';
    return {
      epoch: this.epoch, clock: this.clock(), phase: `CONTROL_PHASE_${phase}`, cause: `SAFE_CAUSE_${this.cause}`,
      ...(this.lease && { holder: this.lease.holder, holderSince: '2026-11-20T12:00:00Z' }),
      ...(this.eStop && { eStop: this.eStop }), safeJson: this.safe, ...(this.watch && { sight: this.sight }),
    };
  }

  get sightMs() {
    return this.seenMs === null ? Infinity : this.env.originMs + this.env.time - this.seenMs;
  }

  get sight() {
    const { camera, slowMs, stopMs } = this.watch;
    const speed = Math.min(1, Math.max(0, (stopMs - this.sightMs) / (stopMs - slowMs)));
    return {
      camera, ...(speed > 0 && { speed }), slow: `${slowMs / 1000}s`, stop: `${stopMs / 1000}s`,
      ...(this.seenMs !== null && { age: this.clock(this.sightMs) }),
    };
  }

  advance() {
    if (this.moved !== null && this.now >= this.moved + 200) this.stop('DEADMAN');
    if (this.watch && this.moved !== null && !this.rests && this.sightMs >= this.watch.stopMs) this.stop('BLIND');
    if (this.lease && this.now >= this.lease.alive + 1000) this.end('LEASE_LAPSED');
  }

  stop(cause) {
    this.moved = null;
    this.fence = this.now;
    this.cause = cause;
  }

  end(cause) {
    this.lease = null;
    this.stop(cause);
  }

  grant(holder) {
    this.lease = { epoch: String((this.#ids += 1)), holder, sequence: 0, alive: this.now };
    this.armed = false;
    return { response: { lease: { epoch: this.lease.epoch, ttl: '1s', life: '0.200s', maxLife: '1s' }, state: this.state } };
  }

  press(by, reason = '') {
    this.eStop = { by, reason, pressTime: '2026-11-20T12:00:00Z', persisted: true, id: String((this.#ids += 1)) };
    this.presses.push({ by, reason, at: this.env.time });
    this.armed = false;
    this.stop('E_STOP');
  }

  /** @returns {{response?: object, error?: object}} */
  handle(method, r) {
    this.calls.push({ method: method.split('/')[1], request: r, at: this.env.time });
    this.advance();
    if (method === `${SERIAL}WriteMessage`) return this.write(r);
    if (method === MOVE) {
      const { control, ...values } = r;
      return this.write({ json: JSON.stringify(values), control });
    }
    if (method === `${SERIAL}GetPort`) return { response: { port: { name: 'sim', writeFields: this.fields, actuator: true } } };
    const own = this.lease && r.leaseEpoch === this.lease.epoch;
    switch (method.replace(CONTROL, '')) {
      case 'Acquire':
        if (this.lease) return { error: { code: 'FAILED_PRECONDITION', message: `somebody else has the lease: ${this.lease.holder}` } };
        return this.grant(r.holder);
      case 'Take':
        if (r.key !== this.key) return { error: { code: 'PERMISSION_DENIED', message: 'key: this needs the override key' } };
        if (this.lease) this.end('LEASE_TAKEN');
        return this.grant(r.holder);
      case 'KeepAlive':
        if (!own) return { error: { code: 'FAILED_PRECONDITION', message: 'lease_epoch: not yours' } };
        this.lease.alive = this.now;
        break;
      case 'Release':
        if (own) this.end('LEASE_RELEASED');
        break;
      case 'EStop':
        this.press(r.by, r.reason);
        break;
      case 'ClearEStop':
        if ((r.key ?? '') !== this.key) return { error: { code: 'PERMISSION_DENIED', message: 'key: this needs the override key' } };
        if (r.id !== this.eStop?.id) return { error: { code: 'ABORTED', message: 'id: another e-stop is latched' } };
        this.eStop = null;
        this.stop('E_STOP');
    }
    return { response: { state: this.state } };
  }

  write({ json, control }) {
    const verdict = this.judge(json, control);
    const heard = Math.round(parseFloat(control.heard) * 1000);
    const report = {
      sequence: control.sequence, verdict: `COMMAND_VERDICT_${verdict}`, clock: this.clock(),
      age: this.clock(this.now - heard), ...(this.watch && { sight: this.sight }),
    };
    this.judged.push({ json, verdict, at: this.env.time, control });
    if (verdict !== 'ACCEPTED') return refused(report, ['EXPIRED', 'BEFORE_STOP', 'OUT_OF_ORDER'].includes(verdict) ? 'ABORTED' : 'FAILED_PRECONDITION');
    this.carried.push({ json, at: this.env.time });
    return { response: { report } };
  }

  judge(json, c) {
    const [lease, heard, life] = [this.lease, Math.round(parseFloat(c.heard) * 1000), parseFloat(c.life) * 1000];
    if (lease?.epoch !== c.leaseEpoch) return 'NO_LEASE';
    if (!this.present) {
      lease.alive = this.now;
      return 'AWAY';
    }
    if (Number(c.sequence) <= lease.sequence) return 'OUT_OF_ORDER';
    if (heard > this.now) return 'UNKNOWN_CLOCK';
    if (this.now > heard + life) return 'EXPIRED';
    Object.assign(lease, { sequence: Number(c.sequence), alive: this.now });
    if (this.eStop) return 'E_STOPPED';
    if (heard < this.fence) return 'BEFORE_STOP';
    const neutral = JSON.stringify(JSON.parse(json)) === JSON.stringify(JSON.parse(this.safe));
    if (!this.armed && !neutral) return 'NOT_NEUTRAL';
    this.seenMs = c.seen === undefined ? null : Date.parse(c.seen);
    if (this.watch && !neutral && this.sightMs >= this.watch.stopMs) return 'BLIND';
    this.armed = true;
    this.rests = neutral;
    this.moved = this.now;
    return 'ACCEPTED';
  }

  get listed() {
    return {
      device: {
        name: this.name, kind: 'serial', epoch: this.epoch, state: 'DEVICE_STATE_READY',
        streams: [
          { name: 'rx', direction: 'STREAM_DIRECTION_OUT', messageType: 'waldo.serial.v1.SerialMessage' },
          { name: 'control', direction: 'STREAM_DIRECTION_OUT', messageType: 'waldo.control.v1.ControlState' },
        ],
      },
      gone: !this.up,
    };
  }
}

const axes = [
  { name: 'forward', plusKeys: ['KeyW', 'ArrowUp'], minusKeys: ['KeyS'], gamepad: '-axis1', touch: 'y' },
  { name: 'turn', plusKeys: ['KeyD'], minusKeys: ['KeyA'], gamepad: 'axis0', touch: 'x' },
];
const values = [
  { key: 'left', terms: [{ axis: 'forward', gain: 200 }, { axis: 'turn', gain: 60 }], offset: 0 },
  { key: 'right', terms: [{ axis: 'forward', gain: 200 }, { axis: 'turn', gain: -60 }], offset: 0 },
];
export const config = { device: 'motors', rateHz: 30, axes, values };

/** A page, its gateway, and the actuators behind it. Time passes with {@link Rig.pass}. */
export class Rig {
  env;
  actuators;
  drive = config;
  /** Devices besides, as the gateway lists them. */
  others = [];
  /** Which ways lead to the gateway, and whether channels can be opened. */
  socketUp = true;
  lossyUp = true;
  channelsUp = true;
  /** Whether actuators tell their state by themselves. */
  telling = true;
  /** How long commands take to the actuator, and answers and states back, in ms. */
  thereMs = 0;
  backMs = 0;
  /** Whether WebRTC finds a way. */
  mediaUp = true;
  /** Why an offer is refused; null if it is not. */
  refuse = () => null;
  #read = new Map();
  #told = -Infinity;
  /** What is on its way, and when it arrives. */
  #flying = [];

  constructor(env = new FakeEnv()) {
    this.env = env;
    this.actuators = [new FakeActuator(env)];
    this.env.health = 200;
    this.robot = new Robot(new URL('http://robot:8080/'), this.env);
  }

  get motors() {
    return this.actuators[0];
  }

  /** Time passes, and the gateway does its work. */
  pass(ms, each = () => {}) {
    return this.env.pass(ms, (now) => {
      each(now);
      this.#serve();
    });
  }

  /** Time passes until something is so. */
  async until(what, most = 10_000) {
    const end = this.env.time + most;
    while (!what()) {
      if (this.env.time >= end) throw new Error(`not in ${most} ms: ${what}`);
      await this.pass(10);
    }
  }

  async connect() {
    await this.until(() => this.robot.devices.length > 0);
    await this.pass(50);
  }

  /** The gateway dies: the socket closes, and channels with it. */
  die() {
    this.env.health = null;
    for (const c of this.env.peer?.channels ?? []) c.readyState = 'closed';
    this.env.socket.drop();
  }

  /** It is back. */
  revive() {
    this.env.health = 200;
  }

  #serve() {
    const { env } = this;
    const s = env.socket;
    if (!s || s.closed || env.health === null) return;
    if (!this.#read.has(s)) this.#open(s);
    if (this.socketUp) for (const m of this.#unread(s, s.sent)) this.#answer(s, m);
    if (this.mediaUp && env.peer?.remoteDescription) this.#serveChannels(env.peer);
  }

  #open(s) {
    s.open();
    s.say({ welcome: { robot: 'demo', epoch: '1', drive: this.drive } });
    this.list();
  }

  /** The gateway says which devices there are. */
  list() {
    this.env.socket.say({ devices: { devices: [...this.actuators.map((a) => a.listed), ...this.others] } });
  }

  #unread(key, sent) {
    const from = this.#read.get(key) ?? 0;
    this.#read.set(key, sent.length);
    return sent.slice(from);
  }

  #answer(s, m) {
    if (m.ping) s.say({ pong: { id: m.ping.id, gatewayTime: new Date(this.env.originMs + this.env.time).toISOString() } });
    const why = m.offer && this.refuse(m.offer);
    if (why) s.say({ error: { id: m.offer.id, code: 'NOT_FOUND', message: why } });
    else if (m.offer) s.say({ answer: { id: m.offer.id, sdp: 'ok' } });
    if (m.call) s.say({ result: this.#call(m.call) });
  }

  #call({ id, device, method, request }) {
    const actuator = this.actuators.find((a) => a.name === device);
    if (!actuator?.up) return { id, error: { code: 'UNAVAILABLE', message: `${device} does not answer` } };
    return { id, ...actuator.handle(method, JSON.parse(JSON.stringify(request))) };
  }

  /** Does something after so long, in the order of the times. */
  #after(ms, what) {
    this.#flying.push({ at: this.env.time + ms, what });
    this.#land();
  }

  #land() {
    const due = this.#flying.filter(({ at }) => at <= this.env.time);
    this.#flying = this.#flying.filter(({ at }) => at > this.env.time);
    for (const { what } of due.sort((a, b) => a.at - b.at)) what();
  }

  #back(channel, message) {
    this.#after(this.backMs, () => channel?.say(message));
  }

  #serveChannels(peer) {
    this.#land();
    peer.connectionState = 'connected';
    for (const c of peer.channels) {
      if (c.readyState === 'connecting' && this.channelsUp) c.open();
      if (c.label === 'waldo.calls') {
        const sent = this.#unread(c, c.sent);
        if (this.lossyUp) for (const text of sent) this.#after(this.thereMs, () => this.#back(c, this.#call(JSON.parse(text))));
      }
    }
    if (this.env.time - this.#told < 20) return;
    this.#told = this.env.time;
    for (const a of this.actuators) {
      if (a.up && this.telling) this.#back(peer.channel(`waldo.stream/${a.name}/control`), { message: a.state });
    }
  }
}

/** A key event, as far as Keyboard looks at it. */
export function key(target, type, code, more = {}) {
  const event = new Event(type, { cancelable: true });
  Object.defineProperty(event, 'timeStamp', { value: more.at });
  delete more.at;
  target.dispatchEvent(Object.assign(event, { code, repeat: false, ctrlKey: false, metaKey: false, altKey: false, ...more }));
  return event;
}

export { settle };
