import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { driveStatus } from '../page/drivewords.js';
import { motorsStatus, pictureWarning } from '../page/motorwords.js';
import { Rig } from './rig.js';

/** @type {Rig} */ let rig;
let drive, control;

const motors = () => motorsStatus({
  name: 'motors', link: rig.robot.state, device: rig.robot.devices[0] ?? null, state: control.state, known: control.known, ageMs: control.ageMs,
  holder: drive.holder, refusal: drive.refusal,
});
/** How long until the card says something, in ms, looking as often as it does. */
async function until(state, what) {
  const begin = rig.env.time;
  while (motors().state !== state) {
    assert.ok(rig.env.time - begin <= 300, `${what}: still ${motors().text} after ${rig.env.time - begin} ms`);
    await rig.pass(50);
  }
  return motors().text;
}

describe('what the drive card says of the motors, within 300 ms', () => {
  beforeEach(async () => {
    rig = new Rig();
    drive = rig.robot.drive();
    await rig.connect();
    control = rig.robot.control('motors');
    drive.start();
    await rig.until(() => drive.state === 'driving');
  });
  afterEach(() => rig.robot.close());

  test('who drives them', async () => {
    assert.equal(await until('driven', 'driving'), 'motors: driven by you');
    drive.stop();
    assert.equal(await until('stopped', 'released'), 'motors: stopped, the last driver has stopped');
    rig.motors.grant('a shell');
    Object.assign(rig.motors, { moved: rig.motors.now });
    assert.equal(await until('driven', 'another'), 'motors: driven by a shell');
  });

  test('that they stand still, and why', async () => {
    rig.lossyUp = false;
    await rig.pass(200);
    assert.equal(await until('stopped', 'deadman'), 'motors: stopped, no command came in time');
    rig.motors.press('a shell');
    assert.equal(await until('estopped', 'e-stop'), 'motors: stopped by the e-stop');
  });

  test('that commands are refused, and why', async () => {
    const judge = rig.motors.judge;
    rig.motors.judge = (json, c) => {
      judge.call(rig.motors, json, { ...c, sequence: 0 });
      return 'EXPIRED';
    };
    await rig.pass(200);
    assert.equal(await until('stopped', 'refused'), 'motors: stopped, commands are refused, they arrive too late');
  });

  test('that it is not known, when the actuator is silent', async () => {
    await until('driven', 'driving');
    rig.motors.up = false;
    assert.match(await until('unknown', 'silent'), /^motors: unknown, last report 0\.3 s ago$/);
    rig.motors.up = true;
    await until('driven', 'back');
  });

  test('that it is not known, when what comes was long on its way', async () => {
    await until('driven', 'driving');
    const { motors: actuator } = rig;
    const now = () => rig.env.time - actuator.born;
    Object.defineProperty(actuator, 'clock', { value: (ms = now()) => `${((ms - 400) / 1000).toFixed(9)}s` });
    await until('unknown', 'late');
    assert.equal(rig.robot.state, 'live');
  });

  test('that it is not known, when the gateway is lost', async () => {
    rig.die();
    await until('unknown', 'gateway');
  });

  test('that it is not known, when the page stood still', () => {
    rig.env.time += 400;
    assert.equal(motors().state, 'unknown');
  });

  test('and goes by a clock that drifts', async () => {
    const { motors: actuator } = rig;
    const born = actuator.born;
    Object.defineProperty(actuator, 'now', { get: () => (rig.env.time - born) * 0.999 });
    Object.defineProperty(actuator, 'clock', { value: (ms = actuator.now) => `${(ms / 1000).toFixed(9)}s` });
    await rig.pass(10 * 60_000);
    assert.equal(motors().state === 'unknown', false, `${control.ageMs} ms`);
  });

  test('a restarted actuator is known again', async () => {
    drive.stop();
    await rig.pass(50);
    Object.assign(rig.motors, { epoch: '78', born: rig.env.time, lease: null, fence: 0, moved: null, cause: 'START' });
    await rig.pass(100);
    assert.equal(await until('stopped', 'restarted'), 'motors: stopped, the device has just started');
  });
});

