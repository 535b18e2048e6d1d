import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { readLevels } from '../proto/audio.js';
import { part } from '../page/meter.js';
import { captureProblem, talkStatus, whoTalks } from '../page/soundwords.js';
import { hasMicrophone, hasSpeaker, parse } from '../proto/signaling.js';
import { FakeTrack, settle } from './fakes.js';
import { Rig } from './rig.js';

/** @type {Rig} */ let rig;
/** @type {import('../media/sound.js').Sound} */ let sound;
/** @type {string[]} */ let states;

/** The stream that a section of the last offer is for. */
const tracks = () => rig.env.socket.of('offer').at(-1)?.tracks ?? [];
/** The transceiver of a stream, on the connection there is now. */
const section = (stream) => rig.env.peer.transceivers[Number(tracks().find((t) => t.stream === stream)?.mid)];
/** Packets arrive, until the time that is returned. */
function flow(stream = 'audio') {
  section(stream).receiver.sources = [{ timestamp: rig.env.originMs + rig.env.time }];
}

beforeEach(async () => {
  rig = new Rig();
  rig.others = [ear()];
  sound = rig.robot.audio('head');
  states = [];
  sound.addEventListener('state', ({ detail: { hearing, talking } }) => states.push(`${hearing.state}/${talking.state}`));
  await rig.connect();
});
afterEach(() => rig.robot.close());

/** A device with a microphone and a speaker. */
function ear(more = {}, gone = false) {
  const streams = [['audio', 'OUT'], ['levels', 'OUT'], ['speaker', 'IN']].map(([name, way]) => ({ name, direction: `STREAM_DIRECTION_${way}` }));
  return { device: { name: 'head', kind: 'audio', epoch: '5', state: 'DEVICE_STATE_READY', streams, ...more }, gone };
}

