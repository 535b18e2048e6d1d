import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connected, DEVICES, ready, startRobot, until } from './rig.js';

const { front } = DEVICES;
const motors = DEVICES.motors.replace('right: 0}', 'right: 0}, see: front, blind: {slow: 1s, stop: 1500ms}');

/** Drives until the board has been told. */
const moves = (drive) => until('it moves', () => drive.send({ left: 50, right: 50 }) && drive.refusal === ''
  && drive.control.state.phase === 'driving' && drive.control.state.sight?.speed > 0);

describe('an actuator that wants its driver to see', () => {
  test('is driven by who takes frames, and stands still when none come', async (t) => {
    const robot = connected(t, await startRobot(t, { front, motors }));
    const camera = await ready(robot, 'front');
    await ready(robot, 'motors');
    const drive = robot.drive('motors');
    await drive.start();
    await until('it is blind', () => drive.send({ left: 50, right: 50 }) && drive.refusal === 'BLIND');
    assert.deepEqual([drive.state, drive.seenMs], ['driving', null]);

    const frames = robot.video('front', { width: 160 })[Symbol.asyncIterator]();
    let last = null;
    let looking = true;
    const looked = (async () => {
      while (looking) ({ value: last } = await frames.next());
    })();
    t.after(async () => {
      looking = false;
      await frames.return();
      await looked;
    });
    await moves(drive);
    assert.ok(last.captureTime > 0 && Math.abs(drive.seenMs - last.captureTime) < 5000, String(drive.seenMs));

    process.kill(camera.pid, 'SIGSTOP');
    try {
      await until('it is blind again', async () => {
        await sleep(20);
        return drive.send({ left: 50, right: 50 }) && drive.refusal === 'BLIND';
      });
    } finally {
      process.kill(camera.pid, 'SIGCONT');
    }
    assert.equal(drive.state, 'driving', 'that does not end driving');
    await moves(drive);
    drive.stop();
  });

  test('is content with a snapshot, as long as that is new', async (t) => {
    const robot = connected(t, await startRobot(t, { front, motors }));
    await ready(robot, 'front');
    await ready(robot, 'motors');
    const drive = robot.drive('motors');
    await drive.start();
    await until('a command is accepted', async () => {
      const { captureTime } = await robot.video('front').snapshot();
      assert.ok(captureTime > 0);
      drive.send({ left: 50, right: 50 });
      await sleep(50);
      return drive.refusal === '' && drive.control.state?.sight?.speed > 0;
    });
    drive.stop();
  });
});
