import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { Gamepad } from '../inputs/gamepad.js';
import { FakeEnv } from './fakes.js';

/** @type {FakeEnv} */ let env;
/** @type {Gamepad} */ let gamepad;
beforeEach(() => {
  env = new FakeEnv();
  gamepad = new Gamepad({ env });
});
afterEach(() => gamepad.close());

const axis = (name, control) => ({ name, plusKeys: [], minusKeys: [], gamepad: control, touch: '' });
const axes = [axis('forward', '-axis1'), axis('turn', 'axis0'), axis('strafe', 'axis2')];
const pad = (axes, { mapping = 'standard', buttons = Array(11).fill(0), index = 0, id = `Pad ${index}` } = {}) => ({
  index, id, mapping, connected: true, axes, buttons: buttons.map((value) => ({ value, pressed: value > 0.5 })),
});
const raw = (axes, more) => pad(axes, { mapping: '', ...more });
/** Pads as they stand, for some time. */
const hold = async (pads, ms = 100) => {
  env.pads = [pads].flat();
  await env.pass(ms);
};
const values = () => axes.map((a) => Math.round(gamepad.axis(a) * 100) / 100 + 0);
const reasons = () => gamepad.doubts.map(({ control, reason }) => `${control} ${reason}`.trim());

describe('a pad the browser has no mapping for', () => {
  // LX LY LT RX RY RT HX HY: triggers rest at -1, some of them at 0 until they were first touched; hats rest outside of all positions.
  const layouts = {
    'triggers at -1': [[0, 0, -1, 0, 0, -1, 0, 0], [0, -1, -1, 0, 0, -1, 0, 0], [0, 0, 1, 0, 0, -1, 0, 0], [0, 0, -1, 0, 0, -1, 0, 0]],
    'triggers at 0 until touched': [[0, 0, 0, 0, 0, 0], [0, -1, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0], [0, 0, -1, 0, 0, 0]],
    'triggers on the left stick': [[0, 0], [1, 0], [-1, -1]],
    'a hat': [[0, 0, 0, 0, 0, 0, 0, 0, 0, 3.2857], [1, 0, 0, 0, 0, 0, 0, 0, 0, 1.2857]],
    'no axes at all': [[], []],
  };
  for (const [name, steps] of Object.entries(layouts)) {
    test(`moves nothing, is at rest, and is named: ${name}`, async () => {
      gamepad.bind(axes);
      for (const step of steps) {
        await hold(raw(step, { buttons: [1, 1] }), 1500);
        assert.deepEqual([values(), gamepad.atRest, gamepad.value('axis0'), gamepad.name], [[0, 0, 0], true, 0, '']);
      }
      assert.deepEqual(gamepad.doubts, [{ pad: 'Pad 0', control: '', reason: 'no-mapping' }]);
    });
  }

  test('stands in the way of no other', async () => {
    gamepad.bind(axes);
    const bad = raw([1, 1, 1]);
    await hold([bad, pad([0, 0, 0], { index: 1 })]);
    assert.deepEqual([gamepad.name, gamepad.atRest], ['Pad 1', true]);
    await hold([bad, pad([0, -1, 0], { index: 1 })]);
    assert.deepEqual([values(), gamepad.name], [[1, 0, 0], 'Pad 1']);
  });

  test('is another pad when the browser finds a mapping for it', async () => {
    gamepad.bind(axes);
    await hold(raw([0, -1, 0]));
    await hold(pad([0, -1, 0]));
    assert.deepEqual([values(), reasons()], [[0, 0, 0], ['axis1 held']]);
    await hold(pad([0, 0, 0]));
    await hold(pad([0, -1, 0]));
    assert.deepEqual([values(), reasons()], [[1, 0, 0], []]);
  });
});

