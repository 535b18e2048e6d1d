import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { Gamepad } from '../inputs/gamepad.js';
import { Keyboard } from '../inputs/keyboard.js';
import { config, FakeActuator, key, MOVE, Rig, settle } from './rig.js';

/** @type {Rig} */ let rig;
let target, drive, states, keyboard;

beforeEach(() => {
  rig = new Rig();
  target = new EventTarget();
  drive = rig.robot.drive();
  keyboard = new Keyboard({ target, env: rig.env });
  drive.use(keyboard);
  states = [];
  drive.addEventListener('state', () => states.push(drive.reason ? `${drive.state} ${drive.reason}` : drive.state));
});
afterEach(() => rig.robot.close());

const press = (code) => key(target, 'keydown', code, { at: rig.env.time });
const lift = (code) => key(target, 'keyup', code, { at: rig.env.time });
const commands = () => rig.motors.judged;
/** What reached the actuator since some command, as JSON. */
const since = (n) => commands().slice(n).map((c) => c.json);
const moving = (json) => json !== rig.motors.safe;
const methods = () => rig.motors.calls.map((c) => c.method).filter((m) => m !== 'WriteMessage' && m !== 'GetControl');

/** Connects, and drives. */
async function driving() {
  await rig.connect();
  drive.start();
  await rig.until(() => drive.state === 'driving');
}

/** Sees to it that nothing that moves is carried out from now on, for a time. */
async function still(ms = 2000, each = () => {}) {
  const n = rig.motors.carried.length;
  await rig.pass(ms, each);
  assert.deepEqual(rig.motors.carried.slice(n).filter((c) => moving(c.json)), []);
}

describe('a device with a method of its own', () => {
  test('is commanded by it: the values are fields of its request', async () => {
    rig.drive = { ...config, method: MOVE };
    await driving();
    press('KeyW');
    await rig.pass(100);
    assert.deepEqual(methods().filter((m) => m !== 'Move'), ['Acquire'], 'nothing that only a board has is called');
    const last = rig.motors.calls.filter((c) => c.method === 'Move').at(-1).request;
    assert.deepEqual([last.left, last.right, 'json' in last], [200, 200, false]);
    assert.deepEqual(rig.motors.carried.map((c) => JSON.parse(c.json))[0], { left: 0, right: 0 });
    drive.stop();
    await rig.pass(100);
    assert.deepEqual(JSON.parse(commands().at(-1).json), { left: 0, right: 0 });
  });
});

describe('beginning', () => {
  test('gets the lease, sends neutral commands first, and what is held after that', async () => {
    await driving();
    assert.deepEqual(states, ['acquiring', 'arming', 'driving']);
    assert.deepEqual(methods(), ['GetPort', 'Acquire']);
    assert.equal(rig.motors.lease.holder, 'Chromium on Linux 3f2a');
    assert.ok(commands().every((c) => c.json === '{"left":0, "right":0}'), 'the safe message to the letter');
    press('KeyW');
    await rig.pass(100);
    assert.equal(commands().at(-1).json, '{"left":200,"right":200}');
    press('KeyD');
    await rig.pass(50);
    assert.equal(commands().at(-1).json, '{"left":260,"right":140}');
    assert.deepEqual(drive.values, { left: 260, right: 140 });
    lift('KeyW');
    lift('KeyD');
    await rig.pass(50);
    assert.equal(commands().at(-1).json, '{"left":0, "right":0}');
    assert.ok(commands().every((c) => c.verdict === 'ACCEPTED'));
  });

  test('waits until everything is let go', async () => {
    await rig.connect();
    press('KeyW');
    drive.start();
    await rig.pass(1000);
    assert.equal(drive.state, 'arming');
    assert.ok(commands().length > 20 && commands().every((c) => !moving(c.json)));
    press('KeyS'); // both cancel out, and are held all the same
    await rig.pass(300);
    assert.equal(drive.state, 'arming');
    lift('KeyW');
    lift('KeyS');
    await rig.pass(100);
    assert.equal(drive.state, 'driving');
  });

  test('does not drive before a neutral command was accepted', async () => {
    await rig.connect();
    rig.lossyUp = false;
    drive.start();
    await rig.pass(500);
    assert.equal(drive.state, 'arming');
    rig.lossyUp = true;
    await rig.pass(100);
    assert.equal(drive.state, 'driving');
  });

  test('needs somebody to say how the robot is driven', () => {
    drive.start();
    assert.deepEqual(states, ['off unconfigured']);
  });

  test('does not begin on a hidden page', async () => {
    await rig.connect();
    rig.env.pageHidden = true;
    drive.start();
    assert.deepEqual(states, ['acquiring', 'off hidden']);
  });

  test('while another drives it is refused, in the words of the actuator', async () => {
    await rig.connect();
    rig.motors.grant('a shell');
    drive.start();
    await rig.pass(100);
    assert.deepEqual([drive.state, drive.reason], ['off', 'refused']);
    assert.match(drive.why, /a shell/);
    assert.equal(commands().length, 0);
  });

  test('takes over when told to, with the key if one is wanted', async () => {
    rig.motors.key = 'secret';
    await rig.connect();
    rig.motors.grant('a shell');
    drive.start({ take: true });
    await rig.pass(100);
    assert.deepEqual([drive.state, drive.reason], ['off', 'refused']);
    drive.start({ take: true, key: 'secret' });
    await rig.until(() => drive.state === 'driving');
    assert.equal(rig.motors.lease.holder, 'Chromium on Linux 3f2a');
  });

  test('waits for a way to send commands, and not for ever', async () => {
    rig.channelsUp = false;
    await rig.connect();
    drive.start();
    await rig.pass(3000);
    assert.deepEqual([drive.state, methods()], ['acquiring', []], 'no lease without a way to use it');
    await rig.pass(3000);
    assert.deepEqual([drive.state, drive.reason], ['off', 'no-way']);
  });

  test('stopped before the lease came, it gives it back', async () => {
    await rig.connect();
    rig.socketUp = false;
    drive.start();
    await rig.pass(100);
    drive.stop();
    rig.socketUp = true;
    await rig.pass(100);
    assert.equal(rig.motors.lease, null);
    assert.deepEqual([drive.state, drive.reason, commands().length], ['off', 'released', 0]);
  });

  test('stopped while the lease was on its way, it gives it back', async () => {
    await rig.connect();
    drive.start();
    await rig.pass(10); // the port is known, and the lease asked for
    rig.socketUp = false;
    await settle();
    drive.stop();
    rig.socketUp = true;
    await rig.pass(200);
    assert.equal(rig.motors.lease, null);
    assert.equal(commands().length, 0);
  });
});

