import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { axisValues, commandJson, driveValues } from '../control/mixing.js';
import { holderName } from '../base/holder.js';
import { nanoseconds } from '../proto/json.js';
import { writeFields } from '../proto/serial.js';
import { Quality } from '../control/quality.js';
import { Queue } from '../channels/queue.js';
import { config } from './rig.js';

/** An input that moves axes so far. */
const input = (moves) => ({ axis: ({ name }) => moves[name] ?? 0, atRest: false, rest: () => {} });
const field = (key, minimum, maximum, whole = true) => [key, { key, whole, minimum, maximum }];

describe('axes', () => {
  const cases = [
    ['nothing', [], { forward: 0, turn: 0 }],
    ['one input', [input({ forward: 0.5 })], { forward: 0.5, turn: 0 }],
    ['inputs add up, to 1 at most', [input({ forward: 0.7, turn: -1 }), input({ forward: 0.7, turn: -1 })], { forward: 1, turn: -1 }],
    ['opposites cancel out', [input({ forward: 1 }), input({ forward: -1 })], { forward: 0, turn: 0 }],
    ['what is no number is nothing', [input({ forward: NaN, turn: Infinity })], { forward: 0, turn: 0 }],
  ];
  for (const [name, inputs, want] of cases) test(name, () => assert.deepEqual(axisValues(config.axes, inputs), want));
});

describe('values', () => {
  const bytes = new Map([field('left', -128, 127), field('right', -128, 127)]);
  const cases = [
    ['sums of gains', { forward: 1, turn: 0.5 }, new Map(), { left: 230, right: 170 }],
    ['whole numbers', { forward: 0.333, turn: 0 }, new Map([field('left', -200, 200), field('right', -200, 200)]), { left: 67, right: 67 }],
    ['halves go up', { forward: 0.0025, turn: 0 }, new Map([field('left', -9, 9), field('right', -9, 9)]), { left: 1, right: 1 }],
    ['bounds', { forward: -1, turn: 0 }, bytes, { left: -128, right: -128 }],
    ['no noise of doubles', { forward: 0.1 + 0.2, turn: 0 }, new Map(), { left: 60, right: 60 }],
    ['no limits told', { forward: 1, turn: 0 }, new Map([field('left', 0, 0)]), { left: 200, right: 200 }],
    ['an axis that is not there', {}, new Map(), { left: 0, right: 0 }],
  ];
  for (const [name, axes, fields, want] of cases) test(name, () => assert.deepEqual(driveValues(config, axes, fields), want));

  test('there is no -0', () => {
    const turn = { ...config, values: [{ key: 'v', terms: [{ axis: 'turn', gain: -0.4 }], offset: 0 }] };
    for (const axis of [0, -0, 1, 1e-9]) assert.ok(!Object.is(driveValues(turn, { turn: axis }, new Map([field('v', -9, 9)])).v, -0));
  });

  test('an offset is what it is at rest', () => {
    const servo = { ...config, values: [{ key: 'servo', terms: [{ axis: 'turn', gain: 40 }], offset: 90 }] };
    assert.deepEqual(driveValues(servo, { turn: 0.5 }, new Map()), { servo: 110 });
  });

  test('at rest it is the safe message to the letter; else what is not driven stays as there', () => {
    const safe = '{ "left": 0, "right":0, "lamp":1 }';
    assert.equal(commandJson(config, { forward: 0, turn: -0 }, new Map(), safe), safe);
    assert.equal(commandJson(config, { forward: 1, turn: 0 }, new Map(), safe), '{"left":200,"right":200,"lamp":1}');
    assert.equal(commandJson(config, { forward: 1, turn: 0 }, new Map(), '"STOP"'), '{"left":200,"right":200}');
  });

  test('fields of a port', () => {
    const port = { writeFields: [{ key: 'a', whole: true, minimum: -1, maximum: 1 }, { key: 'b' }, null, 7] };
    assert.deepEqual([...writeFields(port)], [field('a', -1, 1), field('b', 0, 0, false)]);
    for (const garbage of [undefined, null, 7, [], { writeFields: 3 }]) assert.equal(writeFields(garbage).size, 0);
  });
});

describe('clocks', () => {
  const cases = [
    ['0s', 0n], ['12.345678s', 12_345_678_000n], ['0.000000001s', 1n], ['-0.5s', -500_000_000n], ['9007199254s', 9_007_199_254_000_000_000n],
    ['1.1234567891s', null], ['12', null], ['s', null], ['1.s', null], [' 1s', null], [12, null], [undefined, null], ['1e3s', null],
  ];
  for (const [given, want] of cases) test(`${given}`, () => assert.equal(nanoseconds(given), want));
});

