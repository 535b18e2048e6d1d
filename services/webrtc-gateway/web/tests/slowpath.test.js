import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { Keyboard } from '../inputs/keyboard.js';
import { key, Rig } from './rig.js';

describe('a path that gets too slow for commands', () => {
  /** @type {Rig} */ let rig;
  let drive, target;

  beforeEach(async () => {
    rig = new Rig();
    target = new EventTarget();
    drive = rig.robot.drive();
    drive.use(new Keyboard({ target, env: rig.env }));
    await rig.connect();
    drive.start();
    await rig.until(() => drive.state === 'driving');
    key(target, 'keydown', 'KeyW', { at: rig.env.time });
    await rig.pass(200);
  });
  afterEach(() => rig.robot.close());

  const kept = () => rig.motors.calls.filter((c) => c.method === 'KeepAlive').length;
  const last = () => rig.motors.judged.at(-1);
  /** The path gets slower, by at most so much per ms. */
  const slow = (way, most, slope) => (rig[way] < most) && (rig[way] = Math.min(most, rig[way] + 10 * slope));

  for (const [name, way, ms, slope] of [
    ['the way back, at once', 'backMs', 650, 100], ['the way there, at once', 'thereMs', 650, 100],
    ['slower than a lease lasts, by and by', 'backMs', 1300, 0.5],
  ]) {
    test(`stops the robot, but the lease lives, and driving resumes: ${name}`, async () => {
      const lease = rig.motors.lease.epoch;
      assert.equal(kept(), 0, 'commands suffice');
      await rig.until(() => (slow(way, ms, slope), rig.motors.cause === 'DEADMAN'));
      const carried = rig.motors.carried.length;
      await rig.pass(4000, () => slow(way, ms, slope));
      assert.equal(rig.motors.carried.length, carried, 'stands still');
      assert.deepEqual([drive.state, rig.motors.lease?.epoch], ['driving', lease]);
      assert.ok(kept() >= 4 && kept() <= 16, `${kept()} signs of life in 4 s`);
      rig[way] = 0;
      await rig.pass(ms + 100);
      assert.deepEqual([last().verdict, last().json], ['ACCEPTED', '{"left":200,"right":200}']);
      assert.deepEqual([drive.state, rig.motors.lease.epoch], ['driving', lease]);
    });
  }

  test('so slow that nothing is heard for longer than a lease lasts: it is asked for again, and rest comes first', async () => {
    rig.backMs = 1500;
    await rig.until(() => drive.state === 'lost');
    rig.backMs = 0;
    await rig.pass(2000);
    assert.deepEqual([drive.state, last().json], ['arming', rig.motors.safe]);
    key(target, 'keyup', 'KeyW', { at: rig.env.time });
    await rig.pass(100);
    assert.equal(drive.state, 'driving');
  });
});
