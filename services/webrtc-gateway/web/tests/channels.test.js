import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { CallError } from '../channels/calls.js';
import { settle } from './fakes.js';
import { Rig } from './rig.js';

/** @type {Rig} */ let rig;
const at = (label) => rig.env.peer.channel(label);
const offers = () => rig.env.socket.of('offer');
/** What a promise comes to, without waiting for it here. */
const outcome = (promise) => {
  const result = {};
  promise.then((value) => Object.assign(result, { value }), (error) => Object.assign(result, { error }));
  return result;
};

beforeEach(() => (rig = new Rig()));
afterEach(() => rig.robot.close());

describe('channels', () => {
  test('wanted before the welcome, they are in the very first offer', async () => {
    rig.robot.channel('chat');
    rig.robot.video('front');
    await rig.connect();
    assert.equal(offers()[0].sdp, 'offer of 1 m=application');
    assert.equal(rig.robot.channel('chat').state, 'open');
    assert.equal(offers().length, 1, 'the channel of the control, which came later, needs no offer of its own');
  });

  test('wanted later, they are negotiated then, once', async () => {
    rig.actuators = [];
    rig.drive = undefined;
    rig.robot.video('front');
    await rig.until(() => rig.robot.state === 'live');
    await rig.pass(50);
    assert.deepEqual(offers().map((o) => o.sdp), ['offer of 1']);
    rig.robot.channel('a');
    rig.robot.channel('b');
    await rig.pass(50);
    assert.deepEqual(offers().map((o) => o.sdp), ['offer of 1', 'offer of 1 m=application']);
    rig.robot.channel('c');
    await rig.pass(50);
    assert.equal(offers().length, 2);
  });

  test('labels and promises are as asked for', async () => {
    rig.robot.channel('a');
    rig.robot.channel('b', { reliable: false });
    rig.robot.channel('c', { ordered: false, reliable: false });
    rig.robot.stream('motors', 'rx');
    rig.robot.drive();
    await rig.connect();
    const inits = Object.fromEntries(rig.env.peer.channels.map((c) => [c.label, c.init]));
    assert.deepEqual(inits.a, { ordered: true });
    assert.deepEqual(inits.b, { ordered: true, maxRetransmits: 0 });
    assert.deepEqual(inits.c, { ordered: false, maxRetransmits: 0 });
    assert.deepEqual(inits['waldo.stream/motors/rx'], { ordered: true });
    assert.deepEqual(inits['waldo.calls'], { ordered: false, maxRetransmits: 0 });
  });

  test('names that the bus does not allow are refused at once', () => {
    for (const name of ['', 'a b', 'waldo.calls', 'x'.repeat(65), 'ä']) assert.throws(() => rig.robot.channel(name), TypeError);
  });

  test('text and bytes go as they are, the rest as JSON, and come back so', async () => {
    const chat = rig.robot.channel('chat');
    const got = [];
    chat.addEventListener('message', (e) => got.push(e.detail));
    await rig.connect();
    const bytes = new Uint8Array([1, 2]);
    for (const value of ['hi', { a: 1 }, [1], 7, null, bytes, bytes.buffer]) assert.equal(chat.send(value), true);
    assert.deepEqual(at('chat').sent, ['hi', '{"a":1}', '[1]', '7', 'null', bytes, bytes.buffer]);
    assert.equal(chat.send(undefined), false);
    for (const data of ['{"a":1}', 'hi', '{', 'null', bytes.buffer]) at('chat').say(data);
    assert.deepEqual(got, [
      { value: { a: 1 }, text: '{"a":1}' }, { value: 'hi', text: 'hi' }, { value: '{', text: '{' }, { value: null, text: 'null' },
      { value: bytes.buffer, data: bytes.buffer },
    ]);
    assert.equal(at('chat').binaryType, 'arraybuffer');
  });

  test('a refusal of the gateway is no message of somebody', async () => {
    const chat = rig.robot.channel('chat');
    const [got, refused] = [[], []];
    chat.addEventListener('message', (e) => got.push(e.detail.value));
    chat.addEventListener('refused', (e) => refused.push(e.detail.why));
    await rig.connect();
    at('chat').say({ error: { code: 'PERMISSION_DENIED', message: 'anna is viewer' } });
    const theirs = [{ error: { code: 'PERMISSION_DENIED' }, more: 1 }, { error: 'lost' }, { error: null }, { error: { code: 7 } }];
    for (const value of theirs) at('chat').say(value);
    assert.deepEqual([refused, got], [['anna is viewer'], theirs]);
  });

  test('what is too large, or has to wait too long, is not sent', async () => {
    const chat = rig.robot.channel('chat');
    await rig.connect();
    assert.equal(chat.send('x'.repeat(65_536)), true);
    assert.equal(chat.send('x'.repeat(65_537)), false);
    assert.equal(chat.send('ä'.repeat(32_768)), true);
    assert.equal(chat.send('ä'.repeat(32_769)), false, 'bytes count, not characters');
    assert.equal(chat.send(new ArrayBuffer(65_537)), false);
    at('chat').bufferedAmount = 300 * 1024;
    assert.equal(chat.send('hi'), false);
  });

  test('the same object outlasts reconnects, and what was said meanwhile is never sent', async () => {
    const chat = rig.robot.channel('chat');
    const events = [];
    for (const type of ['open', 'close']) chat.addEventListener(type, () => events.push([type, chat.state]));
    assert.equal(chat.send('too early'), false);
    await rig.connect();
    rig.die();
    assert.equal(chat.send('too late'), false);
    await rig.pass(500);
    rig.revive();
    await rig.until(() => chat.state === 'open');
    assert.equal(rig.robot.channel('chat'), chat);
    assert.deepEqual(events, [['open', 'open'], ['close', 'connecting'], ['open', 'open']]);
    assert.deepEqual(at('chat').sent, []);
    assert.equal(chat.send('now'), true);
    assert.equal(rig.env.peers.length, 2);
  });

  test('one that the gateway closes is opened again, with growing patience', async () => {
    const chat = rig.robot.channel('chat');
    await rig.connect();
    const begun = rig.env.peer.channels.length;
    await rig.pass(20_000, () => chat.state === 'open' && at('chat').drop());
    const tries = rig.env.peer.channels.length - begun;
    assert.ok(tries >= 4 && tries <= 8, `${tries} tries in 20 s`);
    assert.equal(rig.env.peers.length, 1);
  });

  test('closed is closed', async () => {
    const chat = rig.robot.channel('chat');
    await rig.connect();
    chat.close();
    assert.deepEqual([chat.state, at('chat').readyState, chat.send('x')], ['closed', 'closed', false]);
    const next = rig.robot.channel('chat');
    assert.notEqual(next, chat);
    await rig.pass(50);
    assert.equal(next.state, 'open');
    rig.robot.close();
    assert.equal(next.state, 'closed');
  });

  test('a video that cannot be had keeps no channel away', async () => {
    rig.refuse = (o) => (o.tracks.length > 0 ? 'no device nothing' : null);
    rig.robot.channel('chat');
    rig.robot.video('nothing');
    await rig.until(() => rig.robot.channel('chat').state === 'open');
    assert.deepEqual(offers().map((o) => o.sdp), ['offer of 1 m=application', 'offer of 1 m=application']);
    assert.equal(rig.env.sockets.length, 1);
  });

  test('a gateway that takes no connection is asked again in time, not in a loop', async () => {
    rig.refuse = () => 'too many viewers';
    rig.robot.channel('chat');
    await rig.pass(12_000);
    assert.ok(offers().length >= 2 && offers().length <= 4, `${offers().length} offers in 12 s`);
    assert.equal(rig.env.sockets.length, 1);
    rig.refuse = () => null;
    await rig.until(() => rig.robot.channel('chat').state === 'open');
  });
});

