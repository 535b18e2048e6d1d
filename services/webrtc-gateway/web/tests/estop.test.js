import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { Control } from '../control/control.js';
import { FakeActuator, key, Rig } from './rig.js';
import { FakeEnv, settle } from './fakes.js';
import { Keyboard } from '../inputs/keyboard.js';

describe('control', () => {
  let env, stream, control, asked, answer, seen;
  const state = (clock, more = {}) => ({ epoch: '7', clock, phase: 'CONTROL_PHASE_SAFE', safeJson: '{}', ...more });
  beforeEach(() => {
    env = new FakeEnv();
    stream = new EventTarget();
    asked = 0;
    seen = [];
    answer = () => Promise.resolve({ state: state('99s') });
    control = new Control('motors', stream, () => ((asked += 1), answer()), env);
    control.addEventListener('state', (e) => seen.push(e.detail.clock.text));
  });
  const say = (value) => stream.dispatchEvent(new CustomEvent('message', { detail: { value } }));

  test('keeps the newest, by a clock that is compared to the nanosecond', () => {
    say(state('9007199.254740992s'));
    say(state('9007199.254740991s')); // equal as doubles of nanoseconds
    say(state('10s'));
    assert.equal(control.state.clock.text, '9007199.254740992s');
    assert.equal(seen.length, 1);
    say(state('9007199.254740993s'));
    assert.equal(control.state.clock.text, '9007199.254740993s');
  });

  test('a state of a life that is over is nothing', () => {
    say(state('500s', { holder: 'a' }));
    say(state('1s', { epoch: '8', holder: 'b' }));
    say(state('501s', { holder: 'a' }));
    assert.equal(control.state.holder, 'b');
  });

  test('everything is read, and garbage is nothing', () => {
    for (const garbage of [null, undefined, 7, {}, [], { epoch: 'x' }]) assert.equal(control.observe(garbage), null);
    assert.equal(control.state, null);
    const eStop = { by: 'me', reason: 'why', pressTime: '2026-11-20T12:00:00Z', persisted: true, id: '9007199254740993' };
    say(state('1s', { phase: 'CONTROL_PHASE_E_STOPPED', cause: 'SAFE_CAUSE_E_STOP', holder: 'me', holderSince: '2026-11-20T12:00:01Z', eStop }));
    const at = Date.UTC(2026, 10, 20, 12);
    assert.deepEqual(control.state, {
      epoch: '7', clock: { text: '1s', ns: 1_000_000_000n }, phase: 'e-stopped', cause: 'E_STOP', holder: 'me', holderSinceMs: at + 1000,
      eStop: { by: 'me', reason: 'why', pressMs: at, persisted: true, id: '9007199254740993' }, safeJson: '{}', sight: null,
    });
    const sight = { camera: 'front', age: '1.5s', slow: '0.300s', stop: '0.800s' };
    say(state('1.5s', { sight }));
    assert.deepEqual(control.state.sight, { camera: 'front', ageMs: 1500, speed: 0, slowMs: 300, stopMs: 800 });
    say(state('1.6s', { sight: { camera: 'front', age: 'long', speed: 0.25 } }));
    assert.deepEqual(control.state.sight, { camera: 'front', ageMs: null, speed: 0.25, slowMs: null, stopMs: null });
    say({ epoch: '7', clock: '2s', phase: 'CONTROL_PHASE_DANCING' });
    assert.equal(control.state.phase, 'unknown');
  });

  test('the actuator is asked when it is silent, one question at a time', async () => {
    let resolve;
    answer = () => new Promise((r) => (resolve = r));
    control.tick();
    control.tick();
    assert.equal(asked, 1);
    resolve({ state: state('5s') });
    await settle();
    assert.equal(control.current, true);
    env.time += 1400;
    control.tick();
    assert.equal(asked, 1);
    env.time += 1200;
    assert.equal(control.current, false);
    answer = () => Promise.reject(new Error('away'));
    control.tick();
    await settle();
    control.tick();
    assert.equal(asked, 3);
    assert.equal(control.state.clock.text, '5s');
  });
});

/** @type {Rig} */ let rig;
beforeEach(() => (rig = new Rig()));
afterEach(() => rig.robot.close());
const states = () => {
  const seen = [];
  rig.robot.addEventListener('estop', () => seen.at(-1) !== rig.robot.eStopState.state && seen.push(rig.robot.eStopState.state));
  return seen;
};