describe('listening', () => {
  test('asks for one section, whoever listens, and lets it go with the last', async () => {
    assert.equal(sound.hearing.state, 'off');
    assert.deepEqual(rig.env.peer.transceivers, [], 'nothing is wanted before');
    const one = sound.listen();
    const two = sound.listen();
    await rig.pass(50);
    assert.deepEqual(tracks(), [{ mid: '0', device: 'head', stream: 'audio' }]);
    assert.equal(rig.env.peer.transceivers[0].direction, 'recvonly');
    assert.equal(one.stream, two.stream);
    assert.equal(one.track, rig.env.peer.transceivers[0].receiver.track);
    one.stop();
    one.stop();
    await rig.pass(50);
    assert.equal(tracks().length, 1, 'the other still listens');
    two.stop();
    await rig.pass(50);
    assert.deepEqual(tracks(), []);
    assert.equal(rig.env.peer.transceivers[0].direction, 'inactive');
    assert.equal(two.track, null);
  });

  test('whoever stops and begins again at once still hears', async () => {
    sound.listen().stop(); // before there was a way
    const first = sound.listen();
    await rig.pass(50);
    const { track } = first;
    assert.ok(track);
    first.stop();
    const second = sound.listen();
    assert.equal(second.track, track, 'the section was never given back');
    await rig.pass(50);
    assert.equal(second.track, track);
    second.stop();
    await settle();
    const third = sound.listen(); // while the section is on its way back
    await rig.pass(50);
    assert.deepEqual(tracks(), [{ mid: '0', device: 'head', stream: 'audio' }]);
    assert.equal(third.track, section('audio').receiver.track);
  });

  test('a section that was given to another device is not heard', async () => {
    rig.others = [ear(), ear({ name: 'tail' })];
    rig.list();
    sound.listen().stop();
    const listening = sound.listen();
    await rig.pass(50);
    listening.stop();
    await rig.pass(50);
    const other = rig.robot.audio('tail').listen();
    await rig.pass(50);
    assert.deepEqual(tracks(), [{ mid: '0', device: 'tail', stream: 'audio' }]);
    assert.ok(other.track);
    const again = sound.listen();
    assert.equal(again.track, null);
    await rig.pass(50);
    assert.notEqual(again.track, other.track);
  });

  test('is live while packets come, and says since when not', async () => {
    sound.listen();
    await rig.pass(100);
    assert.equal(sound.hearing.state, 'waiting');
    await rig.pass(500, () => flow());
    assert.deepEqual(sound.hearing, { state: 'live', reason: 'ok', text: '' });
    await rig.pass(600);
    assert.deepEqual(sound.hearing, { state: 'stale', reason: 'no-frames', text: 'No sound arrives' });
    await rig.pass(100, () => flow());
    assert.equal(sound.hearing.state, 'live');
    assert.deepEqual(states, ['waiting/off', 'live/off', 'stale/off', 'live/off']);
  });

  test('outlasts the gateway with the same stream', async () => {
    const listening = sound.listen();
    await rig.pass(100);
    await rig.pass(100, () => flow());
    const [{ stream, track }, peer] = [listening, rig.env.peer];
    rig.die();
    await rig.pass(1000);
    assert.equal(sound.hearing.reason, 'gateway-lost');
    rig.revive();
    await rig.until(() => rig.robot.state === 'live');
    await rig.pass(100);
    assert.notEqual(rig.env.peer, peer);
    assert.ok(peer.closed, 'no picture depends on the old connection');
    assert.equal(listening.stream, stream);
    assert.notEqual(listening.track, track);
    assert.equal(listening.track, section('audio').receiver.track);
    assert.equal(stream.getTracks().length, 1);
  });

  test('waits for a device that is not there yet', async () => {
    rig.refuse = (offer) => (offer.tracks.some((t) => t.device === 'head') ? 'there is no device "head"' : null);
    rig.others = [];
    rig.list();
    sound.listen();
    await rig.pass(3000);
    assert.deepEqual(sound.hearing, { state: 'waiting', reason: 'device-unknown', text: 'No such device' });
    rig.refuse = () => null;
    rig.others = [ear()];
    rig.list();
    await rig.pass(100);
    await rig.pass(100, () => flow());
    assert.equal(sound.hearing.state, 'live');
  });

  test('a refusal has its reason', async () => {
    rig.refuse = (offer) => (offer.tracks.some((t) => t.stream === 'audio') ? 'nothing is to be heard from this gateway' : null);
    sound.listen();
    await rig.pass(3000);
    assert.deepEqual(sound.hearing, { state: 'waiting', reason: 'refused', text: 'nothing is to be heard from this gateway' });
  });

  test('only video is shown without a buffer', async () => {
    rig.robot.video('front');
    sound.listen();
    await rig.pass(50);
    const [video, audio] = rig.env.peer.transceivers;
    assert.equal(video.receiver.jitterBufferTarget, 0);
    assert.equal(audio.receiver.jitterBufferTarget, null);
    assert.deepEqual(tracks(), [{ mid: '0', device: 'front' }, { mid: '1', device: 'head', stream: 'audio' }]);
  });

  test('a section never changes its kind', async () => {
    rig.robot.video('front');
    await rig.pass(50);
    rig.robot.video('front').close();
    await rig.pass(50);
    sound.listen();
    await rig.pass(50);
    assert.deepEqual(rig.env.peer.transceivers.map((t) => t.kind), ['video', 'audio']);
  });

  test('offers to hear both channels', async () => {
    rig.env.peer.opus = true;
    sound.listen();
    await rig.pass(50);
    const { sdp } = rig.env.socket.of('offer').at(-1);
    assert.match(sdp, /^a=fmtp:111 minptime=10;useinbandfec=1;stereo=1\r$/m);
    assert.match(sdp, /^a=fmtp:102 packetization-mode=1\r$/m);
    await rig.pass(50);
    sound.talk(new FakeTrack());
    await rig.pass(50);
    assert.doesNotMatch(rig.env.socket.of('offer').at(-1).sdp, /stereo=1;stereo/);
  });
});