describe('commands', () => {
  test('come at the rate that is configured', async () => {
    await driving();
    const n = commands().length;
    await rig.pass(2000);
    assert.ok(commands().length - n >= 45 && commands().length - n <= 66, `${commands().length - n} in 2 s`);
  });

  test('leave at once when something is moved, and what is the same is not said twice', async () => {
    await driving();
    const n = rig.env.peer.channel('waldo.calls').sent.length;
    press('KeyW');
    const sent = () => rig.env.peer.channel('waldo.calls').sent.length - n;
    assert.equal(sent(), 1, 'however short before it the last regular command left');
    press('ArrowUp'); // moves nothing
    assert.equal(sent(), 1);
  });

  test('are not sent faster than the actuator can use, and the last word counts', async () => {
    await driving();
    await rig.pass(10);
    const n = rig.env.peer.channel('waldo.calls').sent.length;
    for (const code of ['KeyW', 'KeyD', 'KeyA', 'KeyS']) press(code);
    for (const code of ['KeyW', 'KeyA', 'KeyS']) lift(code);
    assert.ok(rig.env.peer.channel('waldo.calls').sent.length - n <= 4);
    await rig.pass(20);
    assert.equal(commands().at(-1).json, '{"left":60,"right":-60}');
  });

  test('have rising numbers, the newest clock, and a life that covers the way', async () => {
    await driving();
    await rig.pass(500);
    const headers = commands().map((c) => c.control);
    headers.forEach((h, i) => i === 0 || assert.equal(Number(h.sequence), Number(headers[i - 1].sequence) + 1));
    for (const { control, at } of commands().slice(5)) assert.ok(at - rig.motors.born - parseFloat(control.heard) * 1000 <= 80);
    assert.ok(headers.every((h) => /^0\.2\d\ds$/.test(h.life)), headers[9].life);
  });

  test('that cannot leave now never leave', async () => {
    await driving();
    press('KeyW');
    const calls = rig.env.peer.channel('waldo.calls');
    calls.bufferedAmount = 2000;
    const n = calls.sent.length;
    await rig.pass(300);
    assert.equal(calls.sent.length, n);
    calls.bufferedAmount = 0;
    await rig.pass(10);
    assert.ok(calls.sent.length - n <= 2, 'what was held up is gone');
  });

  test('are rounded and bounded as the port wants', async () => {
    rig.motors.fields = [
      { key: 'left', whole: true, minimum: -128, maximum: 127 }, { key: 'right', whole: false, minimum: -1, maximum: 1 },
    ];
    await driving();
    press('KeyW');
    await rig.pass(50);
    assert.equal(commands().at(-1).json, '{"left":127,"right":1}');
  });

  test('that the actuator cannot make sense of end it, in its words', async () => {
    await driving();
    rig.motors.write = () => ({ error: { code: 'INVALID_ARGUMENT', message: 'json: there is no field "left"' } });
    await rig.pass(100);
    assert.deepEqual([drive.state, drive.reason, drive.why], ['off', 'refused', 'json: there is no field "left"']);
  });

  test('quality is told', async () => {
    await driving();
    await rig.pass(2000);
    const good = drive.quality;
    assert.ok(good.rttMs >= 0 && good.rttMs <= 10 && good.lostPercent === 0 && good.perSecond >= 20 && good.ageMs <= 60, JSON.stringify(good));
    rig.lossyUp = false;
    await rig.pass(900);
    assert.ok(drive.quality.lostPercent > 20);
  });
});