describe('a pad whose numbers are described', () => {
  const described = [{ id: 'twin USB', controls: { axis0: 'axis0', axis1: '-axis1', button7: 'axis2', button0: 'button3', axis2: 'axis9' } }];
  const twin = (axes, buttons = [0, 0, 0, 0]) => raw(axes, { id: 'Twin USB Joystick (Vendor: 0810)', buttons });
  const bound = [axis('forward', 'axis1'), axis('turn', 'button7'), axis('strafe', 'button0')];
  const now = () => bound.map((a) => Math.round(gamepad.axis(a) * 100) / 100 + 0);
  beforeEach(() => gamepad.bind(bound, described));

  test('counts stick by stick, once each was moved and let go', async () => {
    await hold(twin([0, 0, 0]));
    assert.deepEqual(reasons(), ['axis1 unproven', 'button7 unproven']);
    await hold(twin([0, 1, 0]));
    assert.deepEqual([now(), gamepad.atRest], [[0, 0, 0], true], 'the first move shows where the stick is, and moves nothing');
    await hold(twin([0, 0, 0]), 1500);
    assert.deepEqual(reasons(), ['button7 unproven']);
    await hold(twin([0, 1, 0]));
    assert.deepEqual([now(), gamepad.name], [[-1, 0, 0], 'Twin USB Joystick (Vendor: 0810)']);
  });

  test('has triggers that rest at their end, whatever they report before', async () => {
    for (const at of [0, 1, -1]) {
      await hold(twin([0, 0, at]), 1500);
      assert.equal(now()[1], 0, `at ${at}`);
    }
    await hold(twin([0, 0, 0]));
    assert.ok(Math.abs(now()[1] - 0.43) < 0.01, `half: ${now()[1]}`);
    await hold(twin([0, 0, -1]));
    assert.deepEqual([now()[1], gamepad.atRest], [0, true]);
  });

  test('does not take a trigger for a stick', async () => {
    gamepad.bind(bound, [{ id: 'Twin', controls: { axis1: 'axis2' } }]);
    for (const at of [0, 1, 0.02, -1]) await hold(twin([0, 0, at]), 200);
    await hold(twin([0, 0, -1]), 5000);
    assert.deepEqual([now(), reasons()[0]], [[0, 0, 0], 'axis1 unproven']);
  });

  test('does not take a hat for a stick', async () => {
    gamepad.bind([axis('turn', 'axis2')], described);
    for (const at of [3.2857, 0.14, -1, 0.14, 1.2857]) await hold(twin([0, 0, 0, 0, 0, 0, 0, 0, 0, at]), 1500);
    assert.deepEqual([gamepad.value('axis2'), reasons()], [0, ['axis2 no-rest']]);
  });

  test('has buttons of its own', async () => {
    await hold(twin([0, 0, 0], [0, 0, 0, 0]));
    await hold(twin([0, 0, 0], [1, 0, 0, 1]));
    assert.equal(now()[2], 1);
  });

  test('what is said in the options counts as well', async () => {
    gamepad.close();
    gamepad = new Gamepad({ env, pads: described });
    gamepad.bind(bound);
    await hold(twin([0, 0, 0], [0, 0, 0, 0]));
    await hold(twin([0, 0, 0], [0, 0, 0, 1]));
    assert.equal(now()[2], 1);
  });
});

describe('at rest', () => {
  beforeEach(() => gamepad.bind(axes));

  for (const [what, rest] of Object.entries({ 'a stick that drifts': 0.08, 'a worn stick': 0.15, 'a very worn stick': -0.24 })) {
    test(`${what} (${rest}) moves nothing, before it is touched and after, and the others count`, async () => {
      const at = (x, y) => pad([x, y, 0]);
      await hold(at(rest, 0));
      assert.deepEqual([values(), gamepad.atRest], [[0, 0, 0], true]);
      await hold(at(rest, -1));
      assert.deepEqual(values(), [1, 0, 0]);
      await hold(at(rest, 0), 2000);
      await hold(at(1, 0));
      assert.deepEqual(values(), [0, 1, 0]);
      await hold(at(rest, 0), 2000);
      assert.deepEqual([values(), gamepad.atRest, reasons()], [[0, 0, 0], true, []]);
    });
  }

  test('a stick that rests beside its middle only after it was touched stops within a second', async () => {
    await hold(pad([0, 0, 0]));
    await hold(pad([1, 0, 0]));
    await hold(pad([0.2, 0, 0]), 1200);
    assert.deepEqual([values(), gamepad.atRest], [[0, 0, 0], true]);
  });

  test('a stick that is held still further out goes on', async () => {
    await hold(pad([0, 0, 0]));
    await hold(pad([0.5, 0, 0]), 10_000);
    assert.ok(values()[1] > 0.4);
  });

  test('a trigger that is half pressed until it is first touched', async () => {
    gamepad.bind([axis('forward', 'button7')]);
    const at = (v) => pad([], { buttons: [0, 0, 0, 0, 0, 0, 0, v] });
    for (const [v, want] of [[0.5, 0], [1, 0], [0, 0], [1, 1], [0, 0]]) {
      await hold(at(v), 1200);
      assert.equal(gamepad.value('button7'), want, `at ${v}`);
    }
  });

  test('an axis beyond the standard ones must be moved and let go first', async () => {
    gamepad.bind([axis('forward', 'axis5')]);
    const at = (v) => pad([0, 0, 0, 0, 0, v]);
    for (const [v, want] of [[0, 0], [1, 0], [-1, 0]]) {
      await hold(at(v), 1500);
      assert.equal(gamepad.value('axis5'), want, `at ${v}`);
    }
    for (const [v, want] of [[0, 0], [1, 1]]) {
      await hold(at(v), 1500);
      assert.equal(gamepad.value('axis5'), want, `at ${v}`);
    }
  });
});

