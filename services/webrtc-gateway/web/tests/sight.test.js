import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { Keyboard } from '../inputs/keyboard.js';
import { Sources } from '../media/sources.js';
import { driveStatus } from '../page/drivewords.js';
import { motorsStatus, sightWarning } from '../page/motorwords.js';
import { timestampText } from '../proto/json.js';
import { FakeVideo } from './fakes.js';
import { key, Rig } from './rig.js';

const NTP_TO_UNIX_MS = 2_208_988_800_000;

describe('what a driver has seen', () => {
  /** @type {Rig} */ let rig;
  let drive, player, receiver, target;

  beforeEach(async () => {
    rig = new Rig();
    rig.motors.watch = { camera: 'front', slowMs: 300, stopMs: 800 };
    rig.others = [{
      device: {
        name: 'front', kind: 'camera', epoch: '5', state: 'DEVICE_STATE_READY',
        streams: [{ name: 'video', direction: 'STREAM_DIRECTION_OUT' }],
      },
    }];
    player = new FakeVideo();
    rig.robot.video('front').attach(player);
    target = new EventTarget();
    drive = rig.robot.drive();
    drive.use(new Keyboard({ target, env: rig.env }));
    await rig.connect();
    receiver = rig.env.peer.transceivers[0].receiver;
    receiver.track.dispatchEvent(new Event('unmute'));
  });
  afterEach(() => rig.robot.close());

  const last = () => rig.motors.judged.at(-1);
  const press = (code) => key(target, 'keydown', code, { at: rig.env.time });

  /** A frame that was captured some time ago is shown. */
  function show(agoMs = 0, { decodedLater = 0 } = {}) {
    const { env } = rig;
    const capturedMs = env.originMs + env.time - agoMs;
    const rtpTimestamp = (env.time - agoMs) * 90;
    const source = (later) => ({
      rtpTimestamp: rtpTimestamp + later * 90, captureTimestamp: NTP_TO_UNIX_MS + capturedMs + later,
      timestamp: env.originMs + env.time,
    });
    receiver.sources = [source(0)];
    rig.robot.video('front').tick({ link: 'live', media: 'ok', device: null, settling: false });
    receiver.sources = [source(decodedLater)];
    player.frame(env.time, { rtpTimestamp });
    return capturedMs;
  }
  const driving = async () => {
    drive.start();
    await rig.until(() => drive.state === 'driving');
  };

  test('goes with each command, to the microsecond', async () => {
    show();
    await driving();
    const capturedMs = show(0.125);
    await rig.pass(50);
    assert.equal(last().control.seen, timestampText(capturedMs));
    assert.match(last().control.seen, /\.\d{6}Z$/);
    assert.equal(drive.seenMs, capturedMs);
  });

  test('has an age, until that was measured too long ago', async () => {
    const video = rig.robot.video('front');
    assert.equal(video.ageMs, null);
    show(-0.7);
    assert.ok(video.ageMs >= 0 && video.ageMs < 50, String(video.ageMs));
    await rig.pass(1500);
    assert.notEqual(video.ageMs, null);
    await rig.pass(10);
    assert.equal(video.ageMs, null);
    show();
    assert.notEqual(video.ageMs, null);
  });

  test('is the frame on the screen, not a later one that was decoded', async () => {
    await driving();
    const capturedMs = show(40, { decodedLater: 33 });
    await rig.pass(50);
    assert.equal(last().control.seen, timestampText(capturedMs));
  });

  test('is the last one, also after the clock of the camera was set back', async () => {
    await driving();
    show(0);
    const capturedMs = show(3_600_000);
    await rig.pass(50);
    assert.equal(last().control.seen, timestampText(capturedMs));
  });

  test('follows from what the gateway tells where the browser reads no capture times', async () => {
    await driving();
    const { env } = rig;
    const rtpTimestamp = 4_294_967_000; // the next ones begin again at 0
    const captureTime = timestampText(env.originMs + env.time);
    env.socket.say({
      path: { videos: [{ device: 'front', stream: 'video', captureTime, rtpTimestamp: String(rtpTimestamp) }] },
    });
    receiver.sources = [{ rtpTimestamp, timestamp: env.originMs + env.time }];
    const shownMs = env.time + 33.5;
    player.frame(env.time, { rtpTimestamp: (rtpTimestamp + 33.5 * 90) % 2 ** 32 });
    await rig.pass(50);
    assert.equal(last().control.seen, timestampText(env.originMs + shownMs));
  });

  test('is nothing of an element off the screen, unless the page says that it is seen', async () => {
    rig.env.scroll(false);
    await driving();
    show();
    await rig.pass(50);
    assert.equal('seen' in last().control, false);
    const { time, originMs } = rig.env;
    rig.robot.video('front').saw({ rtpTimestamp: time * 90 - 4500, presentationTime: time, expectedDisplayTime: time });
    await rig.pass(50);
    assert.notEqual(last().control.seen, undefined);
    assert.ok(Math.abs(Date.parse(last().control.seen) - (originMs + time - 50)) <= 50, last().control.seen);
    rig.env.scroll(true);
    const capturedMs = show();
    await rig.pass(50);
    assert.equal(last().control.seen, timestampText(capturedMs));
  });

  test('is not told to an actuator that does not ask', async () => {
    rig.motors.watch = null;
    await driving();
    show();
    await rig.pass(50);
    assert.equal('seen' in last().control, false);
    assert.equal(drive.seenMs, null);
  });

  test('stops the robot when it gets old, which does not end driving', async () => {
    show();
    await driving();
    await rig.pass(500, () => show());
    press('KeyW');
    await rig.pass(200, () => show());
    assert.equal(last().verdict, 'ACCEPTED');
    await rig.pass(1500);
    assert.equal(last().verdict, 'BLIND');
    assert.deepEqual([rig.motors.cause, drive.state, drive.refusal], ['BLIND', 'driving', 'BLIND']);
    await rig.pass(100, () => show());
    assert.deepEqual([last().verdict, last().json, drive.state], ['ACCEPTED', '{"left":200,"right":200}', 'driving']);
  });
});