describe('talking', () => {
  test('sends the track, and nothing between two talks; the section stays', async () => {
    const track = new FakeTrack();
    const talk = sound.talk(track);
    await rig.pass(50);
    assert.deepEqual(tracks(), [{ mid: '0', device: 'head', stream: 'speaker', talker: 'Chromium on Linux 3f2a' }]);
    assert.equal(section('speaker').direction, 'sendonly');
    assert.equal(section('speaker').sender.track, track);
    assert.equal(sound.talking.state, 'live');
    talk.stop();
    talk.stop();
    assert.equal(section('speaker').sender.track, null, 'at once');
    await rig.pass(50);
    assert.equal(sound.talking.state, 'off');
    const offers = rig.env.socket.of('offer').length;
    sound.talk(track);
    assert.equal(section('speaker').sender.track, track, 'without another negotiation');
    await rig.pass(50);
    assert.equal(rig.env.socket.of('offer').length, offers);
  });

  test('one voice for each page: a new talk ends the one before', async () => {
    const first = sound.talk(new FakeTrack());
    await rig.pass(50);
    const track = new FakeTrack();
    sound.talk(track);
    assert.equal(section('speaker').sender.track, track);
    first.stop();
    first.track.end();
    await rig.pass(50);
    assert.equal(section('speaker').sender.track, track, 'what has ended cannot end the other');
  });

  test('ends with its track', async () => {
    const { track } = sound.talk(new FakeTrack());
    await rig.pass(50);
    track.end();
    assert.equal(section('speaker').sender.track, null);
    await rig.pass(50);
    assert.equal(sound.talking.state, 'off');
  });

  test('goes on after a reconnection, live; what ended meanwhile does not begin again', async () => {
    for (const stopped of [false, true]) {
      const talk = sound.talk(new FakeTrack());
      await rig.pass(50);
      const peer = rig.env.peer;
      rig.die();
      await rig.pass(1000);
      assert.equal(sound.talking.state, 'stale');
      assert.equal(sound.talking.reason, 'gateway-lost');
      if (stopped) talk.stop();
      rig.revive();
      await rig.until(() => rig.robot.state === 'live');
      await rig.pass(200);
      assert.notEqual(rig.env.peer, peer);
      assert.equal(section('speaker').sender.track, stopped ? null : talk.track);
      assert.equal(sound.talking.state, stopped ? 'off' : 'live');
      talk.stop();
    }
  });

  test('one who is not heard is told', async () => {
    sound.talk(new FakeTrack());
    await rig.pass(100);
    rig.others = [ear({ state: 'DEVICE_STATE_AWAY', stateReason: 'unplugged' })];
    rig.list();
    await rig.pass(100);
    assert.deepEqual(sound.talking, { state: 'stale', reason: 'device-away', text: 'unplugged' });
    rig.others = [ear({ attributes: { speaker_problem: 'somebody else talks' } })];
    rig.list();
    await rig.pass(100);
    assert.deepEqual(sound.talking, { state: 'stale', reason: 'refused', text: 'somebody else talks' });
    rig.others = [ear()];
    rig.list();
    await rig.pass(100);
    assert.equal(sound.talking.state, 'live');
  });

  test('a device without a speaker is refused with the gateway’s words, and the ear goes on', async () => {
    rig.refuse = (offer) => (offer.tracks.some((t) => t.stream === 'speaker') ? 'head accepts no stream "speaker"' : null);
    sound.listen();
    sound.talk(new FakeTrack());
    await rig.pass(3000, () => section('audio') && flow());
    assert.equal(sound.talking.text, 'head accepts no stream "speaker"');
    assert.equal(sound.hearing.state, 'live');
  });

  test('only sound can be said', () => {
    for (const bad of [undefined, null, { kind: 'video' }]) assert.throws(() => sound.talk(/** @type {any} */ (bad)), /MediaStreamTrack of kind audio/);
  });
});

test('closing ends all of it, and the same name is new', async () => {
  const listening = sound.listen();
  const track = new FakeTrack();
  sound.talk(track);
  await rig.pass(50);
  const { sender } = section('speaker');
  sound.close();
  await rig.pass(50);
  assert.deepEqual(tracks(), []);
  assert.equal(sender.track, null);
  assert.equal(listening.track, null);
  assert.notEqual(rig.robot.audio('head'), sound);
  assert.equal(rig.robot.audio('head'), rig.robot.audio('head'));
});

test('what is closed and wanted again in a moment is there', async () => {
  const front = rig.robot.video('front');
  sound.listen();
  sound.talk(new FakeTrack());
  await rig.pass(50);
  front.close();
  sound.close();
  const video = rig.robot.video('front');
  const again = rig.robot.audio('head');
  const listening = again.listen();
  const { track } = again.talk(new FakeTrack());
  await rig.pass(50);
  assert.equal(tracks().length, 3);
  assert.equal(video.stream.getTracks().length, 1);
  assert.equal(listening.track, section('audio').receiver.track);
  assert.equal(section('speaker').sender.track, track);
  assert.equal(again.talking.state, 'live');
});

describe('levels', () => {
  test('come while somebody asks for them', async () => {
    const channel = () => rig.env.peer.channel('waldo.stream/head/levels');
    assert.equal(channel(), undefined);
    const { levels } = sound;
    assert.equal(sound.levels, levels);
    assert.equal(levels.now, null);
    const seen = [];
    levels.addEventListener('levels', (event) => seen.push(event.detail));
    await rig.pass(100);
    channel().say({ message: { microphone: { rmsDbfs: -12.5, peakDbfs: -9 }, speaker: {}, talkers: [{ name: 'Ann', buffered: '0.080s' }] } });
    assert.equal(levels.now.microphone.rmsDb, -12.5);
    assert.deepEqual(seen, [levels.now]);
    await rig.pass(600);
    assert.equal(levels.now, null, 'old levels say nothing of now');
    const used = channel();
    levels.close();
    assert.equal(used.readyState, 'closed');
    assert.notEqual(sound.levels, levels);
  });

  test('are read whatever comes', () => {
    assert.deepEqual(readLevels({
      microphone: { rmsDbfs: -3, peakDbfs: '-Infinity' }, speaker: {},
      talkers: [{ name: 'Ann', since: '2026-11-20T12:00:00Z', level: { rmsDbfs: -20 }, buffered: '0.080s' }, 7],
    }), {
      microphone: { rmsDb: -3, peakDb: -100 },
      speaker: { rmsDb: 0, peakDb: 0 },
      talkers: [{ name: 'Ann', sinceMs: Date.parse('2026-11-20T12:00:00Z'), level: { rmsDb: -20, peakDb: 0 }, bufferedMs: 80 }],
    });
    for (const bad of [null, undefined, 7, 'x', [], {}, { talkers: 'x', microphone: 3 }]) {
      assert.deepEqual(readLevels(bad), { microphone: null, speaker: null, talkers: [] });
    }
    assert.deepEqual(readLevels({ talkers: [{}] }).talkers,
      [{ name: '', sinceMs: null, level: { rmsDb: -100, peakDb: -100 }, bufferedMs: 0 }]);
    assert.deepEqual(readLevels({ microphone: { rmsDbfs: -900, peakDbfs: NaN } }).microphone, { rmsDb: -100, peakDb: 0 });
  });
});