describe('what ends it', () => {
  test('stop: neutral commands, and the lease is back', async () => {
    await driving();
    press('KeyW');
    await rig.pass(100);
    const n = commands().length;
    drive.stop();
    await rig.pass(50);
    assert.deepEqual(since(n), Array(3).fill(rig.motors.safe));
    assert.equal(rig.motors.lease, null);
    assert.deepEqual([drive.state, drive.reason, drive.values], ['off', 'released', null]);
    await still();
    drive.start();
    await rig.pass(100);
    assert.equal(drive.state, 'arming', 'the key is still held');
  });

  for (const why of ['hidden', 'frozen', 'closed']) {
    test(`a page that is ${why}: at once, and it does not resume`, async () => {
      await driving();
      press('KeyW');
      await rig.pass(100);
      const n = commands().length;
      rig.env.leave(why);
      assert.deepEqual([drive.state, drive.reason], ['off', why]);
      await rig.pass(50);
      const farewells = since(n);
      assert.ok(farewells.length >= 3 && farewells.every((json) => !moving(json)), farewells.join());
      assert.equal(rig.motors.lease, null);
      rig.env.pageHidden = false;
      for (const wake of rig.env.wakers) wake();
      await still();
      assert.equal(commands().length, n + farewells.length);
      assert.equal(drive.state, 'off');
    });
  }

  test('another takes over: it is named, and nothing more is sent', async () => {
    await driving();
    press('KeyW');
    await rig.pass(100);
    rig.motors.handle('waldo.control.v1.ControlService/Take', { holder: 'Firefox on Mac 1a2b', key: '' });
    await rig.pass(60);
    assert.deepEqual([drive.state, drive.reason, drive.why], ['off', 'taken', 'Firefox on Mac 1a2b has taken over']);
    const n = commands().length;
    await rig.pass(500);
    assert.equal(commands().length, n);
    assert.equal(rig.motors.lease.holder, 'Firefox on Mac 1a2b');
  });

  test('a lease that ran out: it says so', async () => {
    await driving();
    rig.motors.end('LEASE_LAPSED');
    await rig.pass(100);
    assert.deepEqual([drive.state, drive.reason], ['off', 'lapsed']);
  });

  test('an actuator that was restarted', async () => {
    await driving();
    press('KeyW');
    await rig.pass(50);
    rig.actuators = [new FakeActuator(rig.env, 'motors', '78')];
    await rig.pass(100);
    assert.deepEqual([drive.state, drive.reason], ['off', 'restarted']);
    await still();
  });

  test('a page that stood still for longer than the lease lasts', async () => {
    await driving();
    press('KeyW');
    await rig.pass(50);
    rig.env.freeze(3000);
    await rig.pass(20);
    assert.deepEqual([drive.state, drive.reason], ['off', 'frozen']);
    await still();
  });

  test('another way to drive the robot', async () => {
    await driving();
    drive.configure({ ...drive.config, device: 'arm' });
    assert.deepEqual([drive.state, drive.reason], ['off', 'reconfigured']);
  });

  test('the end of the robot', async () => {
    await driving();
    rig.robot.close();
    assert.deepEqual([drive.state, drive.reason], ['off', 'closed']);
    await rig.pass(100);
    assert.equal(rig.env.watchers.size, 1, 'that of the keyboard, which is not the robot’s');
  });
});