describe('words of the drive card', () => {
  const facts = {
    name: 'motors', link: 'live', device: { state: 'ready' }, state: { phase: 'safe', holder: '', cause: '' }, known: true, ageMs: 20, holder: 'me', refusal: '',
  };
  for (const [more, want] of [
    [{ link: 'connecting' }, ['unknown', 'motors: connecting']],
    [{ state: null }, ['unknown', 'motors: no report yet']],
    [{ known: false, ageMs: 12_000 }, ['unknown', 'motors: unknown, last report 12 s ago']],
    [{ device: { state: 'away', reason: 'no such port' } }, ['away', 'motors: away, no such port']],
    [{ device: null }, ['stopped', 'motors: stopped, nobody drives']],
    [{ state: { phase: 'free', holder: '', cause: 'NEWER' } }, ['stopped', 'motors: stopped, nobody drives']],
    [{ state: { phase: 'unknown', holder: '', cause: '' } }, ['unknown', 'motors: unknown, this page is older than the robot']],
    [{ state: { phase: 'driving', holder: 'me', cause: '' }, refusal: 'OUT_OF_ORDER' },
      ['driven', 'motors: driven by you; some commands are refused, they arrive out of order']],
    [{ state: { phase: 'driving', holder: 'you', cause: '' }, refusal: 'EXPIRED' }, ['driven', 'motors: driven by you']],
    [{ state: { phase: 'safe', holder: 'me', cause: 'AWAY' }, refusal: 'NEWER' }, ['stopped', 'motors: stopped, commands are refused, NEWER']],
  ]) {
    test(want[1], () => {
      const got = motorsStatus({ ...facts, ...more });
      assert.deepEqual([got.state, got.text], want);
    });
  }

  test('a picture that is away is named, with its age and why', () => {
    const live = { device: 'front', picture: { state: 'live', reason: 'ok', text: '' }, sinceMs: 10 };
    const stale = { device: 'rear', picture: { state: 'stale', reason: 'no-frames', text: 'No frames arrive' }, sinceMs: 420 };
    const none = { device: 'top', picture: { state: 'waiting', reason: 'x', text: '' }, sinceMs: null };
    assert.equal(pictureWarning([live]), '');
    assert.equal(pictureWarning([live, stale, none], 'top'),
      'The picture of rear is 0.4 s old: No frames arrive. There is no picture of top');
    assert.equal(pictureWarning([]), '');
    const text = 'clip.mp4: its H.264 is interlaced; browsers show it progressive: convert it with ffmpeg -i FILE -vf yadif OUT.mp4';
    const away = { device: 'top', picture: { state: 'waiting', reason: 'device-away', text }, sinceMs: null };
    assert.equal(pictureWarning([away], 'top'), 'There is no picture of top: clip.mp4: its H.264 is interlaced');
    const motors = motorsStatus({ ...facts, device: { ...facts.device, state: 'away', reason: text } });
    assert.equal(motors.text, 'motors: away, clip.mp4: its H.264 is interlaced');
  });

  test('a picture that never was, and a slot that nobody sends to, are no lost pictures', () => {
    const picture = { state: 'waiting', reason: 'device-away', text: 'nobody sends: publish with WHIP' };
    const never = { device: 'guest', picture, sinceMs: null, vacant: true };
    const left = { device: 'guest', picture: { ...picture, state: 'stale' }, sinceMs: 9000, vacant: true };
    assert.equal(pictureWarning([never, left, { ...never, vacant: false }]), '');
    assert.equal(pictureWarning([{ ...left, vacant: false }]), 'The picture of guest is 9.0 s old: nobody sends: publish with WHIP');
    assert.equal(pictureWarning([never], 'guest'), 'There is no picture of guest: nobody sends: publish with WHIP');
  });

  test('who drives without knowing of the motors, or without a picture, does not just read "You drive"', () => {
    const driving = { name: 'door', drive: { state: 'driving', why: '', reason: '' }, device: null, state: null, other: '', atRest: true, nowMs: 0 };
    const pill = (more) => driveStatus({ ...driving, ...more }).pill;
    assert.deepEqual([pill({}), pill({ motors: 'unknown' }), pill({ motors: 'stopped' }), pill({ motors: 'driven', warning: 'x' })],
      ['You drive', 'door unknown', 'door stopped', 'Picture away']);
    const idle = { ...driving, drive: { state: 'off', why: '', reason: '' }, device: { state: 'ready' }, state: facts.state, motors: 'unknown' };
    assert.equal(driveStatus(idle).text, 'Unknown who drives');
  });
});
