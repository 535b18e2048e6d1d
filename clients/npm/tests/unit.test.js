import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { toBinary } from '@bufbuild/protobuf';
import { Metadata, status } from '@grpc/grpc-js';
import { connect } from 'waldo-robot';
import { audioFormat, blockOf, frameOf, videoFormat } from '../src/frame.js';
import { blame } from '../src/blame.js';
import { Directory, Search, decoded, serviceAddress } from '../src/directory.js';
import { Hand } from '../src/hand.js';
import { Joiner, parseMark } from '../src/parts.js';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { readOptions } from '../src/options.js';
import { inboxOf, reason } from '../src/bus.js';
import { callError, statusDetails } from '../src/status.js';
import { DeviceSchema } from '#gen/waldo/device/v1/device_pb.js';

describe('what connect is given', () => {
  const good = [
    [[undefined, {}], {}, 'bus', 'nats://127.0.0.1:4222'],
    [[undefined, {}], { WALDO_NATS: 'nats://robot:4222' }, 'bus', 'nats://robot:4222'],
    [['nats://a:4222, nats://b:4222', {}], {}, 'bus', 'nats://a:4222, nats://b:4222'],
    [[new URL('tls://a:4222'), {}], {}, 'bus', 'tls://a:4222'],
    [['robot.local:7101', {}], {}, 'device', 'robot.local:7101'],
    [['[::1]:7101', {}], {}, 'device', '[::1]:7101'],
  ];
  for (const [args, env, way, address] of good) {
    test(`${args[0]} ${JSON.stringify(env)}`, () => {
      const got = readOptions(...args, env);
      assert.deepEqual([got.way, got.address], [way, address]);
    });
  }
  test('the environment fills in', () => {
    const got = readOptions(undefined, {}, { WALDO_TOKEN: 'secret', WALDO_ROBOT: 'rover' });
    assert.deepEqual([got.token, got.robot], ['secret', 'rover']);
    assert.equal(
      readOptions(undefined, { token: '', robot: 'other' }, { WALDO_TOKEN: 'secret', WALDO_ROBOT: 'rover' }).token, '');
  });
  test('tls:// and a file of authorities want TLS', () => {
    assert.equal(readOptions('nats://a:4222', {}, {}).trust, null);
    assert.deepEqual(readOptions('tls://a:4222', {}, {}).trust, { ca: undefined });
    const ca = path.join(mkdtempSync(path.join(tmpdir(), 'waldo-')), 'ca.crt');
    const pem = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
    writeFileSync(ca, pem);
    assert.deepEqual(readOptions('10.0.0.7:7101', { ca }, {}).trust, { ca: pem });
    assert.deepEqual(readOptions('tls://a:4222', {}, { WALDO_CA: ca }).trust, { ca: pem });
    assert.equal(readOptions('nats://a:4222', { ca: '' }, { WALDO_CA: ca }).trust, null);
  });
  const bad = [
    [[undefined, { ca: '/nowhere/ca.crt' }], /ca: \/nowhere\/ca.crt cannot be read/],
    [[undefined, { ca: '/etc/hostname' }], /holds no certificate/],
    [['http://robot:8080/'], /page.*nats:\/\//],
    [['robot'], /neither/],
    [['robot:0'], /neither/],
    [['robot:70000'], /neither/],
    [[7101], /must be text/],
    [[''], /neither/],
    [[undefined, null], /options/],
    [[undefined, { robot: 'No Name' }], /robot "No Name"/],
    [[undefined, { token: 7 }], /token must be text/],
    [[undefined, { holder: 'x'.repeat(200) }], /holder/],
  ];
  for (const [args, message] of bad) {
    test(`refuses ${JSON.stringify(args)}`,
      () => assert.throws(() => connect(...args), { name: 'TypeError', message }));
  }
  test('repeats no password', () =>
    assert.throws(() => connect('nat://bob:hunter2@robot'), (e) => !e.message.includes('hunter2')));
});

describe('formats', () => {
  const bad = [
    [() => videoFormat({ format: 'png' }), 'TypeError', /format "png".*jpeg.*h264/],
    [() => videoFormat({ format: 'constructor' }), 'TypeError', /format/],
    [() => videoFormat({ width: 1.5 }), 'TypeError', /width 1.5/],
    [() => videoFormat({ height: 9000 }), 'RangeError', /height 9000.*8192/],
    [() => videoFormat({ fps: -1 }), 'RangeError', /fps/],
    [() => videoFormat({ fps: '30' }), 'RangeError', /fps/],
    [() => audioFormat({ rate: 100 }), 'RangeError', /rate 100/],
    [() => audioFormat({ channels: 3 }), 'RangeError', /channels/],
  ];
  for (const [make, name, message] of bad) test(`${message} is refused`, () => assert.throws(make, { name, message }));

  test('a frame is its bytes', () => {
    const data = Buffer.from('xxpixels').subarray(2);
    const captureTime = { seconds: BigInt(Math.floor(Date.now() / 1000) - 2), nanos: 500_000_000 };
    const format = { mediaType: 'video/raw', pixelFormat: 'BGR24', widthPx: 2, heightPx: 1 };
    const frame = frameOf(
      { epoch: 9_007_199_254_740_993n, sequence: 7n, captureTime, format, keyFrame: true, data, metadata: { a: 'b' } },
      3);
    assert.equal(Buffer.from(frame).toString(), 'pixels');
    assert.deepEqual(
      [frame.epoch, frame.sequence, frame.format, frame.width, frame.height, frame.dropped, frame.metadata.a],
      ['9007199254740993', 7, 'bgr', 2, 1, 3, 'b']);
    assert.ok(frame.ageMs > 400 && frame.ageMs < 60_000, String(frame.ageMs));
  });

  test('a replayed frame keeps its captured time, and is not old', () => {
    const replayTime = { seconds: BigInt(Math.floor(Date.now() / 1000)), nanos: 0 };
    const when = { epoch: 1n, sequence: 0n, captureTime: { seconds: 1234n, nanos: 0 }, replayTime };
    const frame = frameOf({ ...when, keyFrame: true, data: new Uint8Array(1), metadata: {} }, 0);
    const block = blockOf({ ...when, sampleIndex: 0n, sampleCount: 960, data: new Uint8Array(1), talker: '' }, 0);
    for (const { captureTime, ageMs } of [frame, block]) {
      assert.equal(captureTime, 1_234_000);
      assert.ok(ageMs >= 0 && ageMs < 60_000, String(ageMs));
    }
  });

  test('a frame of a newer server is bytes too', () => {
    const frame = frameOf({
      epoch: 1n, sequence: 0n, format: { mediaType: 'video/AV2' }, keyFrame: false, data: new Uint8Array(3),
      metadata: {},
    }, 0);
    assert.deepEqual([frame.format, frame.mediaType, frame.width, frame.length], ['', 'video/AV2', 0, 3]);
    assert.ok(Number.isNaN(frame.ageMs));
  });

  test('samples may lie anywhere in memory', () => {
    const data = Buffer.concat([Buffer.from([0]), Buffer.from(Int16Array.of(1, -2, 3).buffer)]).subarray(1);
    const block = blockOf({
      epoch: 1n, sequence: 0n,
      format: { mediaType: 'audio/raw', sampleFormat: 'S16LE', sampleRateHz: 8000, channels: 1 }, sampleIndex: 0n,
      sampleCount: 3, data, talker: '',
    }, 0);
    assert.deepEqual([...block.samples], [1, -2, 3]);
  });
});

describe('split messages', () => {
  const part = (joiner, id, index, count, text, now = 0) =>
    joiner.join(`${id} ${index} ${count}`, index === 0 ? 'T' : '', Buffer.from(text), now);

  test('are joined in order', () => {
    const joiner = new Joiner();
    assert.equal(part(joiner, 'a', 0, 3, 'x'), null);
    assert.equal(part(joiner, 'b', 0, 2, '1'), null);
    assert.equal(part(joiner, 'a', 1, 3, 'y'), null);
    assert.deepEqual(part(joiner, 'b', 1, 2, '2'), { type: 'T', data: Buffer.from('12') });
    assert.deepEqual(part(joiner, 'a', 2, 3, 'z'), { type: 'T', data: Buffer.from('xyz') });
    assert.equal(joiner.lost, 0);
  });

  const wrong = {
    'out of order': [[0, 3], [2, 3]],
    'without a beginning': [[1, 2]],
    'of another length': [[0, 3], [1, 2]],
    twice: [[0, 3], [0, 3], [2, 3]],
  };
  for (const [name, parts] of Object.entries(wrong)) {
    test(`${name} are lost, and counted once`, () => {
      const joiner = new Joiner();
      for (const [index, count] of parts) assert.equal(part(joiner, 'a', index, count, 'x'), null);
      assert.equal(joiner.lost, 1);
    });
  }

  test('that are never finished are forgotten, and few are kept', () => {
    const joiner = new Joiner();
    part(joiner, 'old', 0, 2, 'x', 0);
    part(joiner, 'new', 0, 2, 'x', 6000);
    assert.equal(part(joiner, 'old', 1, 2, 'x', 6000), null);
    for (let i = 0; i < 100; i += 1) part(joiner, `m${i}`, 0, 2, 'x', 6000);
    assert.equal(part(joiner, 'new', 1, 2, 'x', 6000), null);
    assert.ok(part(joiner, 'm99', 1, 2, 'x', 6000));
  });

  test('marks', () => {
    for (const bad of [
      '', 'a', 'a 0', 'a 1 1', 'a 2 1', 'a -1 2', 'a 0 0', 'a 0 99999', 'a 0 1 2', ' 0 1', 'a 0x1 3',
      `${'a'.repeat(65)} 0 1`,
    ]) {
      assert.equal(parseMark(bad), null, bad);
    }
    assert.deepEqual(parseMark('id 1 2'), { id: 'id', index: 1, count: 2 });
  });
});

/** Bytes that differ with every run, and say which when a test fails. */
function* garbage(count) {
  for (let i = 0; i < count; i += 1) {
    yield Buffer.from(Array.from({ length: i % 60 }, () => Math.floor(Math.random() * 256)));
  }
}

describe('bytes from outside', () => {
  test('that mean nothing are nothing', () => {
    for (const bytes of garbage(20_000)) {
      const text = bytes.toString('hex');
      assert.ok(Array.isArray(statusDetails(bytes)), text);
      assert.equal(serviceAddress(bytes), null, text);
      decoded(DeviceSchema, bytes);
    }
  });

  test('services of others are not ours', () => {
    const of = (service) => serviceAddress(Buffer.from(JSON.stringify(service)));
    assert.deepEqual(of({ name: 'waldo-camera', metadata: { robot: 'rover', device: 'front' } }), {
      robot: 'rover', device: 'front',
    });
    for (const other of [
      null,
      7,
      [],
      {},
      { name: 'nginx', metadata: { robot: 'a', device: 'b' } },
      { name: 'waldo-x', metadata: { robot: 'a.*', device: 'b' } },
      { name: 'waldo-x', metadata: { robot: 'a', device: 7 } },
    ]) {
      assert.equal(of(other), null, JSON.stringify(other));
    }
  });

  test('an error has its code and a remedy', () => {
    assert.match(callError({ code: status.UNAUTHENTICATED, details: 'no token' }, 'front').message,
      /front wants a token.*WALDO_TOKEN/);
    const gone = callError({
      code: status.UNAVAILABLE,
      details: 'No connection established. Last error: Error: connect ECONNREFUSED 127.0.0.1:1.',
    }, 'front');
    assert.deepEqual([gone.code, gone.message], ['UNAVAILABLE', 'front cannot be reached (ECONNREFUSED)']);
    const metadata = new Metadata();
    metadata.set('grpc-status-details-bin', Buffer.from([255, 255, 255]));
    assert.deepEqual(callError({ code: 9, details: 'x', metadata }, 'front').details, []);
    assert.equal(callError({ code: 99 }, 'front').code, 'UNKNOWN');
    assert.equal(callError(null, 'front').code, 'UNKNOWN');
  });

  test('what is wrong with the bus is told without its address', () => {
    assert.match(reason({ name: 'AuthorizationError', message: "'Authorization Violation'" }), /refuses the token/);
    assert.equal(reason(new Error('nats://bob:hunter2@robot')), 'The bus is not reachable, trying again');
    assert.equal(reason(undefined), 'The bus is not reachable, trying again');
  });
});

describe('devices', () => {
  const said = (name, more = {}) =>
    decoded(DeviceSchema, toBinary(DeviceSchema, {
      $typeName: DeviceSchema.typeName, robot: 'rover', name, kind: 'camera', version: '', epoch: 1n, state: 2,
      stateReason: '', pid: 1, grpcAddress: 'a:1', metricsAddress: '', streams: [], attributes: {}, ...more,
    }));

  test('change when they say something else, or nothing', () => {
    const directory = new Directory();
    assert.equal(directory.heard(said('front'), 0), true);
    assert.equal(directory.heard(said('front'), 1000), false);
    assert.equal(directory.heard(said('front', { epoch: 2n }), 2000), true);
    assert.equal(directory.tick(3999), false);
    assert.equal(directory.tick(4001), true);
    assert.deepEqual([directory.get('front').gone, directory.tick(4002)], [true, false]);
    assert.equal(directory.heard(said('front', { epoch: 2n }), 5000), true);
    assert.equal(directory.get('front').gone, false);
  });

  test('of a newer version are read as far as they are known', () => {
    const directory = new Directory();
    directory.heard(said('arm', { kind: 'arm', state: 77 }), 0);
    assert.deepEqual([directory.get('arm').kind, directory.get('arm').state], ['arm', 'unknown']);
  });

  test('are found on a bus that is never quiet', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    /** @type {(message: object) => void} */
    let state = () => {};
    const bus = { connected: true, inbox: '_INBOX', publish: () => true, subscribe: (subject, receive) => {
      if (subject.endsWith('.state')) state = receive;
      return () => {};
    } };
    const found = [];
    const search = new Search(bus, '', { onDevice: ({ name }) => found.push(name), onChange: () => {} });
    t.after(() => search.close());
    for (const name of ['front', 'motors', 'voice', 'pad']) {
      state({ type: DeviceSchema.typeName, data: toBinary(DeviceSchema, said(name)) });
      t.mock.timers.tick(30);
    }
    assert.deepEqual([search.robot, found], ['rover', ['front', 'motors', 'voice', 'pad']]);
  });

  test('are bounded', () => {
    const directory = new Directory();
    for (let i = 0; i < 1100; i += 1) directory.heard(said(`d${i}`), 0);
    assert.equal(directory.devices.length, 1000);
  });

  test('why nothing comes is the nearest cause', () => {
    const device = { gone: false, state: 'ready', reason: '' };
    const around = { link: 'live', why: '', device, settling: false, lost: '' };
    const cases = [
      [{}, 'no-frames'],
      [{ link: 'closed' }, 'closed'],
      [{ link: 'connecting', why: 'x' }, 'connecting'],
      [{ lost: 'broken' }, 'device-lost'],
      [{ link: 'bus-lost', why: 'x', device: undefined }, 'bus-lost'],
      [{ link: 'bus-lost', lost: 'broken' }, 'device-lost'],
      [{ device: undefined }, 'device-unknown'],
      [{ device: undefined, settling: true }, 'connecting'],
      [{ device: { ...device, gone: true } }, 'device-gone'],
      [{ device: { ...device, state: 'away', reason: 'unplugged' } }, 'device-away'],
      [{ device: { ...device, state: 'starting' } }, 'device-starting'],
      [{ device: { ...device, state: 'stopping' } }, 'device-stopping'],
    ];
    for (const [facts, why] of cases) {
      const [reasoned, text] = blame({ ...around, ...facts });
      assert.equal(reasoned, why);
      assert.notEqual(text, '');
    }
  });
});