describe('what the page says of it', () => {
  const seen = 1_700_000_000_000;
  const sight = { camera: 'front', ageMs: 100, speed: 1, slowMs: 300, stopMs: 800 };
  const state = (changes) => (/** @type {any} */ ({ phase: 'driving', cause: '', holder: 'me', sight: { ...sight, ...changes } }));
  const cases = [
    [state({}), seen, ''],
    [{ ...state({}), sight: null }, seen, ''],
    [null, seen, ''],
    [state({ ageMs: 1240, speed: 0 }), seen, 'The picture of front is 1.2 s old: standing still'],
    [state({ ageMs: 500, speed: 0.6 }), seen, 'The picture of front is 0.5 s old: slowed to 60 %'],
    [state({ ageMs: 799, speed: 0.002 }), seen, 'The picture of front is 0.8 s old: slowed to 1 %'],
    [state({ ageMs: null, speed: 0 }), null, 'This page shows no picture of front: standing still'],
    [state({ ageMs: null, speed: 0 }), seen, 'The robot cannot tell how old the picture of front is: standing still'],
  ];
  for (const [given, seenMs, words] of cases) {
    test(words || 'nothing', () => assert.equal(sightWarning(given, seenMs), words));
  }

  test('the motors say why they stand still', () => {
    const facts = {
      name: 'motors', link: 'live', device: null, known: true, ageMs: 10, holder: 'me', refusal: '',
      state: { ...state({}), phase: 'safe', cause: 'BLIND' },
    };
    assert.equal(motorsStatus(facts).text, 'motors: stopped, the driver saw no new picture');
    assert.equal(motorsStatus({ ...facts, refusal: 'BLIND' }).text,
      'motors: stopped, commands are refused, the picture is too old');
  });

  test('the panel says how fast it may go', () => {
    const facts = {
      name: 'motors', drive: { state: 'driving', why: '', reason: '' }, device: null, state: state({}), other: '',
      atRest: false, nowMs: 0, motors: 'driven', warning: 'something',
    };
    assert.deepEqual(driveStatus({ ...facts, speed: 0.6 }), { text: 'You drive, slowed to 60 %', why: '', pill: 'Slowed' });
    assert.deepEqual(driveStatus({ ...facts, speed: 0 }), { text: 'You drive, standing still', why: '', pill: 'Standing still' });
    assert.equal(driveStatus({ ...facts, motors: 'stopped', speed: 0 }).pill, 'Standing still', 'the cause comes first');
    assert.equal(driveStatus(facts).pill, 'Picture away');
  });
});

describe('sources', () => {
  test('are found by their RTP timestamp, and few are kept', () => {
    const sources = new Sources();
    assert.equal(sources.of({ rtpTimestamp: 1 }), undefined);
    sources.note(undefined);
    for (let n = 1; n <= 40; n += 1) {
      sources.note({ rtpTimestamp: n, captureTimestamp: 100 * n });
      sources.note({ rtpTimestamp: n, captureTimestamp: 100 * n });
    }
    assert.equal(sources.of({ rtpTimestamp: 25 }).captureTimestamp, 2500);
    assert.equal(sources.of({ rtpTimestamp: 24 }).captureTimestamp, 4000, 'the newest, from which it can be computed');
    assert.equal(sources.of({}).captureTimestamp, 4000);
    sources.tell(5, 90);
    assert.equal(sources.of({ rtpTimestamp: 25 }).captureTimestamp, 2500, 'what the browser reads is preferred');
    sources.note({ rtpTimestamp: 50 });
    assert.deepEqual(sources.of({ rtpTimestamp: 50 }), { rtpTimestamp: 90, captureTimestamp: NTP_TO_UNIX_MS + 5 });
    sources.clear();
    assert.equal(sources.of({ rtpTimestamp: 25 }), undefined);
  });
});

describe('times', () => {
  for (const [ms, text] of [
    [0, '1970-01-01T00:00:00.000000Z'], [1_700_000_000_123.456, '2023-11-14T22:13:20.123456Z'],
    [1_700_000_000_999.9999, '2023-11-14T22:13:21.000000Z'], [-0.5, '1969-12-31T23:59:59.999500Z'],
  ]) {
    test(text, () => assert.equal(timestampText(ms), text));
  }
});
