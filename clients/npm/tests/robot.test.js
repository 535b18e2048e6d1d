import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { CallError, connect } from 'waldo-robot';
import { DEVICES, connected, crash, events, freeAddress, ready, startBus, startRobot, take, until } from './rig.js';

/** What the board was told last, as it reports it. */
function told(robot) {
  const seen = { left: NaN, right: NaN };
  robot.stream('motors', 'rx').addEventListener('message',
    ({ detail }) => Object.assign(seen, JSON.parse(detail.value.json)));
  return seen;
}

/** Starts driving. On a machine so busy that this program stands still for a second, it ends again: then once more. */
function begin(drive) {
  return until(`${drive.device} is driven`, () => drive.start().then(() => true, (error) => {
    if (!/froze|expired|lost|reach/.test(error.message)) throw error;
  }));
}

/** Sends values until something is true. */
function send(drive, values, met) {
  return until(`${JSON.stringify(values)} has its effect`, async () => {
    if (drive.state === 'off') await begin(drive);
    drive.send(values);
    return met();
  });
}

describe('driving', () => {
  test('moves the board while values are sent, and only then', async (t) => {
    const robot = connected(t, await startRobot(t, { motors: DEVICES.motors }), { holder: 'the tester' });
    const board = told(robot);
    const drive = robot.drive('motors');
    assert.equal(drive.send({ left: 1 }), false, 'nothing counts before the start');
    await begin(drive);
    assert.equal(robot.control('motors').state.holder, 'the tester');
    await send(drive, { left: 100, right: -90 }, () => board.left === 100 && board.right === -90);
    await send(drive, { right: 7 }, () => board.left === 0 && board.right === 7);
    await until('the board stops, because nothing more is sent', () => board.right === 0);
    await send(drive, { left: -32768, right: 32767 },
      () => drive.values?.right === 32767 && drive.values?.left === -32768);
    assert.throws(() => drive.send({ left: 99_999 }), { name: 'RangeError', message: /left 99999.*-32768 to 32767/ });
    assert.throws(() => drive.send({ left: 0.5 }), { name: 'TypeError', message: /left 0.5.*whole/ });
    assert.throws(() => drive.send({ up: 1 }), { name: 'TypeError', message: /no up.*left, right/ });
    assert.throws(() => drive.send({ left: NaN }), { name: 'TypeError', message: /left/ });
    drive.stop();
    await until('the board stops', () => board.left === 0 && board.right === 0);
    assert.deepEqual([drive.state, drive.reason], ['off', 'released']);
    await until('the lease is free', () => robot.control('motors').state.holder === '');
  });

  test('obeys the lease', async (t) => {
    const address = await startRobot(t, { motors: DEVICES.motors });
    const [one, two] = ['one', 'two'].map((holder) => connected(t, address, { holder }));
    const [first, second] = [one.drive('motors'), two.drive('motors')];
    await until('the second is refused', async () => {
      await begin(first);
      const error = await second.start().catch((e) => e);
      second.stop();
      return error?.code === 'FAILED_PRECONDITION' && /one/.test(error.message);
    });
    await until('the second takes over', async () => {
      if (first.state === 'off') await begin(first);
      await second.start({ take: true }).catch(() => {});
      await until('the first knows', () => first.state === 'off');
      return first.reason === 'taken' && first.why === 'two has taken over';
    });
    assert.equal(first.send({ left: 1 }), false);
    await two.close();
    await begin(first);
  });

  test('ends with the e-stop and with the life of the board', async (t) => {
    const robot = connected(t, await startRobot(t, { motors: DEVICES.motors }));
    const drive = robot.drive('motors');
    const board = told(robot);
    await send(drive, { left: 50 }, () => board.left === 50);
    await begin(drive);
    await robot.eStop('enough');
    assert.deepEqual([drive.state, drive.send({ left: 50 })], ['off', false]);
    assert.deepEqual([robot.eStopState.state, robot.eStopState.latched.reason], ['latched', 'enough']);
    await assert.rejects(drive.start(), { code: 'FAILED_PRECONDITION', message: /e-stop is pressed, by/ });
    await robot.clearEStop();
    assert.equal(robot.eStopState.state, 'clear');
    await send(drive, { left: 60 }, () => board.left === 60);
    crash(await ready(robot, 'motors'));
    await until('driving ends', () => drive.state === 'off');
    assert.ok(['restarted', 'lost', 'lapsed', 'frozen'].includes(drive.reason), drive.reason);
    await ready(robot, 'motors');
    await until('it can be driven again', () => drive.start().then(() => true, () => false));
  });

  test('what cannot be driven says so', async (t) => {
    const robot = connected(t, await startRobot(t, { front: DEVICES.front }));
    await assert.rejects(robot.drive('front').start(), {
      code: 'FAILED_PRECONDITION', message: /front cannot be driven/,
    });
    assert.throws(() => robot.drive('other', { rateHz: 1000 }), RangeError);
  });
});