describe('quality', () => {
  const accepted = (sequence, ageMs = 10) => ({ sequence, verdict: 'ACCEPTED', ageMs, clock: { text: '0s', ns: 0n } });

  test('nothing is known at first', () => {
    assert.deepEqual(new Quality().summary(1000), { rttMs: null, lostPercent: null, perSecond: 0, ageMs: null, refusals: {} });
  });

  test('round trips, ages, losses of the last second', () => {
    const q = new Quality();
    for (let i = 1; i <= 60; i += 1) {
      q.sent(i, i * 50);
      if (i % 4 !== 0) q.reported(accepted(i, 20 + i), i * 50 + (i % 2 === 0 ? 30 : 10));
    }
    const now = 3010;
    const s = q.summary(now);
    assert.deepEqual([s.perSecond, s.rttMs, s.lostPercent, s.ageMs], [20, 10, 25, 70]);
    assert.equal(q.shortestMs, 10);
  });

  test('a command without an answer is not lost before it is late', () => {
    const q = new Quality();
    q.sent(1, 0);
    assert.equal(q.summary(400).lostPercent, null);
    assert.equal(q.summary(600).lostPercent, 100);
  });

  test('the shortest way is forgotten in time', () => {
    const q = new Quality();
    assert.equal(q.shortestMs, 0);
    q.sent(1, 0);
    q.reported(accepted(1), 5);
    q.sent(2, 6000);
    q.reported(accepted(2), 6100);
    assert.equal(q.shortestMs, 100);
  });

  test('a way is supposed until one is known', () => {
    const q = new Quality();
    q.suppose(560);
    q.sent(1, 0);
    assert.equal(q.shortestMs, 560);
    q.reported(accepted(1), 580);
    assert.equal(q.shortestMs, 580);
  });

  test('refusals are counted by verdict', () => {
    const q = new Quality();
    for (const [i, verdict] of ['EXPIRED', 'ACCEPTED', 'EXPIRED', 'BEFORE_STOP'].entries()) {
      q.sent(i, i);
      q.reported({ ...accepted(i), verdict }, i);
    }
    assert.deepEqual(q.summary(10).refusals, { EXPIRED: 2, BEFORE_STOP: 1 });
  });
});

describe('queue', () => {
  test('first in, first out, and who waits gets the next', async () => {
    const q = new Queue();
    const first = q.get();
    assert.equal(q.put(1), true);
    q.put(2);
    q.put(3);
    assert.deepEqual([await first, await q.get(), q.size], [1, 2, 1]);
  });

  test('those who wait are served in their order', async () => {
    const q = new Queue();
    const both = Promise.all([q.get(), q.get()]);
    q.put('a');
    q.put('b');
    assert.deepEqual(await both, ['a', 'b']);
  });

  for (const [policy, want] of [['drop-oldest', [2, 3]], ['drop-newest', [1, 2]]]) {
    test(`${policy}: what is lost is counted`, async () => {
      const q = new Queue({ limit: 2, policy });
      assert.deepEqual([q.put(1), q.put(2), q.put(3)], [true, true, false]);
      assert.deepEqual([await q.get(), await q.get(), q.dropped], [...want, 1]);
    });
  }

  test('closed: what is there can still be had, then it ends', async () => {
    const q = new Queue();
    q.put(1);
    q.close();
    assert.equal(q.put(2), false);
    const seen = [];
    for await (const v of q) seen.push(v);
    assert.deepEqual(seen, [1]);
    await assert.rejects(q.get(), /closed/);
    const waiting = new Queue();
    const got = waiting.get();
    waiting.close();
    await assert.rejects(got, /closed/);
  });

  test('without room there is no queue', () => {
    for (const limit of [0, -1, NaN]) assert.throws(() => new Queue({ limit }), RangeError);
  });
});

describe('holder', () => {
  const chrome = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36';
  const cases = [
    [chrome, ['Not A Brand', 'Chromium'], 'Chromium on Linux 8000'],
    [chrome, ['Chromium', 'Google Chrome'], 'Chrome on Linux 8000'],
    [chrome, [], 'Chrome on Linux 8000'],
    ['Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1 Version/18.0 Mobile/15E148 Safari/604.1', [], 'Safari on iPhone 8000'],
    ['Mozilla/5.0 (Linux; Android 15; K) AppleWebKit/537.36 Chrome/142.0.0.0 Mobile Safari/537.36', [], 'Chrome on Android 8000'],
    ['Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0', [], 'Firefox on Windows 8000'],
    ['Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1 Version/18.0 Safari/605.1', [], 'Safari on Mac 8000'],
    ['', [], 'Browser 8000'],
  ];
  for (const [agent, brands, want] of cases) test(want, () => assert.equal(holderName(agent, brands, 0.5), want));

  test('always fits', () => {
    assert.match(holderName('', [], 0), / 0000$/);
    assert.match(holderName('', [], 0.999999999), / ffff$/);
  });
});