describe('streams', () => {
  test('give what the device publishes, and how much was lost', async () => {
    const rx = rig.robot.stream('motors', 'rx');
    const got = [];
    rx.addEventListener('message', (e) => got.push(e.detail));
    await rig.connect();
    const label = 'waldo.stream/motors/rx';
    at(label).say({ message: { json: '{"x":1}' } });
    at(label).say({ message: { json: '{"x":2}' }, droppedCount: '3' });
    for (const garbage of ['', '{', '[]', '{"message":7}', new ArrayBuffer(3)]) at(label).say(garbage);
    assert.deepEqual(got, [{ value: { json: '{"x":1}' }, droppedCount: 0 }, { value: { json: '{"x":2}' }, droppedCount: 3 }]);
    rig.die();
    await rig.pass(100);
    rig.revive();
    await rig.until(() => rx.state === 'open');
    at(label).say({ message: {}, droppedCount: '2' });
    assert.equal(rx.droppedCount, 5, 'the gateway counts anew, we do not');
  });

  test('come gathered, if that is wanted, as the lines of one message', async () => {
    const rx = rig.robot.stream('motors', 'rx', { gathered: true });
    assert.notEqual(rx, rig.robot.stream('motors', 'rx'), 'the same stream with other options is another channel');
    assert.equal(rx, rig.robot.stream('motors', 'rx', { gathered: true }));
    const got = [];
    rx.addEventListener('message', (e) => got.push(e.detail.value.n));
    await rig.connect();
    at('waldo.lines/motors/rx').say([{ message: { n: 1 } }, { message: { n: 2 }, droppedCount: '1' }, 7, { message: { n: 3 }, droppedCount: '1' }]
      .map((frame) => JSON.stringify(frame)).join('\n'));
    assert.deepEqual(got, [1, 2, 3]);
    assert.equal(rx.droppedCount, 1);
  });

  test('a device that is not known yet is asked for again as soon as it is', async () => {
    const rx = rig.robot.stream('arm', 'rx');
    await rig.connect();
    const label = 'waldo.stream/arm/rx';
    const refuse = () => {
      at(label).say({ error: { code: 'NOT_FOUND', message: 'there is no device "arm"' } });
      at(label).drop();
    };
    refuse();
    assert.deepEqual([rx.state, rx.why], ['connecting', 'there is no device "arm"']);
    await rig.pass(600);
    assert.equal(rx.state, 'open', 'a second try');
    refuse();
    const [arm] = rig.actuators.map((a) => ({ ...a.listed, device: { ...a.listed.device, name: 'arm' } }));
    rig.env.socket.say({ devices: { devices: [rig.motors.listed, arm] } });
    await rig.pass(100);
    assert.equal(rx.state, 'open', 'without waiting');
    at(label).say({ message: {} });
    assert.equal(rx.why, '');
  });
});