describe('the bus', () => {
  test('topics reach other programs, not their sender, and nothing is sent later', async (t) => {
    const address = await freeAddress();
    const bus = startBus(t, address);
    const url = await startRobot(t, { front: DEVICES.front }, { bus: address });
    const [one, two] = ['one', 'two'].map((holder) => connected(t, url, { holder }));
    const [mine, theirs] = [one.channel('chat'), two.channel('chat')];
    assert.equal(mine, one.channel('chat'));
    const [own, heard] = [events(mine, 'message'), events(theirs, 'message')];
    await until('both are open', () => mine.state === 'open' && theirs.state === 'open');
    await until('an object comes through', () => mine.send({ n: 1 }) && heard.length > 0);
    assert.deepEqual(heard.at(-1), { value: { n: 1 }, text: '{"n":1}', sender: 'one' });
    assert.equal(mine.send('no json {'), true);
    assert.equal(mine.send(new Uint8Array([1, 2, 3])), true);
    await until('all come through', () => heard.at(-1).data?.byteLength === 3);
    assert.equal(heard.at(-2).value, 'no json {');
    assert.equal(own.length, 0);
    assert.equal(mine.send('x'.repeat(65 * 1024)), false);
    assert.equal(mine.send(() => {}), false);
    bus.kill('SIGKILL');
    await until('the loss is known', () => mine.state === 'connecting');
    assert.equal(mine.send('late'), false);
    startBus(t, address);
    await until('it goes on', () => mine.send('after') && heard.at(-1).value === 'after');
    assert.ok(!heard.some((m) => m.value === 'late'));
    assert.throws(() => one.channel('no topic'), TypeError);
  });

  test('streams of every kind arrive as JSON, in the next life too', async (t) => {
    const robot = connected(t, await startRobot(t, { motors: DEVICES.motors, pad: DEVICES.pad, front: DEVICES.front }));
    const [value] = await take(robot.stream('motors', 'rx'), 1);
    assert.ok(value.readTime && JSON.parse(value.json).battery > 0);
    const { streams } = await ready(robot, 'pad');
    const [reports] = streams.filter((s) => s.direction === 'out').map((s) => s.name);
    const first = robot.stream('pad', reports);
    const seen = events(first, 'message');
    await until('the pad reports', () => seen.length > 0);
    crash(await ready(robot, 'pad'));
    const { epoch } = seen[0].value;
    await until('the next life reports', () => seen.at(-1).value.epoch !== epoch);
    const none = robot.stream('front', 'smell');
    await until('what there is is named', () => /no stream "smell"; it has: .*video/.test(none.why));
    first.close();
    assert.deepEqual(await take(first, 1), []);
  });

  test('with several robots one is chosen', async (t) => {
    const address = await freeAddress();
    startBus(t, address);
    for (const name of ['one', 'two']) await startRobot(t, { front: DEVICES.front }, { bus: address, name });
    const both = connected(t, `nats://${address}`, { robot: 'one' });
    await ready(both, 'front');
    await until('both are there', async () => {
      const any = connected(t, `nats://${address}`);
      const error = await any.ready().catch((e) => e);
      await any.close();
      return error instanceof CallError && error.code === 'FAILED_PRECONDITION'
        && /one, two.*robot: 'one'/.test(error.message);
    });
    const two = connected(t, `nats://${address}`, { robot: 'two' });
    await ready(two, 'front');
    assert.deepEqual([both.name, two.name], ['one', 'two']);
    assert.notEqual(both.devices[0].pid, two.devices[0].pid);
  });

  test('a token is asked for', async (t) => {
    const token = 'a-token-of-enough-characters';
    const address = await startRobot(t, { front: DEVICES.front }, { token });
    const good = connected(t, address, { token });
    assert.equal((await take(good.video('front'), 1)).length, 1);
    const bad = connected(t, address, { token: 'another-token-of-that-length' });
    await until('the refusal is told', () => /refuses the token.*WALDO_TOKEN/.test(bad.why));
    await assert.rejects(bad.ready({ timeoutMs: 300 }), { code: 'UNAVAILABLE', message: /token/ });
    const { grpcAddress } = good.devices[0];
    const device = connected(t, grpcAddress);
    await assert.rejects(take(device.video('front'), 1), { code: 'FAILED_PRECONDITION', message: /WALDO_TOKEN/ });
    assert.equal((await take(connected(t, grpcAddress, { token }).video('front'), 1)).length, 1);
  });

  test('that is not there is waited for', async (t) => {
    const robot = connected(t, `nats://${await freeAddress()}`);
    await assert.rejects(robot.ready({ timeoutMs: 300 }), {
      code: 'UNAVAILABLE', message: /not reachable.*ECONNREFUSED/,
    });
    await assert.rejects(robot.call('front', 'waldo.device.v1.DeviceService/GetDevice', {}, { timeoutMs: 100 }), {
      code: 'UNAVAILABLE',
    });
    assert.equal(robot.state, 'connecting');
  });

  test('has devices that can be waited for', async (t) => {
    const robot = connected(t, await startRobot(t, { front: DEVICES.front }));
    assert.equal((await robot.device('front', { timeoutMs: 30_000 })).kind, 'camera');
    await assert.rejects(robot.device('rear', { timeoutMs: 100 }), { code: 'NOT_FOUND', message: /"rear".*front/ });
    await assert.rejects(robot.device('Rear'), TypeError);
  });
});

