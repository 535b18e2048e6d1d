import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, mock, test } from 'node:test';
import '../rtcbot.js';

const { Gamepad, Keyboard, Queue, RTCConnection, Websocket, setGamepadRate } = globalThis.rtcbot;

/** @type {FakeRTC} */ let rtc;
/** @type {FakeSocket} */ let socket;

class FakeChannel extends EventTarget {
  readyState = 'connecting';
  sent = [];
  constructor(label, options) {
    super();
    Object.assign(this, { label, options });
  }
  send(message) { this.sent.push(message); }
  open() {
    this.readyState = 'open';
    this.dispatchEvent(new Event('open'));
  }
  close() { this.readyState = 'closed'; }
}

class FakeRTC extends EventTarget {
  iceGatheringState = 'gathering';
  transceivers = [];
  constructor(configuration) {
    super();
    this.configuration = configuration;
    rtc = this;
  }
  createDataChannel(label, options) { return (this.channel = new FakeChannel(label, options)); }
  addTransceiver(kind, { direction }) {
    const t = { kind, direction, sender: {} };
    this.transceivers.push(t);
    return t;
  }
  addTrack(track) { return this.addTransceiver(track.kind, { direction: 'sendrecv' }).sender; }
  getTransceivers() { return this.transceivers; }
  async createOffer() { return { type: 'offer', sdp: this.transceivers.map((t) => `${t.kind} ${t.direction}`).join() }; }
  async createAnswer() { return { type: 'answer', sdp: 'answer' }; }
  async setLocalDescription(d) { this.localDescription = { ...d, toJSON() {} }; }
  async setRemoteDescription(d) { this.remoteDescription = d; }
  close() { this.closed = true; }
  gathered() {
    this.iceGatheringState = 'complete';
    this.dispatchEvent(new Event('icegatheringstatechange'));
  }
}

class FakeSocket extends EventTarget {
  readyState = 0;
  sent = [];
  constructor(url) {
    super();
    this.url = String(url);
    socket = this;
  }
  send(message) { this.sent.push(message); }
  open() {
    this.readyState = 1;
    this.dispatchEvent(new Event('open'));
  }
  hear(data) { this.dispatchEvent(Object.assign(new Event('message'), { data })); }
  close() { this.readyState = 3; }
}

/** A window for keys. */
let keys;
beforeEach(() => {
  keys = new EventTarget();
  Object.assign(globalThis, {
    RTCPeerConnection: FakeRTC,
    WebSocket: FakeSocket,
    location: { href: 'https://robot:8080/pages/drive.html' },
    addEventListener: keys.addEventListener.bind(keys),
    removeEventListener: keys.removeEventListener.bind(keys),
  });
  mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
});
afterEach(() => mock.timers.reset());

const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('connection', () => {
  test('an offer has what was asked for, and waits for its candidates', async () => {
    const conn = new RTCConnection();
    conn.video.subscribe(() => {});
    conn.audio.putSubscription({ kind: 'audio' });
    let offer;
    conn.getLocalDescription().then((d) => (offer = d));
    await settle();
    assert.equal(offer, undefined);
    rtc.gathered();
    await settle();
    assert.deepEqual(offer, { type: 'offer', sdp: 'audio sendonly,video recvonly' });
    assert.deepEqual([rtc.channel.label, rtc.channel.options], ['default', { ordered: true }]);
  });

  test('both ways share a section', async () => {
    const conn = new RTCConnection(false, { iceServers: [] });
    conn.video.putSubscription({ kind: 'video' });
    conn.video.offerToReceive();
    const offer = conn.getLocalDescription();
    await settle();
    rtc.gathered();
    assert.equal((await offer).sdp, 'video sendrecv');
    assert.deepEqual([rtc.channel.options, rtc.configuration], [{ ordered: false }, { iceServers: [] }]);
  });

  test('candidates that never come are not waited for', async () => {
    const offer = new RTCConnection().getLocalDescription();
    await settle();
    mock.timers.tick(1000);
    assert.equal((await offer).type, 'offer');
  });

  test('messages wait for the channel, strings are sent as they are, and nothing is parsed', async () => {
    const conn = new RTCConnection();
    const heard = [];
    conn.subscribe((m) => heard.push(m));
    const { put_nowait } = conn;
    put_nowait('first');
    void conn.getLocalDescription();
    await settle();
    put_nowait({ second: 2 });
    assert.deepEqual(rtc.channel.sent, []);
    rtc.channel.open();
    put_nowait(3);
    assert.deepEqual(rtc.channel.sent, ['first', '{"second":2}', '3']);
    rtc.channel.dispatchEvent(Object.assign(new Event('message'), { data: '{"a":1}' }));
    assert.deepEqual(heard, ['{"a":1}']);
    await conn.close();
    assert.deepEqual([rtc.channel.readyState, rtc.closed], ['closed', true]);
  });

  test('an offer is answered, and its channels are heard', async () => {
    const conn = new RTCConnection();
    const heard = [];
    conn.subscribe((m) => heard.push(m));
    const answer = conn.getLocalDescription({ type: 'offer', sdp: 'theirs' });
    await settle();
    rtc.gathered();
    assert.deepEqual([await answer, rtc.channel], [{ type: 'answer', sdp: 'answer' }, undefined]);
    const [theirs, more] = [new FakeChannel('default'), new FakeChannel('more')];
    for (const channel of [theirs, more]) {
      rtc.dispatchEvent(Object.assign(new Event('datachannel'), { channel }));
      channel.dispatchEvent(Object.assign(new Event('message'), { data: channel.label }));
    }
    conn.put_nowait('hi');
    theirs.open();
    assert.deepEqual([theirs.sent, more.sent, heard], [['hi'], [], ['default', 'more']]);
  });

  test('streams reach subscribers, also late ones', () => {
    const conn = new RTCConnection();
    const stream = {};
    rtc.dispatchEvent(Object.assign(new Event('track'), { track: { kind: 'video' }, streams: [stream] }));
    const seen = [];
    conn.video.subscribe((s) => seen.push(s));
    conn.audio.subscribe((s) => seen.push(s));
    assert.deepEqual([seen.length, seen[0] === stream, conn.video.incomingStream === stream], [1, true, true]);
  });
});

