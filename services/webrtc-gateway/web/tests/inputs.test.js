import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { Gamepad } from '../inputs/gamepad.js';
import { Keyboard } from '../inputs/keyboard.js';
import { TouchStick } from '../inputs/touchstick.js';
import { FakeEnv } from './fakes.js';
import { config, key } from './rig.js';

/** @type {FakeEnv} */ let env;
beforeEach(() => (env = new FakeEnv()));

describe('keyboard', () => {
  let target, keyboard, changes;
  const press = (code, more = {}) => key(target, 'keydown', code, { at: env.time, ...more });
  const lift = (code, more = {}) => key(target, 'keyup', code, { at: env.time, ...more });
  beforeEach(() => {
    target = new EventTarget();
    keyboard = new Keyboard({ target, env });
    keyboard.bind(config.axes);
    changes = 0;
    keyboard.addEventListener('change', () => (changes += 1));
  });
  afterEach(() => keyboard.close());
  const forward = () => keyboard.axis(config.axes[0]);

  test('keys move axes, and opposite ones cancel out', () => {
    press('KeyW');
    assert.deepEqual([forward(), keyboard.value('KeyW'), keyboard.atRest, changes], [1, 1, false, 1]);
    press('KeyS');
    assert.deepEqual([forward(), keyboard.atRest], [0, false]);
    lift('KeyW');
    assert.equal(forward(), -1);
    lift('KeyS');
    assert.deepEqual([forward(), keyboard.atRest, changes], [0, true, 4]);
  });

  test('two keys of one axis are one, and it lasts until both are up', () => {
    press('KeyW');
    press('ArrowUp');
    assert.equal(forward(), 1);
    lift('KeyW');
    assert.equal(forward(), 1);
  });

  test('repeats say nothing', () => {
    press('KeyW', { repeat: true });
    assert.deepEqual([forward(), changes], [0, 0]);
  });

  for (const modifier of ['ctrlKey', 'metaKey', 'altKey']) {
    test(`${modifier} makes it the browser’s, and lets go what is held`, () => {
      press('KeyW');
      assert.equal(press('KeyS', { [modifier]: true }).defaultPrevented, false);
      assert.deepEqual([forward(), keyboard.atRest], [0, true]);
    });
  }

  test('keys typed into a field are the field’s, but one that goes up there is up', () => {
    let typing = true;
    target.closest = () => (typing ? target : null);
    keyboard.grab = true;
    assert.equal(press('KeyW').defaultPrevented, false);
    assert.equal(keyboard.atRest, true);
    typing = false;
    press('KeyW');
    assert.equal(forward(), 1);
    typing = true;
    lift('KeyW');
    assert.equal(forward(), 0);
  });

  test('only keys that are cared for are swallowed, and only when told to', () => {
    assert.equal(press('ArrowUp').defaultPrevented, false);
    keyboard.grab = true;
    assert.equal(press('ArrowUp', { repeat: true }).defaultPrevented, true);
    assert.equal(lift('ArrowUp').defaultPrevented, true);
    assert.equal(press('KeyF').defaultPrevented, false);
    assert.equal(press('Space').defaultPrevented, false);
  });

  for (const why of ['hidden', 'blurred', 'frozen', 'closed']) {
    test(`${why}: everything is let go, and has to be pressed anew`, () => {
      press('KeyW');
      env.leave(why);
      assert.deepEqual([forward(), changes], [0, 2]);
      press('KeyW', { repeat: true }); // it is still held
      assert.equal(forward(), 0);
      lift('KeyW');
      press('KeyW');
      assert.equal(forward(), 1);
    });
  }

  test('a page that stood still lets go before anybody can read, and does not believe what waited', () => {
    press('KeyW');
    env.time += 250;
    assert.equal(forward(), 0, 'before any timer ran');
    press('KeyW', { at: env.time - 220 });
    assert.equal(forward(), 0, 'pressed while nobody was there');
    press('KeyW');
    assert.equal(forward(), 1);
  });

  test('a page that runs holds a key as long as it is held', async () => {
    press('KeyW');
    await env.pass(60_000);
    assert.equal(forward(), 1);
  });

  // Menus, drags and input methods keep the end of a key to themselves.
  for (const what of ['contextmenu', 'dragstart', 'compositionstart']) {
    test(`${what}: everything is let go`, () => {
      press('KeyW');
      target.dispatchEvent(new Event(what));
      assert.deepEqual([forward(), keyboard.atRest], [0, true]);
    });
  }

  test('a key that an input method takes is not pressed', () => {
    press('KeyW', { key: 'Process' });
    press('KeyS', { isComposing: true });
    assert.equal(keyboard.atRest, true);
  });

  test('nothing is heard after the end', () => {
    press('KeyW');
    keyboard.close();
    assert.equal(keyboard.atRest, true);
    press('KeyS');
    assert.equal(keyboard.atRest, true);
    assert.equal(env.watchers.size + env.timers.size, 0);
  });
});

