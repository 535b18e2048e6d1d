import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isOwn } from '../base/holder.js';
import { lacks } from '../base/roles.js';
import { timestamp } from '../proto/json.js';
import { hasVideo, isActuator, parse } from '../proto/signaling.js';

const garbage = [
  ['binary', new ArrayBuffer(3)],
  ['nothing', undefined],
  ['empty', ''],
  ['no JSON', '{'],
  ['a number', '7'],
  ['null', 'null'],
  ['a list', '[{"welcome":{}}]'],
  ['an empty object', '{}'],
  ['a body that is null', '{"welcome":null}'],
  ['a body that is text', '{"answer":"v=0"}'],
  ['a body that is a list', '{"devices":[]}'],
];
for (const [name, data] of garbage) {
  test(`garbage: ${name}`, () => assert.equal(parse(data).kind, 'garbage'));
}

test('what a newer gateway says is known to be unknown', () => {
  assert.deepEqual(parse('{"weather":{"wind":3}}'), { kind: 'unknown', name: 'weather' });
  // Names that every object has are no readers.
  assert.deepEqual(parse('{"constructor":{}}'), { kind: 'unknown', name: 'constructor' });
  assert.deepEqual(parse('{"__proto__":{}}'), { kind: 'unknown', name: '__proto__' });
});

test('absent fields have their zero values', () => {
  assert.deepEqual(parse('{"welcome":{}}'), { kind: 'welcome', robot: '', version: '', epoch: '0', iceServers: [], drive: null, remote: null, visitor: null });
  assert.deepEqual(parse('{"answer":{}}'), { kind: 'answer', id: 0, sdp: '', signature: new Uint8Array(), connection: '' });
  assert.deepEqual(parse('{"pong":{"id":3}}'), { kind: 'pong', id: 3, gatewayMs: null });
  assert.deepEqual(parse('{"devices":{}}'), { kind: 'devices', devices: [], away: '' });
  assert.deepEqual(parse('{"error":{}}'), { kind: 'error', id: 0, code: '', message: '' });
});

test('who the page is', () => {
  const visitor = (/** @type {string} */ json) => parse(`{"welcome":{"visitor":${json}}}`).visitor;
  assert.deepEqual(visitor('{"name":"anna","role":"ROLE_DRIVER"}'), { name: 'anna', role: 'driver' });
  assert.deepEqual(visitor('{"role":"ROLE_OF_LATER"}'), { name: '', role: 'unknown' });
  assert.deepEqual(visitor('{"name":7,"role":{}}'), { name: '', role: 'unknown' });
  for (const garbage of ['null', '7', '[]', '"admin"']) assert.equal(visitor(garbage), null);
});

test('what roles allow', () => {
  const anna = { name: 'anna', role: 'viewer' };
  assert.equal(lacks(anna, 'viewer', 'Seeing'), '');
  assert.equal(lacks(anna, 'driver', 'Driving'), 'Driving needs the role driver; anna is viewer');
  assert.equal(lacks({ ...anna, role: 'operator' }, 'driver', 'Driving'), '');
  assert.equal(lacks({ name: '', role: 'unknown' }, 'viewer', 'Seeing'), 'Seeing needs the role viewer; you are unknown');
  assert.equal(lacks(null, 'admin', 'Anything'), '', 'of a gateway that knows no roles');
});

test('whose name it is', () => {
  for (const [shown, own] of /** @type {[string, boolean][]} */ ([
    ['Chrome 3f2a', true], ['anna (Chrome 3f2a)', true], ['anna (Chrome 3f2b)', false], ['Chrome 3f2a (anna)', false], ['', false],
  ])) assert.equal(isOwn(shown, 'Chrome 3f2a'), own, shown);
});

test('welcome', () => {
  const text = `{"welcome":{"robot":"demo","version":"v1","epoch":"9007199254740993","iceServers":[
    {"urls":["stun:a:1"]},{"urls":["turn:b:2",7],"username":"u","credential":"c"},{"urls":[]},null]}}`;
  assert.deepEqual(parse(text), {
    kind: 'welcome',
    robot: 'demo',
    version: 'v1',
    epoch: '9007199254740993', // more than a double holds
    iceServers: [{ urls: ['stun:a:1'] }, { urls: ['turn:b:2'], username: 'u', credential: 'c' }],
    drive: null,
    remote: null,
    visitor: null,
  });
});

test('what a robot says of itself through a rendezvous server', () => {
  const { remote } = parse('{"welcome":{"remote":{"key":"AQL/","challenge":"_-8="}}}');
  assert.deepEqual(remote, { key: Uint8Array.of(1, 2, 255), challenge: Uint8Array.of(255, 239) });
  assert.deepEqual(parse('{"welcome":{"remote":{"key":"?","challenge":7}}}').remote, { key: new Uint8Array(), challenge: new Uint8Array() });
  assert.deepEqual(parse('{"answer":{"signature":"AQI=","connection":"AQ=="}}'), {
    kind: 'answer', id: 0, sdp: '', signature: Uint8Array.of(1, 2), connection: 'AQ==',
  });
});