test('devices tell what they have', () => {
  const [device] = /** @type {any} */ (parse(JSON.stringify({ devices: { devices: [ear()] } }))).devices;
  assert.ok(hasMicrophone(device) && hasSpeaker(device));
  const deaf = { ...device, streams: device.streams.filter((s) => s.name === 'levels') };
  assert.ok(!hasMicrophone(deaf) && !hasSpeaker(deaf));
  // A stream of the same name that goes the other way is another thing.
  const other = { ...device, streams: device.streams.map((s) => ({ ...s, direction: s.direction === 'in' ? 'out' : 'in' })) };
  assert.ok(!hasMicrophone(other) && !hasSpeaker(other));
});

describe('words', () => {
  const where = { protocol: 'http:', host: 'robot.local:8080', hostname: 'robot.local', port: '8080' };

  test('a page that browsers do not trust says what to do', () => {
    const text = captureProblem('microphone', 'SecurityError', false, where);
    assert.match(text, /https:\/\//);
    assert.match(text, /ssh -L 8080:localhost:8080 robot\.local/);
    assert.match(text, /http:\/\/localhost:8080/);
    assert.match(captureProblem('microphone', 'SecurityError', false, { ...where, host: 'robot.local', port: '' }), /ssh -L 80:localhost:80 /);
  });

  test('every way in which there is no microphone has its words', () => {
    for (const [name, says] of [
      ['NotAllowedError', /allow it/], ['SecurityError', /allow it/], ['NotFoundError', /plug one in/], ['OverconstrainedError', /plug one in/],
      ['NotReadableError', /close other programs/], ['AbortError', /close other programs/], ['OddError', /OddError/], ['', /unknown/],
    ]) assert.match(captureProblem('microphone', String(name), true, where), /** @type {RegExp} */ (says), String(name));
  });

  test('who talks', () => {
    const own = 'Chromium on Linux 3f2a';
    assert.equal(whoTalks([], own), 'Nobody talks');
    assert.equal(whoTalks([own], own), 'You talk');
    assert.equal(whoTalks(['Ann'], own), 'Ann talks');
    assert.equal(whoTalks(['Ann', own], own), 'Ann, You talk');
    assert.equal(whoTalks(['Ann', 'Bob', 'Cid', 'Dan', 'Eve'], own), 'Ann, Bob, Cid and 2 more talk');
  });

  test('how it is with talking', () => {
    const off = { state: 'off', reason: 'off', text: '' };
    const facts = { held: false, asking: false, open: false, talking: off, key: true };
    assert.deepEqual(talkStatus(facts), { state: 'off', text: 'Hold the button, or the key T' });
    assert.equal(talkStatus({ ...facts, key: false }).text, 'Hold the button');
    assert.equal(talkStatus({ ...facts, held: true, asking: true }).state, 'asking');
    assert.equal(talkStatus({ ...facts, open: true }).text, 'Microphone open: hold to talk');
    const away = { state: 'stale', reason: 'device-away', text: 'unplugged' };
    assert.deepEqual(talkStatus({ ...facts, held: true, open: true, talking: away }), { state: 'stale', text: 'Not heard: unplugged' });
    assert.equal(talkStatus({ ...facts, held: true, open: true, talking: { state: 'live', reason: 'ok', text: '' } }).state, 'live');
    // Not held any more: what is left of the state does not count.
    assert.equal(talkStatus({ ...facts, open: true, talking: { state: 'live', reason: 'ok', text: '' } }).state, 'off');
  });

  test('a bar goes from -60 dB to full scale', () => {
    assert.deepEqual([-100, -60, -30, 0, 3].map(part), [0, 0, 0.5, 1, 1]);
  });
});