/** A pad as the browser tells of it. */
const pad = (index, axes = [0, 0], buttons = []) => ({
  index, id: `Pad ${index}`, connected: true, mapping: 'standard', axes, buttons: buttons.map((value) => ({ value, pressed: value > 0.5 })),
});

describe('gamepad', () => {
  /** @type {Gamepad} */ let gamepad;
  let events;
  beforeEach(() => {
    gamepad = new Gamepad({ env });
    events = [];
    for (const type of ['connect', 'disconnect']) gamepad.addEventListener(type, (e) => events.push(`${type} ${e.detail}`));
  });
  afterEach(() => gamepad.close());
  /** Time for one look. */
  const look = () => env.pass(30);
  const set = async (...pads) => {
    env.pads = pads;
    await look();
  };

  test('a dead zone, and all of the range beyond it', async () => {
    await set(pad(0));
    for (const [raw, want] of [[0.1, 0], [0.12, 0], [1, 1], [-1, -1], [0.56, 0.5], [-0.56, -0.5], [1.3, 1], [NaN, 0]]) {
      await set(pad(0, [raw, 0]));
      assert.ok(Math.abs(gamepad.value('axis0') - want) < 1e-9, `${raw} is ${gamepad.value('axis0')}`);
      assert.ok(Math.abs(gamepad.value('-axis0') + want) < 1e-9);
    }
  });

  test('triggers are analogue', async () => {
    await set(pad(0, [], [0, 0]));
    await set(pad(0, [], [0, 0.56]));
    assert.ok(Math.abs(gamepad.value('button1') - 0.5) < 1e-9);
    assert.equal(gamepad.value('button7'), 0);
  });

  test('axes of a drive', async () => {
    gamepad.bind(config.axes);
    await set(pad(0));
    await set(pad(0, [0, -1]));
    assert.equal(gamepad.axis(config.axes[0]), 1, 'up is forward');
    assert.equal(gamepad.axis({ ...config.axes[0], gamepad: '' }), 0);
  });

  test('unplugged is at rest at once; plugged in again it counts after it was at rest', async () => {
    await set(pad(0));
    await set(pad(0, [1, 0]));
    assert.equal(gamepad.value('axis0'), 1);
    await set();
    assert.deepEqual([gamepad.value('axis0'), gamepad.atRest, gamepad.name], [0, true, '']);
    await set(pad(0, [1, 0]));
    assert.equal(gamepad.value('axis0'), 0);
    await set(pad(0));
    await set(pad(0, [1, 0]));
    assert.equal(gamepad.value('axis0'), 1);
    assert.deepEqual(events, ['connect Pad 0', 'disconnect Pad 0', 'connect Pad 0']);
  });

  test('a slot that the browser keeps for a pad that is gone is no pad', async () => {
    await set(pad(0));
    await set({ ...pad(0, [1, 0]), connected: false }, null);
    assert.deepEqual([gamepad.value('axis0'), gamepad.name], [0, '']);
  });

  test('the one used last counts, but they take no turns', async () => {
    await set(pad(0), pad(1));
    await set(pad(0), pad(1, [1, 0]));
    assert.deepEqual([gamepad.name, gamepad.value('axis0')], ['Pad 1', 1]);
    await set(pad(0, [-1, 0]), pad(1, [0.9, 0]));
    assert.equal(gamepad.name, 'Pad 1');
    await set(pad(0, [-1, 0]), pad(1));
    await set(pad(0, [-0.9, 0]), pad(1));
    assert.equal(gamepad.name, 'Pad 0');
  });

  test('controls that nobody asked for do not keep it from being at rest', async () => {
    gamepad.bind(config.axes);
    await set(pad(0, [0, 0, -1]));
    await set(pad(0, [1, 0, -1]));
    assert.equal(gamepad.value('axis0'), 1);
  });

  for (const why of ['hidden', 'blurred', 'frozen', 'closed']) {
    test(`${why}: it is at rest until it was at rest`, async () => {
      await set(pad(0));
      await set(pad(0, [1, 0]));
      env.leave(why);
      assert.equal(gamepad.value('axis0'), 0);
      env.pageHidden = false;
      await set(pad(0, [0.9, 0]));
      assert.equal(gamepad.value('axis0'), 0);
      await set(pad(0));
      await set(pad(0, [1, 0]));
      assert.equal(gamepad.value('axis0'), 1);
    });
  }

  test('a page that stood still lets go before anybody can read', async () => {
    await set(pad(0));
    await set(pad(0, [1, 0]));
    env.freeze(250);
    assert.equal(gamepad.value('axis0'), 0);
  });
});