test('a Websocket carries JSON', () => {
  const ws = new Websocket('/ws/chat');
  const heard = [];
  ws.subscribe((m) => heard.push(m));
  ws.put_nowait({ a: 1 });
  assert.deepEqual([socket.url, socket.sent], ['wss://robot:8080/ws/chat', []]);
  socket.open();
  ws.put_nowait('b');
  socket.hear('{"c":2}');
  socket.hear('no JSON');
  assert.deepEqual([socket.sent, heard], [['{"a":1}', 'b'], [{ c: 2 }, 'no JSON']]);
  ws.close();
  assert.equal(socket.readyState, 3);
});

describe('keyboard', () => {
  const event = (type, more = {}) => {
    const e = new Event(type, { cancelable: true });
    const fields = { altKey: false, shiftKey: false, keyCode: 87, key: 'w', repeat: false, ctrlKey: false, metaKey: false };
    for (const [name, value] of Object.entries({ ...fields, ...more })) Object.defineProperty(e, name, { value });
    keys.dispatchEvent(e);
    return e.defaultPrevented;
  };

  test('keys are told as RTCBot tells them, without repeats', () => {
    const keyboard = new Keyboard();
    const told = [];
    keyboard.subscribe((m) => told.push(JSON.stringify(m)));
    assert.deepEqual([event('keydown'), event('keydown', { repeat: true }), event('keyup')], [true, true, true]);
    assert.equal(event('keydown', { ctrlKey: true, keyCode: 82, key: 'r' }), false);
    event('keyup', { keyCode: 82, key: 'r' });
    keyboard.close();
    event('keydown');
    assert.deepEqual(told.slice(0, 2), [
      '{"type":"keydown","altKey":false,"shiftKey":false,"keyCode":87,"key":"w"}',
      '{"type":"keyup","altKey":false,"shiftKey":false,"keyCode":87,"key":"w"}',
    ]);
    assert.equal(told.length, 4);
  });

  test('keys that are down are released when the page loses the keyboard, and at the end', () => {
    const keyboard = new Keyboard();
    const told = [];
    keyboard.subscribe((m) => told.push(`${m.type} ${m.keyCode}`));
    event('keydown');
    event('keydown', { keyCode: 65, key: 'a' });
    keys.dispatchEvent(new Event('blur'));
    event('keydown');
    keyboard.close();
    assert.deepEqual(told, ['keydown 87', 'keydown 65', 'keyup 87', 'keyup 65', 'keydown 87', 'keyup 87']);
  });
});

test('pads tell what has changed, at the rate that was set, and are released when unplugged', () => {
  const pad = (pressed, x) => ({ buttons: [{ pressed, value: pressed ? 1 : 0 }], axes: [x] });
  let plugged = [pad(false, 0)];
  Object.defineProperty(globalThis, 'navigator', { value: { getGamepads: () => plugged }, configurable: true });
  const gamepad = new Gamepad();
  const told = [];
  gamepad.subscribe((m) => told.push(JSON.stringify(m)));
  mock.timers.tick(100);
  plugged = [pad(true, -0.28)];
  mock.timers.tick(99);
  assert.deepEqual(told, []);
  mock.timers.tick(1);
  assert.deepEqual(told, ['{"value":true,"type":"btn0"}', '{"value":-0.28,"type":"axis0"}']);
  assert.equal(gamepad.state, plugged[0]);
  setGamepadRate(50);
  plugged = [null];
  mock.timers.tick(20);
  assert.deepEqual(told.slice(2), ['{"value":false,"type":"btn0"}', '{"value":0,"type":"axis0"}']);
  plugged = [pad(true, 1)]; // held when it is plugged in: no change that anybody made
  mock.timers.tick(40);
  gamepad.close();
  plugged = [pad(false, 1)];
  mock.timers.tick(1000);
  assert.equal(told.length, 4);
  setGamepadRate(10);
});

test('a queue gives values in order to those who wait', async () => {
  const queue = new Queue();
  const first = queue.get();
  queue.put_nowait(1);
  queue.put_nowait(2);
  assert.deepEqual([await first, await queue.get()], [1, 2]);
});