test('how the robot is driven', () => {
  const drive = {
    device: 'motors', rateHz: 30,
    axes: [{ name: 'turn', plusKeys: ['KeyD', 7], minusKeys: ['KeyA'], gamepad: 'axis0', touch: 'x' }, { name: 'lift' }, 3],
    values: [{ key: 'left', terms: [{ axis: 'turn', gain: 60 }, null], offset: 1.5 }, {}],
  };
  assert.deepEqual(parse(JSON.stringify({ welcome: { drive } })).drive, {
    device: 'motors', rateHz: 30,
    axes: [
      { name: 'turn', plusKeys: ['KeyD'], minusKeys: ['KeyA'], gamepad: 'axis0', touch: 'x' },
      { name: 'lift', plusKeys: [], minusKeys: [], gamepad: '', touch: '' },
    ],
    values: [{ key: 'left', terms: [{ axis: 'turn', gain: 60 }], offset: 1.5 }, { key: '', terms: [], offset: 0 }],
  });
  const pads = [{ id: 'Twin USB', controls: { axis2: 'axis3', axis3: 7 } }, { id: 5, controls: [] }, null];
  assert.deepEqual(parse(JSON.stringify({ welcome: { drive: { ...drive, pads } } })).drive.pads, [
    { id: 'Twin USB', controls: { axis2: 'axis3' } }, { id: '', controls: {} },
  ]);
  for (const garbage of ['{}', '7', '[]', '{"axes":[]}']) assert.equal(parse(`{"welcome":{"drive":${garbage}}}`).drive, null);
});

test('the end of a call is a response or an error', () => {
  assert.deepEqual(parse('{"result":{"id":3,"response":{"a":1}}}'), { kind: 'result', id: 3, response: { a: 1 }, error: null });
  assert.deepEqual(parse('{"result":{"id":3}}'), { kind: 'result', id: 3, response: {}, error: null });
  assert.deepEqual(parse('{"result":{"id":3,"error":{"id":3,"code":"ABORTED","message":"no","details":[{"@type":"t"},7]}}}'), {
    kind: 'result', id: 3, response: null, error: { code: 'ABORTED', message: 'no', details: [{ '@type': 't' }] },
  });
  assert.deepEqual(parse('{"result":{"error":{}}}').error, { code: 'UNKNOWN', message: '', details: [] });
});

test('a candidate is placed by its mid, or by its index', () => {
  assert.deepEqual(parse('{"candidate":{"candidate":"c","sdpMid":"0","sdpMlineIndex":4}}').init, { candidate: 'c', sdpMid: '0' });
  assert.deepEqual(parse('{"candidate":{"candidate":"c","sdpMlineIndex":2}}').init, { candidate: 'c', sdpMLineIndex: 2 });
  assert.deepEqual(parse('{"candidate":{"candidate":"c"}}').init, { candidate: 'c', sdpMLineIndex: 0 });
});

test('devices: the good ones are kept, whatever else is in the list', () => {
  const front = {
    gone: true,
    device: {
      robot: 'demo', name: 'front', kind: 'camera', epoch: '5', state: 'DEVICE_STATE_AWAY', stateReason: 'unplugged', pid: 12,
      grpcAddress: '127.0.0.1:7101', startTime: '2026-11-20T12:00:00.5Z', attributes: { width_px: '640', odd: 3 },
      streams: [{ name: 'video', direction: 'STREAM_DIRECTION_OUT', holderCount: 2 }, { direction: 'STREAM_DIRECTION_IN' }, 4],
    },
  };
  const { devices } = parse(JSON.stringify({ devices: { devices: [null, {}, { device: { name: 7 } }, { device: {} }, front] } }));
  assert.equal(devices.length, 1);
  const [d] = devices;
  assert.equal(d.state, 'away');
  assert.equal(d.reason, 'unplugged');
  assert.equal(d.gone, true);
  assert.equal(d.startMs, Date.UTC(2026, 10, 20, 12) + 500);
  assert.deepEqual(d.attributes, { width_px: '640' });
  assert.deepEqual(d.streams, [{ name: 'video', direction: 'out', messageType: '', holders: 2 }]);
  assert.equal(hasVideo(d), true);
  assert.equal(isActuator(d), false);
});

test('an actuator is known by its stream', () => {
  const read = (direction) => parse(JSON.stringify({ devices: { devices: [{ device: { name: 'a', streams: [
    { name: 'control', direction, messageType: 'waldo.control.v1.ControlState' }] } }] } })).devices[0];
  assert.equal(isActuator(read('STREAM_DIRECTION_OUT')), true);
  assert.equal(isActuator(read('STREAM_DIRECTION_IN')), false);
});

test('a state of a newer gateway is unknown, not wrong', () => {
  for (const state of ['DEVICE_STATE_DREAMING', 'constructor', '__proto__', 7]) {
    const { devices } = parse(JSON.stringify({ devices: { devices: [{ device: { name: 'a', state } }] } }));
    assert.equal(devices[0].state, 'unknown');
    assert.equal(hasVideo(devices[0]), false);
  }
});

const times = [
  ['2026-11-20T12:00:00Z', Date.UTC(2026, 10, 20, 12)],
  ['2026-11-20T12:00:00.000250Z', Date.UTC(2026, 10, 20, 12) + 0.25],
  ['2026-11-20T13:00:00.5+01:00', Date.UTC(2026, 10, 20, 12) + 500],
  ['2026-11-20', null],
  ['2026-13-40T99:00:00Z', null],
  ['yesterday', null],
  [1234, null],
];
for (const [given, want] of times) {
  test(`timestamp ${given}`, () => {
    const got = timestamp(given);
    if (want === null) assert.equal(got, null);
    else assert.ok(Math.abs(got - want) < 0.001, `${got} is not ${want}`);
  });
}

test('no mutation of a good message makes the parser throw', () => {
  const good = JSON.stringify({ devices: { devices: [{ device: { name: 'a', streams: [{ name: 'video' }] }, gone: true }] } });
  let state = 1;
  const random = (n) => (state = (state * 48271) % 2147483647) % n; // the same every time
  for (let i = 0; i < 20_000; i += 1) {
    const at = random(good.length);
    const cut = good.slice(0, at) + '{}[]":,x0'[random(9)] + good.slice(at + random(3));
    assert.equal(typeof parse(cut).kind, 'string');
  }
});
