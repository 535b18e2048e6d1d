import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Frame } from 'waldo-robot';
import { DEVICES, connected, crash, events, freeAddress, ready, startBus, startRobot, take, until } from './rig.js';

describe('video', () => {
  const sizes = [
    ['bgr', {}, 320, 240, 320 * 240 * 3], ['i420', { width: 160 }, 160, 120, 160 * 120 * 1.5],
    ['yuyv', { height: 120 }, 160, 120, 160 * 120 * 2], ['nv12', { width: 64, height: 64 }, 64, 64, 64 * 64 * 1.5],
  ];
  test('in every format', async (t) => {
    const robot = connected(t, await startRobot(t, { front: DEVICES.front }));
    for (const [format, options, width, height, bytes] of sizes) {
      for (const frame of await take(robot.video('front', { format, ...options }), 3)) {
        assert.deepEqual([frame.format, frame.width, frame.height, frame.length, frame.keyFrame],
          [format, width, height, bytes, true]);
      }
    }
    const [jpeg] = await take(robot.video('front'), 1);
    assert.deepEqual([jpeg.format, jpeg.mediaType, jpeg[0], jpeg[1]], ['jpeg', 'image/jpeg', 0xff, 0xd8]);
    const encoded = await take(robot.video('front', { format: 'h264' }), 5);
    assert.deepEqual(encoded.map((f) => f.format), Array(5).fill('h264'));
    assert.equal(encoded[0].keyFrame, true);
    const picture = await robot.video('front').snapshot();
    assert.ok(picture instanceof Frame && picture.format === 'jpeg' && picture.width === 320);
    assert.equal((await robot.video('front', { format: 'bgr' }).snapshot()).length, 320 * 240 * 3);
  });

  test('frames know their life, their number, their time, and what was lost', async (t) => {
    const robot = connected(t, await startRobot(t, { front: DEVICES.front }));
    const { epoch } = await ready(robot, 'front');
    let last = null;
    let count = 0;
    for await (const frame of robot.video('front', { format: 'bgr' })) {
      assert.equal(frame.epoch, epoch);
      if (last) {
        assert.equal(frame.sequence - last.sequence - 1, frame.dropped - last.dropped,
          'a gap is a loss that is counted');
      }
      if (last) assert.ok(frame.captureTime > last.captureTime);
      // An unbounded stream would be seconds behind at the end.
      assert.ok(frame.ageMs < 2500, `${frame.ageMs} ms old`);
      last = frame;
      if ((count += 1) === 20) break;
      await sleep(150);
    }
    assert.ok(last.dropped > 0);
    assert.equal(last.slice(0, 3).constructor, Uint8Array);
  });

  test('goes on in the next life of the camera', async (t) => {
    const robot = connected(t, await startRobot(t, { front: DEVICES.front }));
    const video = robot.video('front', { format: 'bgr' });
    const pictures = events(video, 'picture');
    const before = await ready(robot, 'front');
    const lives = new Set();
    for await (const frame of video) {
      if (lives.size === 0) await until('it is live', () => video.picture.state === 'live');
      if (lives.size === 0) crash(before);
      lives.add(frame.epoch);
      if (lives.size === 2) break;
    }
    assert.ok(lives.has(before.epoch));
    await until('it was stale meanwhile', () => pictures.some((p) => p.state === 'stale' && p.text !== ''));
    assert.notEqual((await ready(robot, 'front')).epoch, before.epoch);
  });

  test('does not need the bus', async (t) => {
    const address = await freeAddress();
    const bus = startBus(t, address);
    const robot = connected(t, await startRobot(t, { front: DEVICES.front }, { bus: address }));
    const states = events(robot, 'state');
    await ready(robot, 'front');
    const frames = robot.video('front', { format: 'bgr' })[Symbol.asyncIterator]();
    const first = await frames.next();
    bus.kill('SIGKILL');
    await until('the loss is told', () => robot.state === 'bus-lost');
    assert.notEqual(robot.why, '');
    for (let i = 0; i < 30; i += 1) assert.equal((await frames.next()).value.epoch, first.value.epoch);
    // A camera that restarts without a bus is at another address; with the bus it is found.
    crash(robot.devices[0]);
    startBus(t, address);
    await until('the bus is back', () => robot.state === 'live');
    assert.equal(robot.reconnects, 1);
    await until('the next life is seen', async () => (await frames.next()).value.epoch !== first.value.epoch);
    assert.deepEqual(states.map((s) => s.state).filter((s) => s !== 'connecting'), ['live', 'bus-lost', 'live']);
    await frames.return();
  });

  test('a camera that cannot do it says so', async (t) => {
    const robot = connected(t, await startRobot(t, { front: DEVICES.front, motors: DEVICES.motors }));
    await assert.rejects(take(robot.video('front', { format: 'h265' }), 1),
      (e) => e.code === 'INVALID_ARGUMENT' && e.message !== '');
    await assert.rejects(take(robot.video('motors'), 1), { code: 'UNIMPLEMENTED' });
    await assert.rejects(robot.video('rear').snapshot({ timeoutMs: 300 }), {
      code: 'NOT_FOUND', message: /"rear".*front, motors/,
    });
  });

  test('a loop over a device that does not exist yet begins with it, and all loops end with the robot', async (t) => {
    const address = await freeAddress();
    startBus(t, address);
    const robot = connected(t, `nats://${address}`);
    const early = take(robot.video('front'), 1);
    const endless = take(robot.video('rear'), 1);
    await startRobot(t, { front: DEVICES.front }, { bus: address });
    assert.equal((await early).length, 1);
    await robot.close();
    assert.deepEqual(await endless, []);
    assert.deepEqual(await take(robot.video('front'), 1), []);
  });
});