describe('what a pad does not report', () => {
  beforeEach(() => gamepad.bind(axes));

  for (const [what, gone] of Object.entries({ NaN: NaN, 'no number': undefined, infinity: Infinity })) {
    test(`${what}: is let go, counts after it was at rest again, and is named`, async () => {
      await hold(pad([0, 0, 0]));
      await hold(pad([0, -1, 0]));
      await hold(pad([0, gone, 0]));
      assert.deepEqual([values(), gamepad.atRest, reasons()], [[0, 0, 0], true, ['axis1 missing']]);
      await hold(pad([0, -1, 0]));
      assert.deepEqual([values(), reasons()], [[0, 0, 0], ['axis1 held']]);
      await hold(pad([0, 0, 0]));
      await hold(pad([0, -1, 0]));
      assert.deepEqual(values(), [1, 0, 0]);
    });
  }

  test('an axis too few', async () => {
    await hold(pad([0, 0]));
    await hold(pad([0, -1]));
    assert.deepEqual([values(), reasons()], [[1, 0, 0], ['axis2 missing']]);
  });

  test('buttons as numbers, and none', async () => {
    gamepad.bind([axis('forward', 'button1'), axis('turn', 'button9')]);
    const old = (v) => ({ ...pad([]), buttons: [0, v, null] });
    await hold(old(0));
    await hold(old(1));
    assert.deepEqual([gamepad.value('button1'), gamepad.value('button9'), reasons()], [1, 0, ['button9 missing']]);
  });
});

describe('several pads', () => {
  beforeEach(() => gamepad.bind(axes));

  test('plugged in while a stick is held, one does nothing until that is let go, and its other sticks count', async () => {
    await hold(pad([1, 0, 0]));
    assert.deepEqual([values(), gamepad.atRest, reasons()], [[0, 0, 0], true, ['axis0 held']]);
    await hold(pad([1, -1, 0]));
    assert.deepEqual(values(), [1, 0, 0]);
  });

  test('one that gets another index is another', async () => {
    await hold(pad([0, 0, 0]));
    await hold(pad([0, -1, 0]));
    await hold(pad([0, -1, 0], { index: 3, id: 'Pad 0' }));
    assert.deepEqual(values(), [0, 0, 0]);
  });

  test('one in the place of another is another', async () => {
    await hold(pad([0, 0, 0]));
    await hold(pad([0, -1, 0]));
    await hold(pad([0, -1, 0], { id: 'Pad 9' }));
    assert.deepEqual([values(), gamepad.name], [[0, 0, 0], 'Pad 9']);
  });

  test('when the one in use goes, what is held on its double does not go on', async () => {
    const both = (y) => [pad([0, y, 0]), pad([0, y, 0], { index: 1, id: 'Pad 0' })];
    await hold(both(0));
    await hold(both(-1));
    assert.deepEqual(values(), [1, 0, 0]);
    await hold(both(-1)[1]);
    await hold({ ...both(-0.9)[1] });
    assert.deepEqual([values(), gamepad.atRest], [[0, 0, 0], true]);
    await hold(both(0)[1]);
    await hold(both(-1)[1]);
    assert.deepEqual(values(), [1, 0, 0]);
  });

  test('one that is dead does not keep a good one from being used', async () => {
    const dead = pad([NaN, 0.9, 0], { buttons: [] });
    await hold([dead, pad([0, 0, 0], { index: 1 })]);
    await hold([dead, pad([0, -1, 0], { index: 1 })]);
    assert.deepEqual([values(), gamepad.name], [[1, 0, 0], 'Pad 1']);
  });
});
