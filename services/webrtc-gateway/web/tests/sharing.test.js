import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { shareStatus } from '../page/sharewords.js';
import { takesCamera } from '../proto/signaling.js';
import { FakeTrack } from './fakes.js';
import { Rig } from './rig.js';

const OWN = 'Chromium on Linux 3f2a';
/** @type {Rig} */ let rig;
/** @type {import('../media/sharing.js').Sharing} */ let guest;
/** @type {string[]} */ let states;

const tracks = () => rig.env.socket.of('offer').at(-1)?.tracks ?? [];
/** The transceiver of a stream, on the connection there is now. */
const section = (stream) => rig.env.peer.transceivers[Number(tracks().find((t) => t.stream === stream)?.mid)];

/** A stream of a camera, with its microphone. */
function camera(...kinds) {
  const all = (kinds.length ? kinds : ['video', 'audio']).map((kind) => Object.assign(new FakeTrack(), { kind }));
  const of = (kind) => all.filter((t) => t.kind === kind);
  return { getVideoTracks: () => of('video'), getAudioTracks: () => of('audio') };
}

/** The gateway lists a device of the kind `peer`, and who sends to it. */
function list(publisher = '', more = {}) {
  const streams = [['video', 'OUT'], ['camera', 'IN'], ['microphone', 'IN']].map(([name, way]) => ({ name, direction: `STREAM_DIRECTION_${way}` }));
  rig.others = [{ device: { name: 'guest', kind: 'peer', epoch: '9', state: 'DEVICE_STATE_READY', streams, attributes: { publisher }, ...more } }];
  if (rig.env.socket) rig.list();
}

beforeEach(async () => {
  rig = new Rig();
  list();
  guest = rig.robot.sharing('guest');
  states = [];
  guest.addEventListener('state', ({ detail: { state } }) => states.push(state));
  await rig.connect();
});
afterEach(() => rig.robot.close());