test('answers come to the owner of a token', () => {
  const cases = {
    waldo_abcdefghij_ABCDEFGHIJKLMNOPQRSTUVWXYZ: '_INBOX.abcdefghij',
    QYX7DZSJ2EWLTF5PAUZM3N6CKA: '_INBOX',
    'waldo_a.b_ABC': '_INBOX',
    'waldo_>_ABC': '_INBOX',
    '': '_INBOX',
  };
  for (const [token, inbox] of Object.entries(cases)) assert.equal(inboxOf(token), inbox, token);
});

describe('values that are sent', () => {
  const field = (key, minimum, maximum, whole) => [key, { key, whole, minimum, maximum }];
  const fields = new Map([
    field('left', -32768, 32767, true), field('angle', 0, 255, true), field('speed', 0, 0, false),
  ]);

  test('are the same after scaling', () => {
    const hand = new Hand(60_000);
    hand.learn({ left: 0, angle: 90, speed: 0.5, name: 'text' }, fields);
    assert.deepEqual(hand.keys, ['left', 'angle', 'speed']);
    for (const values of [
      { left: 32767, angle: 0, speed: -1e9 },
      { left: -32768, angle: 255, speed: 0.1 },
      { left: 1, angle: 91, speed: 1 / 3 },
    ]) {
      hand.check(values);
      hand.hold(values);
      for (const [key, value] of Object.entries(values)) {
        const position = hand.axis({ name: key });
        assert.ok(Math.abs(position) <= 1, key);
        assert.ok(Math.abs(position * hand.scale(key) + hand.safe(key) - value) < 1e-7 * Math.max(1, Math.abs(value)),
          key);
      }
    }
    hand.rest();
    assert.deepEqual([hand.atRest, hand.axis({ name: 'angle' })], [true, 0]);
  });

  test('count for a while only', async () => {
    const hand = new Hand(0);
    hand.learn({ left: 0 }, fields);
    hand.hold({ left: 5 });
    assert.deepEqual([hand.axis({ name: 'left' }), hand.atRest], [0, true]);
  });
});