describe('what lets go', () => {
  test('a short standstill: what was held has to be let go and pressed anew', async () => {
    await driving();
    press('KeyW');
    await rig.pass(100);
    rig.env.freeze(400);
    const n = commands().length;
    await rig.pass(300);
    assert.equal(drive.state, 'driving');
    assert.ok(since(n).every((json) => !moving(json)));
    assert.ok(commands().slice(n).some((c) => c.verdict === 'EXPIRED') && commands().at(-1).verdict === 'ACCEPTED', 'and the clock is heard again');
    assert.ok(drive.quality.refusals.EXPIRED >= 1);
    lift('KeyW');
    press('KeyW');
    await rig.pass(50);
    assert.equal(moving(commands().at(-1).json), true);
  });

  test('the window is left: neutral, while the lease is kept', async () => {
    await driving();
    press('KeyW');
    await rig.pass(100);
    rig.env.leave('blurred');
    await rig.pass(20);
    await still();
    assert.equal(drive.state, 'driving');
  });

  test('a trigger that the browser takes for a stick, and that rests at its end', async () => {
    rig.drive = { ...config, axes: config.axes.map((a) => (a.name === 'turn' ? { ...a, gamepad: 'axis2' } : a)) };
    const pad = (lt) => ({ index: 0, id: 'Pad', connected: true, mapping: '', axes: [0, 0, lt, 0, 0, -1], buttons: [] });
    const gamepad = new Gamepad({ env: rig.env });
    drive.use(gamepad);
    rig.env.pads = [pad(0)];
    await driving();
    for (const lt of [1, -1]) {
      rig.env.pads = [pad(lt)];
      await still(3000);
    }
    assert.equal(drive.state, 'driving', 'and the keys still drive');
    press('KeyW');
    await rig.pass(50);
    assert.equal(commands().at(-1).json, '{"left":200,"right":200}');
    gamepad.close();
  });

  test('a pad that robot.yaml describes drives once it was proven', async () => {
    rig.drive = { ...config, pads: [{ id: 'Pad', controls: { axis0: 'axis4' } }] };
    const pad = (x) => ({ index: 0, id: 'Pad', connected: true, mapping: '', axes: [0, 0, -1, -1, x], buttons: [] });
    const gamepad = new Gamepad({ env: rig.env });
    drive.use(gamepad);
    rig.env.pads = [pad(0)];
    await driving();
    rig.env.pads = [pad(1)];
    await still(300);
    rig.env.pads = [pad(0)];
    await rig.pass(1500);
    rig.env.pads = [pad(1)];
    await rig.pass(50);
    assert.equal(commands().at(-1).json, '{"left":60,"right":-60}');
    gamepad.close();
  });

  test('the gamepad is unplugged', async () => {
    const pad = (y) => ({ index: 0, id: 'Pad', connected: true, mapping: 'standard', axes: [0, y], buttons: [] });
    const gamepad = new Gamepad({ env: rig.env });
    drive.use(gamepad);
    rig.env.pads = [pad(0)];
    await driving();
    rig.env.pads = [pad(-1)];
    await rig.pass(100);
    assert.equal(commands().at(-1).json, '{"left":200,"right":200}');
    rig.env.pads = [null];
    await rig.pass(40);
    await still(500);
    rig.env.pads = [pad(-1)];
    await still(500);
    rig.env.pads = [pad(0)];
    await rig.pass(50);
    rig.env.pads = [pad(-1)];
    await rig.pass(50);
    assert.equal(commands().at(-1).json, '{"left":200,"right":200}');
    gamepad.close();
  });

  test('an input that is taken out', async () => {
    const away = drive.use({ axis: (a) => (a.name === 'turn' ? 1 : 0), atRest: true, rest: () => {} });
    await driving();
    await rig.pass(50);
    assert.equal(commands().at(-1).json, '{"left":60,"right":-60}');
    away();
    await rig.pass(50);
    assert.equal(moving(commands().at(-1).json), false);
  });
});

describe('e-stop by somebody else', () => {
  test('shows; no command is sent while it is latched; after it, rest comes first', async () => {
    await driving();
    press('KeyW');
    await rig.pass(100);
    rig.motors.press('a shell');
    await rig.pass(60);
    assert.equal(drive.state, 'estopped');
    const n = commands().length;
    await rig.pass(3000);
    assert.equal(commands().length, n);
    assert.ok(rig.motors.lease, 'signs of life keep the lease');
    assert.equal(drive.state, 'estopped');
    rig.motors.eStop = null;
    rig.motors.stop('E_STOP');
    await rig.pass(500);
    assert.equal(drive.state, 'arming', 'the key is still held');
    await still(500);
    lift('KeyW');
    await rig.pass(100);
    assert.equal(drive.state, 'driving');
    press('KeyW');
    await rig.pass(50);
    assert.equal(moving(commands().at(-1).json), true);
  });
});