describe('e-stop', () => {
  test('goes both ways at once, and is confirmed', async () => {
    rig.robot.drive();
    await rig.connect();
    await rig.pass(3000);
    const [seen, socket, channel] = [states(), rig.env.socket.of('call').length, rig.env.peer.channel('waldo.calls').sent.length];
    let done = false;
    rig.robot.eStop('the cat').then(() => (done = true));
    assert.equal(rig.env.socket.of('call').length, socket + 1);
    assert.equal(rig.env.peer.channel('waldo.calls').sent.length, channel + 1);
    assert.deepEqual(rig.robot.eStopState, { state: 'pending', unconfirmed: ['motors'], why: '', latched: null });
    await rig.pass(50);
    assert.deepEqual(seen, ['pending', 'latched']);
    const { latched } = rig.robot.eStopState;
    assert.deepEqual([latched.device, latched.by, latched.reason, done], ['motors', 'Chromium on Linux 3f2a', 'the cat', true]);
    const presses = rig.motors.presses.length;
    await rig.pass(2000);
    assert.equal(rig.motors.presses.length, presses, 'once confirmed it is said no more');
  });

  for (const [name, cut] of [['the WebSocket', (r) => (r.socketUp = false)], ['the channel', (r) => (r.lossyUp = false)], ['an open channel', (r) => (r.channelsUp = false)]]) {
    test(`works without ${name}`, async () => {
      if (name === 'an open channel') cut(rig);
      rig.robot.drive();
      await rig.connect();
      await rig.pass(3000);
      cut(rig);
      void rig.robot.eStop();
      await rig.pass(50);
      assert.equal(rig.robot.eStopState.state, 'latched');
      assert.equal(rig.motors.eStop.by, 'Chromium on Linux 3f2a');
    });
  }

  test('is said ten times a second until it is confirmed, without crowding out the rest', async () => {
    rig.robot.drive();
    await rig.connect();
    await rig.pass(3000);
    rig.socketUp = rig.lossyUp = false;
    const [socket, channel] = [rig.env.socket, rig.env.peer.channel('waldo.calls')];
    const before = [socket.of('call').length, channel.sent.length];
    void rig.robot.eStop();
    await rig.pass(1200);
    const said = [socket.of('call').filter((c) => c.method.endsWith('/EStop')).length, channel.sent.length - before[1]];
    assert.equal(said[0], 8, 'no more than eight wait for their answer');
    assert.ok(said[1] >= 11 && said[1] <= 13, `${said[1]} in 1.2 s`);
    assert.equal(rig.robot.eStopState.state, 'pending');
  });

  test('outlasts a lost gateway: it is confirmed when there is one again', async () => {
    await rig.connect();
    rig.die();
    void rig.robot.eStop();
    await rig.pass(5000);
    assert.equal(rig.robot.eStopState.state, 'pending');
    assert.equal(rig.motors.presses.length, 0);
    rig.revive();
    await rig.until(() => rig.motors.presses.length > 0);
    await rig.until(() => rig.robot.eStopState.state === 'latched');
  });

  test('waits for an actuator that is down, and for one that is not known yet', async () => {
    rig.motors.up = false;
    const late = new FakeActuator(rig.env, 'arm', '88');
    await rig.connect();
    void rig.robot.eStop();
    await rig.pass(4000);
    assert.deepEqual([rig.robot.eStopState.state, rig.robot.eStopState.unconfirmed], ['pending', ['motors']]);
    assert.match(rig.robot.eStopState.why, /motors does not answer/);
    rig.actuators.push(late);
    rig.env.socket.say({ devices: { devices: rig.actuators.map((a) => a.listed) } });
    await rig.pass(200);
    assert.equal(late.presses.length > 0, true);
    assert.equal(rig.robot.eStopState.state, 'pending');
    rig.motors.up = true;
    await rig.until(() => rig.robot.eStopState.state === 'latched');
    assert.equal(rig.motors.presses.length > 0, true);
  });

  test('pressed before anything is known, it is for all that is there', async () => {
    let done = false;
    rig.robot.eStop().then(() => (done = true));
    assert.equal(rig.robot.eStopState.state, 'pending');
    await rig.until(() => rig.motors.presses.length > 0);
    await rig.pass(500);
    assert.equal(done, false, 'a gateway that has just started may not know all yet');
    await rig.until(() => done);
    assert.equal(rig.robot.eStopState.state, 'latched');
  });

  test('a gateway that is new is not believed when it does not know of an actuator', async () => {
    await rig.connect();
    await rig.pass(3000);
    rig.die();
    void rig.robot.eStop();
    const known = rig.actuators;
    rig.actuators = [];
    rig.revive();
    await rig.until(() => rig.robot.state === 'live');
    await rig.pass(1000);
    assert.deepEqual([rig.robot.eStopState.state, rig.robot.actuators], ['pending', ['motors']]);
    rig.actuators = known;
    rig.env.socket.say({ devices: { devices: rig.actuators.map((a) => a.listed) } });
    await rig.pass(200);
    assert.equal(rig.robot.eStopState.state, 'latched', 'all that were ever known have confirmed it');
    const arm = new FakeActuator(rig.env, 'arm', '88');
    rig.actuators = [...known, arm];
    rig.env.socket.say({ devices: { devices: rig.actuators.map((a) => a.listed) } });
    await rig.pass(300);
    assert.equal(arm.presses.length > 0, true, 'one that turns up late is stopped as well');
  });

  test('an actuator that a gateway which knows all does not list is gone for good', async () => {
    await rig.connect();
    rig.motors.up = false;
    void rig.robot.eStop();
    await rig.pass(3000);
    rig.env.socket.say({ devices: {} });
    await rig.pass(200);
    assert.equal(rig.robot.eStopState.state, 'clear');
  });

  test('ends driving from this page at once', async () => {
    const target = new EventTarget();
    const drive = rig.robot.drive();
    drive.use(new Keyboard({ target, env: rig.env }));
    await rig.connect();
    drive.start();
    await rig.until(() => drive.state === 'driving');
    key(target, 'keydown', 'KeyW', { at: rig.env.time });
    await rig.pass(100);
    const called = rig.motors.calls.length;
    const carried = rig.motors.carried.length;
    void rig.robot.eStop();
    assert.deepEqual([drive.state, drive.reason], ['off', 'estop']);
    await rig.pass(1000);
    const methods = rig.motors.calls.slice(called).map((c) => c.method);
    assert.equal(methods[0], 'EStop', 'nothing goes before the e-stop');
    assert.ok(methods.includes('Release'), 'the lease is released');
    const after = rig.motors.carried.slice(carried);
    assert.ok(after.every((c) => c.json === rig.motors.safe), 'nothing but farewells');
    key(target, 'keyup', 'KeyW', { at: rig.env.time });
  });

  test('one that somebody else pressed is seen, and cleared by its name', async () => {
    await rig.connect();
    rig.motors.press('a shell', 'smoke');
    await rig.until(() => rig.robot.eStopState.state === 'latched');
    assert.equal(rig.robot.eStopState.latched.by, 'a shell');
    const { id } = rig.motors.eStop;
    await Promise.all([rig.robot.clearEStop(), rig.pass(50)]);
    assert.equal(rig.motors.calls.findLast((c) => c.method === 'ClearEStop').request.id, id);
    assert.equal(rig.robot.eStopState.state, 'clear');
    assert.equal(rig.motors.eStop, null);
  });

  test('one that was pressed since is another: it stays', async () => {
    await rig.connect();
    rig.motors.press('a');
    await rig.until(() => rig.robot.eStopState.state === 'latched');
    rig.motors.press('b');
    await Promise.all([assert.rejects(rig.robot.clearEStop(), { code: 'ABORTED' }), rig.pass(50)]);
    assert.equal(rig.motors.eStop.by, 'b');
    assert.equal(rig.robot.eStopState.latched.by, 'b');
  });

  test('clearing may need a key', async () => {
    rig.motors.key = 'secret';
    await rig.connect();
    rig.motors.press('a');
    await rig.until(() => rig.robot.eStopState.state === 'latched');
    await Promise.all([assert.rejects(rig.robot.clearEStop(), { code: 'PERMISSION_DENIED' }), rig.pass(50)]);
    assert.equal(rig.robot.eStopState.state, 'latched');
    await Promise.all([rig.robot.clearEStop({ key: 'secret' }), rig.pass(50)]);
    assert.equal(rig.robot.eStopState.state, 'clear');
  });

  test('clearing takes back what is not confirmed', async () => {
    rig.motors.up = false;
    await rig.connect();
    const press = rig.robot.eStop();
    await rig.pass(500);
    await Promise.all([rig.robot.clearEStop(), press, rig.pass(50)]);
    assert.equal(rig.robot.eStopState.state, 'clear');
    rig.motors.up = true;
    await rig.pass(1000);
    assert.equal(rig.motors.presses.length, 0);
  });

  test('pressed twice, both are done when all have confirmed', async () => {
    await rig.connect();
    await rig.pass(3000);
    await Promise.all([rig.robot.eStop('a'), rig.robot.eStop('b'), rig.pass(100)]);
    assert.equal(rig.motors.eStop.reason, 'b');
  });
});
