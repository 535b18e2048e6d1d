import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { Keyboard } from '../inputs/keyboard.js';
import { FakeEnv, FakeVideo } from './fakes.js';
import { key, Rig } from './rig.js';

/** @type {Rig} */ let rig;
let env, drive, target, video;

const SPS = [0, 0, 0, 1, 0x09, 0x10, 0, 0, 0, 1, 0x67, 0x42, 0xe0, 0x1f, 0x8d, 0, 0, 0, 1, 0x65, 1, 2, 3];
const DELTA = [0, 0, 0, 1, 0x41, 9, 9];
/** A picture as the gateway sends it. */
function picture(number, { isKey = false, captureMs = env.originMs + env.time, data = isKey ? SPS : DELTA, version = 1 } = {}) {
  const message = new ArrayBuffer(16 + data.length);
  const view = new DataView(message);
  view.setUint8(0, version);
  view.setUint8(1, isKey ? 1 : 0);
  view.setUint32(4, number);
  view.setBigInt64(8, BigInt(Math.round(captureMs * 1000)));
  new Uint8Array(message).set(data, 16);
  return message;
}
const tell = (codec) => env.pictureSocket.onmessage({ data: JSON.stringify({ codec }) });
/** The gateway names the codec before the first picture that can be decoded. */
const show = (number, how = {}) => {
  const { pictureSocket } = env;
  if (how.isKey && !pictureSocket.told && !how.data) {
    tell('avc1.42e01f');
    pictureSocket.told = true;
  }
  pictureSocket.onmessage({ data: picture(number, how) });
};
const said = () => env.pictureSocket.sent;

const press = (code) => key(target, 'keydown', code, { at: env.time });
const lift = (code) => key(target, 'keyup', code, { at: env.time });
const commands = () => rig.motors.judged;

/** A page that finds no candidates, or none that works. */
function page(why) {
  rig = new Rig();
  ({ env } = rig);
  rig.mediaUp = false;
  env.decodes = true;
  const openPeer = env.openPeer;
  const state = { iceGatheringState: why === 'no-interface' ? 'gathering' : undefined, connectionState: 'connecting' };
  env.openPeer = () => Object.assign(openPeer(), state);
  Object.assign(env.peer, state);
  rig.others = [{ device: { name: 'front', kind: 'camera', epoch: '5', state: 'DEVICE_STATE_READY', streams: [{ name: 'video', direction: 'STREAM_DIRECTION_OUT' }] } }];
  video = rig.robot.video('front');
  target = new EventTarget();
  drive = rig.robot.drive();
  drive.use(new Keyboard({ target, env }));
}
afterEach(() => rig.robot.close());