describe('touch stick', () => {
  let element, stick, changes;
  const fire = (type, pointerId, clientX, clientY, more = {}) => {
    const event = new Event(type, { cancelable: true });
    Object.defineProperty(event, 'timeStamp', { value: more.at ?? env.time });
    element.dispatchEvent(Object.assign(event, { pointerId, clientX, clientY, button: 0, ...more, at: undefined }));
  };
  beforeEach(() => {
    element = Object.assign(new EventTarget(), {
      style: {}, captured: [], getBoundingClientRect: () => ({ left: 100, top: 200, width: 200, height: 200 }),
      setPointerCapture(id) { this.captured.push(id); },
    });
    stick = new TouchStick(element, { env });
    changes = 0;
    stick.addEventListener('change', () => (changes += 1));
  });
  afterEach(() => stick.close());
  const near = (a, b) => assert.ok(Math.abs(a - b) < 1e-9, `${a} is not ${b}`);

  test('the middle is rest, the edge is all there is, and up is positive', () => {
    fire('pointerdown', 7, 200, 300);
    assert.deepEqual([stick.x, stick.y, stick.atRest, changes], [0, 0, false, 0]);
    assert.deepEqual([element.captured, element.style.touchAction], [[7], 'none']);
    fire('pointermove', 7, 200, 230);
    near(stick.y, 1);
    near(stick.value('-y'), -1);
    fire('pointermove', 7, 270, 300);
    near(stick.value('x'), 1);
    fire('pointermove', 7, 205, 300);
    assert.deepEqual([stick.x, stick.y], [0, 0], 'within the dead zone');
  });

  test('it stays in its circle', () => {
    fire('pointerdown', 7, 200, 300);
    fire('pointermove', 7, 1200, -700);
    near(Math.hypot(stick.x, stick.y), 1);
    near(stick.x, stick.y);
    near(stick.axis(config.axes[1]), Math.SQRT1_2);
  });

  for (const end of ['pointerup', 'pointercancel', 'lostpointercapture']) {
    test(`${end} lets it spring back`, () => {
      fire('pointerdown', 7, 200, 230);
      near(stick.y, 1);
      fire(end, 7, 200, 230);
      assert.deepEqual([stick.x, stick.y, stick.atRest], [0, 0, true]);
      fire('pointermove', 7, 200, 230);
      assert.equal(stick.y, 0);
    });
  }

  test('one finger has it; another does nothing', () => {
    fire('pointerdown', 7, 200, 230);
    fire('pointerdown', 8, 200, 370);
    fire('pointermove', 8, 200, 370);
    near(stick.y, 1);
    fire('pointerup', 8, 200, 370);
    near(stick.y, 1);
  });

  test('a mouse whose button went up unseen lets it spring back', () => {
    fire('pointerdown', 1, 200, 230, { pointerType: 'mouse', buttons: 1 });
    fire('pointermove', 1, 200, 230, { pointerType: 'mouse', buttons: 1 });
    near(stick.y, 1);
    fire('pointermove', 1, 200, 240, { pointerType: 'mouse', buttons: 0 });
    assert.deepEqual([stick.y, stick.atRest], [0, true]);
  });

  test('a finger that left unseen does not keep the stick: the next first finger has it', () => {
    fire('pointerdown', 7, 200, 230, { pointerType: 'touch', isPrimary: true });
    fire('pointerdown', 8, 200, 370, { pointerType: 'touch', isPrimary: false });
    near(stick.y, 1);
    fire('pointerdown', 9, 200, 300, { pointerType: 'touch', isPrimary: true });
    assert.deepEqual([stick.y, stick.atRest], [0, false]);
    fire('pointerup', 9, 200, 300);
    assert.equal(stick.atRest, true);
  });

  test('a finger that is gone before it can be followed does nothing', () => {
    element.setPointerCapture = () => {
      throw new DOMException('no such pointer', 'NotFoundError');
    };
    fire('pointerdown', 7, 200, 230);
    assert.deepEqual([stick.y, stick.atRest], [0, true]);
  });

  test('the other buttons of a mouse do nothing', () => {
    fire('pointerdown', 1, 200, 230, { button: 2 });
    assert.equal(stick.atRest, true);
  });

  for (const why of ['hidden', 'blurred', 'frozen', 'closed']) {
    test(`${why}: it springs back, and the finger has to be put down anew`, () => {
      fire('pointerdown', 7, 200, 230);
      env.leave(why);
      fire('pointermove', 7, 200, 240);
      assert.equal(stick.y, 0);
    });
  }

  test('what a finger did while the page stood still is not believed', () => {
    fire('pointerdown', 7, 200, 300);
    env.time += 300;
    fire('pointermove', 7, 200, 230, { at: env.time - 250 });
    assert.deepEqual([stick.y, stick.atRest], [0, true]);
    fire('pointerdown', 7, 200, 230, { at: env.time - 250 });
    assert.equal(stick.atRest, true);
  });
});