describe('sharing', () => {
  test('sends picture and sound, and is live once the device confirms who sends', async () => {
    const stream = camera();
    const share = guest.share(stream);
    await rig.pass(50);
    assert.deepEqual(tracks(), [
      { mid: '0', device: 'guest', stream: 'camera', talker: OWN }, { mid: '1', device: 'guest', stream: 'microphone', talker: OWN },
    ]);
    assert.deepEqual(rig.env.peer.transceivers.map((t) => [t.kind, t.direction]), [['video', 'sendonly'], ['audio', 'sendonly']]);
    assert.equal(section('camera').sender.track, stream.getVideoTracks()[0]);
    assert.equal(section('microphone').sender.track, stream.getAudioTracks()[0]);
    assert.equal(section('camera').sender.parameters.encodings[0].maxBitrate, 2_500_000);
    assert.equal(guest.state.state, 'waiting');
    list(OWN);
    await rig.pass(50);
    assert.deepEqual([guest.state.state, guest.publisher], ['live', OWN]);
    share.stop();
    share.stop();
    assert.equal(rig.env.peer.transceivers[0].sender.track, null, 'at once');
    await rig.pass(50);
    assert.deepEqual(tracks(), [], 'the device is free for others');
    assert.deepEqual(guest.state, { state: 'off', reason: 'off', text: '' });
  });

  test('a picture alone needs one section', async () => {
    guest.share(camera('video'));
    await rig.pass(50);
    assert.deepEqual(tracks().map((t) => t.stream), ['camera']);
    assert.throws(() => guest.share({ getVideoTracks: () => [], getAudioTracks: () => [] }), TypeError);
  });

  test('a new share ends the one before, in the same sections', async () => {
    const first = guest.share(camera());
    await rig.pass(50);
    const stream = camera();
    guest.share(stream);
    first.stop();
    await rig.pass(50);
    assert.equal(section('camera').sender.track, stream.getVideoTracks()[0]);
    assert.equal(rig.env.peer.transceivers.length, 2);
  });

  test('ends when the camera is unplugged', async () => {
    const stream = camera();
    guest.share(stream);
    await rig.pass(50);
    stream.getVideoTracks()[0].end();
    await rig.pass(50);
    assert.deepEqual(tracks(), []);
    assert.deepEqual(guest.state, { state: 'off', reason: 'off', text: 'The camera has stopped' });
  });

  test('ends with the reason when somebody has the device', async () => {
    rig.refuse = (offer) => (offer.tracks.some((t) => t.device === 'guest') ? 'Ann sends to guest already' : null);
    list('Ann');
    guest.share(camera());
    await rig.pass(500);
    assert.deepEqual(guest.state, { state: 'off', reason: 'off', text: 'Ann sends to guest already' });
    assert.equal(guest.publisher, 'Ann');
  });

  test('takes the device when asked to, and not again later', async () => {
    list('Ann');
    guest.share(camera('video'), { take: true });
    await rig.pass(50);
    assert.deepEqual(tracks(), [{ mid: '0', device: 'guest', stream: 'camera', talker: OWN, take: true }]);
    assert.equal(guest.state.state, 'waiting', 'the device still names the other');
    list(OWN);
    await rig.pass(50);
    assert.equal(guest.state.state, 'live');
    rig.die();
    await rig.pass(500);
    rig.revive();
    await rig.until(() => rig.robot.state === 'live');
    await rig.pass(50);
    assert.deepEqual(tracks(), [{ mid: '0', device: 'guest', stream: 'camera', talker: OWN }]);
  });

  test('ends when somebody takes the device', async () => {
    guest.share(camera('video'));
    list(OWN);
    await rig.pass(50);
    list('Ann');
    await rig.pass(50);
    assert.deepEqual(guest.state, { state: 'off', reason: 'off', text: 'Ann has taken over' });
    assert.deepEqual(tracks(), []);
  });

  test('goes on after a lost gateway, though that may still hold the old connection', async () => {
    guest.share(camera('video'));
    list(OWN);
    await rig.pass(50);
    rig.die();
    await rig.pass(1000);
    assert.deepEqual([guest.state.state, guest.state.reason], ['stale', 'gateway-lost']);
    rig.refuse = (offer) => (offer.tracks.some((t) => t.device === 'guest') ? `${OWN} sends to guest already` : null);
    rig.revive();
    await rig.until(() => rig.robot.state === 'live');
    await rig.pass(4000);
    assert.deepEqual([guest.state.state, guest.state.reason], ['stale', 'refused']);
    rig.refuse = () => null;
    await rig.until(() => guest.state.state === 'live');
    assert.deepEqual(states.filter((s, i) => s !== states[i - 1]), ['waiting', 'live', 'stale', 'live']);
  });

  test('a section that was asked for and is no longer wanted sends nothing', async () => {
    guest.share(camera('video')).stop();
    await rig.pass(50);
    assert.deepEqual(rig.env.peer.transceivers.map((t) => t.sender.track), []);
  });
});

test('which devices take a camera', () => {
  assert.equal(takesCamera(rig.robot.devices.find((d) => d.name === 'guest')), true);
  assert.equal(takesCamera(rig.robot.devices.find((d) => d.name === 'motors')), false);
});

describe('what the panel says', () => {
  const off = { state: 'off', reason: 'off', text: '' };
  const facts = { asking: false, sharing: false, state: off, publisher: '', own: OWN };
  for (const [name, change, button, text] of [
    ['nobody sends', {}, 'Share camera', 'Nobody sends'],
    ['the browser asks', { asking: true }, 'Cancel', 'Allow the camera in the browser'],
    ['connecting', { sharing: true, state: { ...off, state: 'waiting', text: 'Connecting video' } }, 'Stop sharing', 'Connecting video'],
    ['shared', { sharing: true, state: { ...off, state: 'live' }, publisher: OWN }, 'Stop sharing', 'The robot has your camera'],
    ['interrupted', { sharing: true, state: { ...off, state: 'stale', text: 'Gateway lost' } }, 'Stop sharing', 'Gateway lost'],
    ['another sends', { publisher: 'Ann' }, 'Take over', 'Ann sends'],
    ['another took over', { publisher: 'Ann', state: { ...off, text: 'Ann has taken over' } }, 'Take over', 'Ann has taken over'],
    ['just stopped', { publisher: OWN }, 'Share camera', 'Nobody sends'],
  ]) {
    test(name, () => {
      const status = shareStatus({ ...facts, ...change });
      assert.deepEqual([status.button, status.text], [button, text]);
      assert.equal(status.question !== '', button === 'Take over');
    });
  }
});