describe('a browser without a network interface', () => {
  beforeEach(async () => {
    page('no-interface');
    await rig.until(() => rig.robot.detour);
  });

  test('is told of, soon, and gives the connection up, not the session', async () => {
    assert.deepEqual(rig.robot.detour, { reason: 'no-interface', picture: true });
    assert.ok(env.time < 3000, `after ${env.time} ms`);
    await rig.pass(100);
    assert.equal(env.socket.of('hangUp').length, 1);
    assert.equal(env.pictureSocket.url, 'ws://robot:8080/picture/front?types=video%2FH264%2Cvideo%2FVP8');
    assert.equal(rig.robot.state, 'live');
  });

  test('shows pictures, with their age, and marks them stale', async () => {
    await rig.pass(60);
    env.pictureSocket.open();
    show(1, { isKey: true });
    assert.equal(env.decoder.codec, 'avc1.42e01f');
    assert.deepEqual(video.stream.getTracks(), [env.screens[0].track]);
    await rig.pass(60);
    assert.equal(env.peers[0].closed, true, 'no picture depends on it');
    for (let n = 2; n < 20; n += 1) {
      await rig.pass(30);
      show(n);
    }
    assert.equal(env.screens[0].drawn.length, 19);
    assert.deepEqual(said().at(-1), { got: 19 });
    await rig.pass(50);
    assert.equal(video.picture.state, 'live');
    await rig.pass(1100);
    assert.equal(video.picture.state, 'stale');
  });

  test('knows which picture is on the screen, not only which was drawn', async () => {
    const player = new FakeVideo();
    video.attach(player);
    await rig.pass(60);
    env.pictureSocket.open();
    show(1, { isKey: true, captureMs: env.originMs + 100.25 });
    await rig.pass(20);
    player.frame(env.time);
    assert.equal(video.seenMs, env.originMs + 100.25);
    const drawnAt = env.time;
    await rig.pass(20);
    show(2, { captureMs: env.originMs + 133.5 });
    player.frame(env.time, { presentationTime: drawnAt + 10 });
    assert.equal(video.seenMs, env.originMs + 100.25, 'the second was drawn after this frame was taken');
    player.frame(env.time, { captureTime: env.time });
    assert.equal(video.seenMs, env.originMs + 133.5);
  });

  test('takes nothing but a key frame to begin with, after garbage, and after an error', async () => {
    await rig.pass(60);
    env.pictureSocket.open();
    show(1);
    assert.deepEqual(said(), [{ got: 0, keyFrame: true }, { got: 1 }]);
    show(2, { isKey: true, data: [0, 0, 1, 0x65, 1, 1, 1, 1] }); // no codec is named, because there are no parameter sets
    show(3, { isKey: true, version: 9, data: SPS });
    env.pictureSocket.onmessage({ data: 'text' });
    env.pictureSocket.onmessage({ data: new ArrayBuffer(3) });
    assert.equal(env.decoders.length, 0);
    show(4, { isKey: true });
    show(5);
    assert.equal(env.screens[0].drawn.length, 2);
    env.decoder.handlers.error();
    show(6);
    assert.equal(env.screens[0].drawn.length, 2);
    await rig.pass(1000);
    assert.ok(said().filter((w) => w.keyFrame).length >= 2, 'it is asked for again');
    show(7, { isKey: true });
    assert.equal(env.screens[0].drawn.length, 3);
  });

  test('confirms only what has left the decoder, and keeps little before it', async () => {
    await rig.pass(60);
    env.pictureSocket.open();
    show(1, { isKey: true });
    const slow = env.decoder;
    slow.busy = true;
    for (let n = 2; n <= 4; n += 1) show(n);
    assert.deepEqual(said().at(-1), { got: 1 });
    show(5);
    assert.equal(slow.closed, true, 'what it cannot keep up with is given up');
    assert.equal(said().at(-1).got, 5);
    show(6, { isKey: true });
    assert.equal(env.screens[0].drawn.length, 2);
  });

  test('opens the pictures again when they end, and closes them with the video', async () => {
    await rig.pass(60);
    const first = env.pictureSocket;
    first.open();
    show(1, { isKey: true });
    first.drop();
    await rig.pass(700);
    assert.notEqual(env.pictureSocket, first);
    const second = env.pictureSocket;
    second.open();
    show(1, { isKey: true });
    assert.deepEqual(said(), [{ got: 1 }]);
    video.close();
    await rig.pass(100);
    assert.deepEqual([second.closed, env.screens[0].closed], [true, true]);
  });

  test('drives by the same rules, one command under way', async () => {
    drive.start();
    await rig.until(() => drive.state === 'driving');
    press('KeyW');
    await rig.pass(100);
    assert.equal(commands().at(-1).json, '{"left":200,"right":200}');
    assert.ok(commands().every((c) => c.verdict === 'ACCEPTED'));
    assert.equal(rig.robot.control('motors').known, true, 'the card knows');
    const writes = () => env.socket.of('call').filter((c) => c.method.endsWith('WriteMessage')).length;
    rig.socketUp = false; // nothing gets through, and nothing is answered
    const n = writes();
    await rig.pass(900);
    assert.ok(writes() - n <= 1, `${writes() - n} wait on their way`);
    lift('KeyW');
    const before = commands().length;
    rig.socketUp = true;
    await rig.pass(300);
    const moved = commands().slice(before).filter((c) => c.json !== rig.motors.safe && c.verdict === 'ACCEPTED');
    assert.deepEqual(moved, [], 'what waited does not move anything');
  });

  test('sends no command behind what has not left the browser', async () => {
    drive.start();
    await rig.until(() => drive.state === 'driving');
    env.socket.bufferedAmount = 1;
    const n = env.socket.of('call').filter((c) => c.method.endsWith('WriteMessage')).length;
    press('KeyW');
    await rig.pass(300);
    assert.equal(env.socket.of('call').filter((c) => c.method.endsWith('WriteMessage')).length, n);
  });

  test('tries WebRTC again, without disturbing who drives, and goes back to it', async () => {
    drive.start();
    await rig.until(() => drive.state === 'driving');
    await rig.pass(60);
    env.pictureSocket.open();
    show(1, { isKey: true });
    const peers = env.peers.length;
    await rig.pass(8000);
    assert.ok(env.peers.length > peers, 'it is tried');
    assert.equal(drive.state, 'driving');
    assert.equal(rig.robot.detour.reason, 'no-interface');
    rig.channelsUp = false;
    rig.mediaUp = true;
    await rig.pass(8000);
    assert.equal(rig.robot.detour?.reason, 'no-interface', 'not before commands can go by it');
    rig.channelsUp = true;
    await rig.until(() => rig.robot.detour === null);
    assert.equal(drive.state, 'driving');
    const { track } = env.peer.transceivers[0].receiver;
    assert.equal(env.pictureSocket.closed, true);
    assert.notEqual(video.stream.getTracks()[0], track, 'the last picture stays');
    track.muted = false;
    track.dispatchEvent(new Event('unmute'));
    assert.deepEqual(video.stream.getTracks(), [track]);
    await rig.pass(500);
    assert.deepEqual([drive.state, env.sockets.filter((s) => s.url.endsWith('/signal')).length], ['driving', 1]);
    press('KeyW');
    await rig.pass(50);
    assert.equal(commands().at(-1).json, '{"left":200,"right":200}');
  });

  test('the network that comes back is tried at once', async () => {
    await rig.pass(100);
    const peers = env.peers.length;
    for (const wake of env.wakers) wake();
    await rig.pass(300);
    assert.equal(env.peers.length, peers + 1);
  });
});