describe('one device without a bus', () => {
  test('is read, called, and driven, in its next life too', async (t) => {
    const address = await freeAddress();
    const alone = connected(t, address);
    await assert.rejects(alone.ready({ timeoutMs: 200 }), { code: 'UNAVAILABLE' });
    await startRobot(t, { motors: DEVICES.motors.replace('{', `{grpc: "${address}", `) });
    await ready(alone, 'motors');
    assert.deepEqual([alone.name, alone.devices.map((d) => d.name), alone.actuators],
      ['rover', ['motors'], ['motors']]);
    const board = told(alone);
    await send(alone.drive('motors'), { left: 9 }, () => board.left === 9);
    assert.throws(() => alone.channel('chat'), /bus/);
    const states = events(alone, 'state');
    crash(alone.devices[0]);
    await until('the loss is told', () => states.some((s) => s.state === 'device-lost'));
    await ready(alone, 'motors');
    await until('it can be driven again', () => alone.drive('motors').start().then(() => true, () => false));
    await send(alone.drive('motors'), { left: 8 }, () => board.left === 8);
  });
});

describe('calls', () => {
  test('have errors with a code, a remedy, and details', async (t) => {
    const robot = connected(t, await startRobot(t, { motors: DEVICES.motors, front: DEVICES.front }));
    const { port } = await robot.call('motors', 'waldo.serial.v1.SerialService/GetPort');
    assert.equal(port.writeFields[0].key, 'left');
    const write = (request) => robot.call('motors', 'waldo.serial.v1.SerialService/WriteMessage', request);
    const control = { leaseEpoch: '1', sequence: '1', heard: '1s' };
    await assert.rejects(write({ json: '{"left": 1, "right": 1}', control }), (error) => {
      assert.equal(error.code, 'FAILED_PRECONDITION');
      assert.equal(error.detail('waldo.control.v1.CommandReport').verdict, 'COMMAND_VERDICT_NO_LEASE');
      return true;
    });
    await assert.rejects(write({ jsn: '' }), { code: 'INVALID_ARGUMENT', message: /"jsn"/ });
    await assert.rejects(robot.call('motors', 'GetPort'), { code: 'INVALID_ARGUMENT', message: /full name/ });
    await assert.rejects(robot.call('motors', 'waldo.serial.v1.SerialService/GetPrt'), {
      code: 'UNIMPLEMENTED', message: /GetPort/,
    });
    await assert.rejects(robot.call('motors', 'waldo.nothing.v1.NoService/Get'), {
      code: 'UNIMPLEMENTED', message: /no service/,
    });
    await assert.rejects(robot.call('front', 'waldo.camera.v1.CameraService/StreamFrames'), {
      code: 'UNIMPLEMENTED', message: /robot.video/,
    });
    await assert.rejects(robot.call('Front!', 'a.B/C'), TypeError);
    await robot.close();
    await assert.rejects(write({}), { code: 'CANCELLED' });
  });
});

test('closing ends the process', async (t) => {
  const robot = connect(await startRobot(t, { front: DEVICES.front }));
  await take(robot.video('front'), 1);
  await robot.close();
  await robot.close();
  assert.equal(robot.state, 'closed');
});