describe('calls', () => {
  const GET = 'waldo.control.v1.ControlService/GetControl';

  test('answer over the WebSocket', async () => {
    await rig.connect();
    const got = outcome(rig.robot.call('motors', GET));
    await rig.pass(20);
    assert.equal(got.value.state.epoch, '77');
    assert.deepEqual(rig.env.socket.of('call').at(-1).request, {});
  });

  test('answer over the channel, if nothing is lost', async () => {
    rig.robot.drive();
    await rig.connect();
    const before = rig.env.socket.of('call').length;
    const got = outcome(rig.robot.call('motors', GET, {}, { lossy: true }));
    await rig.pass(20);
    assert.equal(got.value.state.epoch, '77');
    assert.equal(rig.env.socket.of('call').length, before);
    rig.lossyUp = false;
    const lost = outcome(rig.robot.call('motors', GET, {}, { lossy: true, timeoutMs: 300 }));
    await rig.pass(400);
    assert.equal(lost.error.code, 'DEADLINE_EXCEEDED');
  });

  test('errors have a code, words and details', async () => {
    await rig.connect();
    const got = outcome(rig.robot.call('arm', GET));
    await rig.pass(20);
    assert.ok(got.error instanceof CallError && got.error instanceof Error);
    assert.deepEqual([got.error.code, got.error.message, got.error.details], ['UNAVAILABLE', 'arm does not answer', []]);
    const error = new CallError({ code: 'ABORTED', message: '', details: [{ '@type': 'type.googleapis.com/a.B', n: 1 }, {}] });
    assert.deepEqual([error.message, error.detail('a.B'), error.detail('B')], ['ABORTED', { '@type': 'type.googleapis.com/a.B', n: 1 }, null]);
  });

  test('fail at once when there is no way, and are not kept', async () => {
    for (const lossy of [true, false]) {
      const got = outcome(rig.robot.call('motors', GET, {}, { lossy }));
      await settle();
      assert.equal(got.error?.code, 'UNAVAILABLE');
    }
    await rig.connect();
    await rig.pass(500);
    assert.deepEqual(rig.env.peer.channel('waldo.calls')?.sent ?? [], []);
  });

  test('fail when the session is lost, however it is', async () => {
    await rig.connect();
    rig.socketUp = false;
    const closed = outcome(rig.robot.call('motors', GET, {}, { timeoutMs: 60_000 }));
    rig.die();
    await settle();
    assert.equal(closed.error.code, 'UNAVAILABLE');
    rig.revive();
    rig.socketUp = true;
    await rig.until(() => rig.robot.state === 'live');
    await rig.pass(1500);
    rig.socketUp = false;
    const again = outcome(rig.robot.call('motors', GET, {}, { timeoutMs: 60_000 }));
    rig.env.socket.drop(1013); // the gateway says to begin anew: the robot stays live
    await settle();
    assert.equal(again.error.code, 'UNAVAILABLE');
  });

  test('fail when the robot is closed', async () => {
    await rig.connect();
    rig.socketUp = false;
    const got = outcome(rig.robot.call('motors', GET));
    rig.robot.close();
    await settle();
    assert.equal(got.error.code, 'UNAVAILABLE');
  });

  test('take their time, and no more', async () => {
    await rig.connect();
    rig.socketUp = false;
    rig.env.socket.say({ result: { id: 4711, response: {} } }); // nobody asked
    const got = outcome(rig.robot.call('motors', GET, {}, { timeoutMs: 1000 }));
    await rig.pass(900);
    assert.deepEqual(got, {});
    await rig.pass(200);
    assert.equal(got.error.code, 'DEADLINE_EXCEEDED');
  });
});