test('a browser that cannot decode drives, and knows that there is no picture', async () => {
  page('no-interface');
  env.decodes = false;
  await rig.until(() => rig.robot.detour);
  assert.deepEqual(rig.robot.detour, { reason: 'no-interface', picture: false });
  await rig.pass(500);
  assert.equal(env.pictureSocket, undefined);
  drive.start();
  await rig.until(() => drive.state === 'driving');
});

test('a browser without WebRTC goes around at once, and back when it has it', async () => {
  env = new FakeEnv();
  const { openPeer } = env;
  env.openPeer = () => { throw new ReferenceError('RTCPeerConnection is not defined'); };
  rig = new Rig(env);
  assert.deepEqual(rig.robot.detour, { reason: 'no-webrtc', picture: false });
  drive = rig.robot.drive();
  drive.use(new Keyboard({ target: new EventTarget(), env }));
  await rig.until(() => rig.robot.control('motors').known);
  drive.start();
  await rig.until(() => drive.state === 'driving');
  await rig.pass(20_000);
  assert.deepEqual([drive.state, rig.robot.state, env.sockets.length], ['driving', 'live', 1], 'the session stays');
  env.openPeer = openPeer;
  await rig.until(() => rig.robot.detour === null);
  assert.equal(drive.state, 'driving');
});

test('a browser whose candidates do not work goes around as well', async () => {
  page('no-path');
  await rig.until(() => rig.robot.detour, 15_000);
  assert.equal(rig.robot.detour.reason, 'no-path');
  drive.start();
  await rig.until(() => drive.state === 'driving');
  await rig.pass(40_000);
  assert.equal(drive.state, 'driving', 'it is tried again, and nobody notices');
  rig.mediaUp = true;
  await rig.until(() => rig.robot.detour === null, 30_000);
});

test('a browser without H.264 asks for VP8, and uses the codec that the gateway names', async () => {
  page('no-path');
  env.types = ['video/VP8'];
  await rig.until(() => rig.robot.detour, 15_000);
  await rig.pass(100);
  assert.ok(env.pictureSocket.url.endsWith('?types=video%2FVP8'), env.pictureSocket.url);
  env.pictureSocket.open();
  tell('vp8');
  show(1, { isKey: true, data: [0, 0, 0, 0x9d, 1, 0x2a, 16, 0, 16, 0] });
  show(2, { data: [1, 0, 0, 9] });
  assert.deepEqual([env.decoder.codec, env.screens[0].drawn.length], ['vp8', 2]);
  tell('avc1.42e01f'); // the camera has another codec from now on
  show(3, { data: DELTA });
  assert.equal(env.screens[0].drawn.length, 2, 'nothing but a key frame begins');
  show(4, { isKey: true, data: SPS });
  assert.deepEqual([env.decoder.codec, env.screens[0].drawn.length], ['avc1.42e01f', 3]);
  tell('avc1.42e01f'); // said twice
  show(5, { data: DELTA });
  assert.equal(env.screens[0].drawn.length, 4);
});

test('a browser that decodes nothing opens no socket for pictures', async () => {
  page('no-path');
  env.types = [];
  await rig.until(() => rig.robot.detour, 15_000);
  await rig.pass(1000);
  assert.equal(env.pictureSocket, undefined);
});