describe('hardware that is away', () => {
  test('shows, is asked for, and needs rest when it is back', async () => {
    await driving();
    press('KeyW');
    await rig.pass(100);
    rig.motors.present = false;
    rig.motors.armed = false;
    await rig.pass(60);
    assert.equal(drive.state, 'away');
    const n = commands().length;
    await rig.pass(3000);
    assert.ok(commands().length - n >= 8 && commands().length - n <= 11, `${commands().length - n} in 3 s`);
    assert.ok(since(n).every((json) => !moving(json)));
    rig.motors.present = true;
    await rig.pass(500);
    assert.equal(drive.state, 'arming');
    lift('KeyW');
    await rig.pass(100);
    assert.equal(drive.state, 'driving');
  });

  test('is back also if the state does not come and commands are too late', async () => {
    rig.telling = false;
    await driving();
    rig.motors.present = false;
    rig.motors.armed = false;
    await rig.pass(60);
    assert.equal(drive.state, 'away');
    rig.motors.present = true;
    await rig.pass(1000);
    assert.equal(drive.state, 'driving');
    assert.ok(commands().some((c) => c.verdict === 'EXPIRED'), 'one was too late');
  });

  test('a command that is not neutral when it has to be leads back to rest', async () => {
    await driving();
    press('KeyW');
    await rig.pass(100);
    rig.motors.armed = false; // it was away for a blink
    await rig.pass(60);
    assert.equal(drive.state, 'arming');
    assert.ok(drive.quality.refusals.NOT_NEUTRAL >= 1);
    lift('KeyW');
    await rig.pass(100);
    assert.equal(drive.state, 'driving');
  });
});

describe('a lost connection', () => {
  test('nothing is sent; when it is back in time the lease is asked for, not taken, and rest comes first', async () => {
    await driving();
    press('KeyW');
    await rig.pass(100);
    rig.die();
    await rig.pass(40);
    assert.equal(drive.state, 'lost');
    const n = commands().length;
    await rig.pass(600);
    rig.revive();
    await rig.until(() => drive.state === 'arming');
    await rig.pass(200);
    assert.ok(since(n).every((json) => !moving(json)), 'no command of before, and none but neutral ones');
    assert.equal(methods().includes('Take'), false);
    assert.equal(methods().filter((m) => m === 'Acquire').length, 2);
    assert.equal(drive.state, 'arming', 'the key is still held');
    lift('KeyW');
    await rig.pass(100);
    assert.equal(drive.state, 'driving');
    assert.ok(commands().slice(n).every((c) => c.verdict === 'ACCEPTED'), 'the old lease was given back, and its commands died with it');
  });

  test('that lasts too long ends it', async () => {
    await driving();
    rig.die();
    await rig.pass(6000);
    assert.deepEqual([drive.state, drive.reason], ['off', 'lost']);
    rig.revive();
    await rig.until(() => rig.robot.state === 'live');
    const n = commands().length;
    await rig.pass(2000);
    assert.equal(commands().length, n);
    assert.equal(drive.state, 'off');
  });

  test('in which somebody else began to drive ends it', async () => {
    await driving();
    rig.die();
    await rig.pass(1200);
    rig.motors.advance();
    rig.motors.grant('a shell');
    await rig.pass(800, () => (rig.motors.lease.alive = rig.motors.now));
    rig.revive();
    await rig.until(() => drive.state === 'off');
    assert.deepEqual([drive.reason, drive.why], ['taken', 'a shell has taken over']);
    assert.equal(rig.motors.lease.holder, 'a shell');
  });

  test('on a hidden page ends it', async () => {
    await driving();
    rig.die();
    await rig.pass(100);
    rig.env.leave('hidden');
    assert.deepEqual([drive.state, drive.reason], ['off', 'hidden']);
    rig.env.pageHidden = false;
    rig.revive();
    await rig.pass(3000);
    assert.equal(drive.state, 'off');
    assert.equal(rig.motors.lease, null);
  });

  test('an actuator that says nothing counts as lost, and not for ever', async () => {
    await driving();
    press('KeyW');
    rig.lossyUp = false;
    await rig.until(() => drive.state === 'lost');
    await rig.pass(8000);
    assert.equal(drive.state, 'off');
    assert.ok(['lost', 'lapsed'].includes(drive.reason), drive.reason);
    assert.ok(states.length < 20, states.join());
    await still();
  });

  test('an actuator whose process is back soon is not driven by itself', async () => {
    await driving();
    press('KeyW');
    await rig.pass(50);
    rig.motors.up = false;
    await rig.pass(300);
    rig.actuators = [new FakeActuator(rig.env, 'motors', '78')];
    await rig.pass(1000);
    assert.ok(drive.state === 'off' || drive.state === 'arming', drive.state);
    await still();
  });
});