describe('sound', () => {
  test('is heard in the format asked for', async (t) => {
    const robot = connected(t, await startRobot(t, { voice: DEVICES.voice }));
    const voice = robot.audio('voice');
    const states = events(voice, 'state');
    const blocks = await take(voice.listen({ rate: 16_000, channels: 1, blockSamples: 320 }), 5);
    for (const block of blocks) {
      assert.deepEqual([block.format, block.rate, block.channels, block.length, block.samples.length],
        ['s16', 16_000, 1, 640, 320]);
    }
    assert.ok(blocks.at(-1).samples.some((s) => Math.abs(s) > 1000), 'the tone is in it');
    assert.equal(blocks[1].sampleIndex - blocks[0].sampleIndex, 320);
    const [float] = await take(voice.listen({ format: 'f32' }), 1);
    assert.ok(float.samples instanceof Float32Array && float.samples.every((s) => Math.abs(s) <= 1));
    const [packet] = await take(voice.listen({ format: 'opus' }), 1);
    assert.equal(packet.mediaType, 'audio/opus');
    assert.throws(() => packet.samples, TypeError);
    const listening = voice.listen();
    const heard = take(listening, 100_000);
    await until('the state is live', () => voice.hearing.state === 'live');
    listening.stop();
    await heard;
    await until('the state is off', () => voice.hearing.state === 'off');
    assert.ok(states.length > 0);
  });

  test('is said, by name, and goes on after a crash', async (t) => {
    const robot = connected(t, await startRobot(t, { voice: DEVICES.voice }), { holder: 'the tester' });
    const voice = robot.audio('voice');
    const second = Float32Array.from({ length: 48_000 }, (_, i) => Math.sin(i / 10));
    const played = await voice.talk([second]).done;
    assert.equal(Math.round(played), 1000);
    async function* live() {
      for (;;) {
        yield Int16Array.from({ length: 960 }, (_, i) => 8000 * Math.sin(i / 10));
        await sleep(20);
      }
    }
    const talk = voice.talk(live());
    const levels = events(voice.levels, 'levels');
    const talks = () =>
      levels.some((l) => l.talkers.some(({ name, level }) => name === 'the tester' && level.rmsDb > -40));
    await until('the talker is heard', talks);
    await until('the talker knows', () => voice.talking.state === 'live');
    const { pid, epoch } = await ready(robot, 'voice');
    const states = events(voice, 'state');
    crash({ pid });
    await until('the talker knows of the crash', () => states.some(({ talking }) => talking.state === 'stale'));
    await until('there is another life', async () => (await ready(robot, 'voice')).epoch !== epoch);
    levels.length = 0;
    await until('the talker is heard again', talks);
    talk.stop();
    assert.ok((await talk.done) > 0);
    await assert.rejects(voice.talk(['bytes']).done, TypeError);
    await assert.rejects(voice.talk((function* () { throw new Error('no more'); })()).done, /no more/);
  });
});
