import assert from 'node:assert/strict';
import { test } from 'node:test';
import { choose } from '../playback/choice.js';
import { layOut, neighbour, streamName, ticks } from '../playback/lanes.js';
import { overCalls, overHttp } from '../playback/pieces.js';
import { aheadOf, bytesOf, coveredUntil, MOST_BYTES, toAsk, toDrop, withPiece } from '../playback/plan.js';
import { followed, panned, zoomed } from '../playback/zoom.js';
import { findTime, nearestTime, readSpot, writeSpot } from '../playback/spot.js';
import { auditCommand, emptyWords, eventWords, notThenWords, placeWords, replayCommand, sizeWords, tickWords } from '../page/recordingwords.js';
import { placeNow, recorderStatus, replayedFrom, replayedWords, replayWords } from '../page/recorderwords.js';
import { Address } from '../page/address.js';
import { rememberLink } from '../page/remember.js';
import { driveStatus } from '../page/drivewords.js';
import { motorsStatus } from '../page/motorwords.js';
import { isActuator } from '../proto/signaling.js';
import { recorderState, recording, timeline } from '../proto/recorder.js';
import { playerState } from '../proto/player.js';

const piece = (start, end, bytes = 1000) => ({ start, from: start, end, bytes });
const facts = (held, place, more = {}) => ({ held, place, speed: 1, duration: 100, ...more });

test('what is at the place is asked for first, then what comes, up to a bound', () => {
  assert.equal(toAsk(facts([], 5)), 5);
  assert.equal(toAsk(facts([piece(4, 6)], 5)), 6);
  assert.equal(toAsk(facts([piece(4, 6), piece(8, 10)], 5)), 6, 'a hole');
  assert.equal(toAsk(facts([piece(0, 30)], 5)), null, 'far enough ahead');
  assert.equal(toAsk(facts([piece(0, 30)], 5, { speed: 10 })), 30, 'faster, it is used up sooner');
  assert.equal(toAsk(facts([piece(95, 100)], 96)), null, 'the end');
  assert.equal(toAsk(facts([piece(95, Infinity)], 99)), null, 'the last piece');
  assert.equal(toAsk(facts([piece(0, 10, MOST_BYTES)], 1)), null, 'there is no room');
  assert.equal(toAsk(facts([piece(0, 10, MOST_BYTES)], 9.5)), 10, 'what is needed now is asked for all the same');
  assert.ok(aheadOf(10) > aheadOf(1) && aheadOf(1) === aheadOf(0.1) && aheadOf(1000) <= 60);
});

test('what is far away is let go, and more when there is too much', () => {
  assert.equal(toDrop(facts([piece(40, 45), piece(49, 52)], 50)), null);
  assert.deepEqual(toDrop(facts([piece(30, 35), piece(49, 52)], 50)), piece(30, 35), 'behind');
  assert.deepEqual(toDrop(facts([piece(49, 52), piece(80, 85)], 50)), piece(80, 85), 'ahead');
  const full = [piece(45, 47, 30), piece(47, 49, 30), piece(49, 52, 30), piece(52, 54, 30)];
  assert.deepEqual(toDrop(facts(full, 50, { most: 100 })), full[0], 'the furthest behind');
  assert.deepEqual(toDrop(facts(full.slice(2), 50, { most: 50 })), full[3], 'with nothing behind, the furthest ahead');
  assert.equal(toDrop(facts([full[2]], 50, { most: 10 })), null, 'what plays stays');
});

test('a long play through a recording of any rate holds a bounded amount', () => {
  for (const [bytes, speed] of [[250_000, 1], [250_000, 10], [4 << 20, 1], [20 << 20, 2]]) {
    let held = [];
    let most = 0;
    for (let place = 0; place < 600; place += 0.25 * speed) {
      for (let drop; (drop = toDrop({ held, place, speed, duration: 600 }));) held = held.filter((h) => h !== drop);
      const ask = toAsk({ held, place, speed, duration: 600 });
      if (ask !== null) held = withPiece(held, piece(ask, ask + 1, bytes));
      most = Math.max(most, bytesOf(held));
      assert.ok(coveredUntil(held, place) > place || ask !== null, 'it is never left without');
    }
    assert.ok(most <= Math.max(MOST_BYTES, 3 * bytes) + 2 * bytes, `${bytes} at ${speed}: ${most}`);
  }
});

test('a piece replaces what was held in its time', () => {
  const old = [piece(0, 10), piece(10, 20)];
  assert.deepEqual(withPiece(old, piece(8, 12)), [{ ...piece(0, 8) }, piece(8, 12)], 'what follows needs what was replaced');
  assert.deepEqual(withPiece(old, piece(20, 30)), [...old, piece(20, 30)]);
  assert.equal(coveredUntil([piece(0, 1), piece(1, 2), piece(3, 4)], 0.5), 2);
  assert.equal(coveredUntil([], 7), 7);
});

const event = (kind, startS, endS = null, more = {}) => ({ kind, startS, endS, device: '', text: '', count: 1, ...more });
const stream = (device, name, more = {}) => ({ device, kind: '', stream: name, messageType: 'x.Y', mediaType: '', messages: 1, codec: '', ...more });

test('lanes show what there is, and gather what would lie on one another', () => {
  const events = [event('mark', 1), event('mark', 1.2), event('mark', 50), event('drive', 10, 200), event('away', 20, 24, { device: 'rear' }), event('unknown', 3)];
  const lanes = layOut({ streams: [stream('front', 'video'), stream('rear', 'video'), stream('rear', ''), stream('', 'chat'), stream('pad', '')], events, span: { from: 0, to: 100 }, least: 0.01 });
  assert.deepEqual(lanes.map((l) => [l.name, l.sort, l.items.length]), [
    ['Marks', 'events', 2], ['Driven', 'events', 1], ['Away', 'events', 1], ['Other', 'events', 1],
    ['front · video', 'stream', 0], ['rear · video', 'stream', 1], ['topic · chat', 'stream', 0], ['pad', 'stream', 0],
  ]);
  const [first, second] = lanes[0].items;
  assert.equal(first.events.length, 2);
  assert.ok(Math.abs(first.to - 0.012) < 1e-9 && second.at === 0.5);
  assert.deepEqual([lanes[1].items[0].at, lanes[1].items[0].to], [0.1, 1], 'nothing lies outside');
  assert.deepEqual(layOut({ streams: [], events: [event('gap', 0)], span: { from: 0, to: 0 }, least: 0.01 })[0].items[0].at, 0, 'a recording without length');
});

test('ten thousand events are laid out at once, as a bounded number of items', () => {
  const events = Array.from({ length: 10_000 }, (_, i) => event('refused', i / 10));
  const [lane] = layOut({ streams: [], events, span: { from: 0, to: 1000 }, least: 0.01 });
  assert.ok(lane.items.length <= 101);
  assert.equal(lane.items.reduce((n, i) => n + i.events.length, 0), 10_000);
});

test('numbers below a timeline fit, from a second to a day', () => {
  assert.deepEqual(ticks({ from: 0, to: 60 }, 8), { step: 10, places: [0, 10, 20, 30, 40, 50, 60] });
  assert.deepEqual(ticks({ from: 0, to: 0 }, 8).places, [0]);
  assert.deepEqual(ticks({ from: 61, to: 75 }, 8), { step: 2, places: [62, 64, 66, 68, 70, 72, 74] });
  for (const to of [0.5, 6, 61, 3599, 7200, 86_400, 1e6]) assert.ok(ticks({ from: 0, to }, 10).places.length <= 11, String(to));
  assert.deepEqual([tickWords(0.5, 0.5), tickWords(70, 10), tickWords(3600, 600)], ['0:00.5', '1:10', '1:00:00']);
});

test('one goes from event to event', () => {
  const events = [event('mark', 1), event('drive', 5), event('mark', 9)];
  assert.equal(neighbour(events, 1, 1).startS, 5);
  assert.equal(neighbour(events, 5, -1).startS, 1);
  assert.equal(neighbour(events, 9, 1), null);
  assert.equal(neighbour(events, 0.5, -1), null);
});

test('a picture of each device is chosen that the browser plays, and all sounds', () => {
  const plays = (type) => /avc1|opus/.test(type);
  const streams = [
    stream('front', 'video-small', { mediaType: 'video/H264', codec: 'avc1.42c01f' }), stream('front', 'video', { mediaType: 'video/H265', codec: 'hvc1.1' }),
    stream('front', 'video-h264', { mediaType: 'video/H264', codec: 'avc1.42c01f' }), stream('rear', 'video', { mediaType: 'image/jpeg' }),
    stream('guest', 'camera', { mediaType: 'video/H264', codec: 'avc1.1' }), stream('guest', 'video', { mediaType: 'video/H264', codec: 'avc1.1' }),
    stream('voice', 'speaker', { mediaType: 'audio/opus', codec: 'opus' }), stream('voice', 'audio', { mediaType: 'audio/opus', codec: 'opus' }),
    stream('motors', 'rx'),
  ];
  assert.deepEqual(choose(streams, plays).map((c) => [streamName(c.stream), c.kind, c.plays]), [
    ['front · video-h264', 'video', true], ['rear · video', 'video', false], ['guest · video', 'video', true],
    ['voice · audio', 'audio', true], ['voice · speaker', 'audio', true],
  ]);
});

test('the address names a place, or a time', () => {
  assert.deepEqual(readSpot('#name=a.mcap&t=12.3&recorder=box'), { recorder: 'box', name: 'a.mcap', place: 12.3, atMs: null });
  for (const t of ['-1', 'NaN', '1e9', '', 'soon']) assert.equal(readSpot(`#name=a&t=${t}`).place, null, t);
  assert.equal(readSpot('#at=2026-11-30T07:10:12.5Z').atMs, Date.parse('2026-11-30T07:10:12.5Z'));
  assert.equal(readSpot('#at=then').atMs, null);
  assert.equal(writeSpot({ name: 'a b.mcap', place: 1.23456 }), '#name=a+b.mcap&t=1.235');
  assert.deepEqual(readSpot(writeSpot({ recorder: 'x', name: 'a b.mcap', place: 1.235 })), { recorder: 'x', name: 'a b.mcap', place: 1.235, atMs: null });
  const made = [{ name: 'b', startMs: 5000, durationMs: 1000 }, { name: 'a', startMs: 1000, durationMs: 2000 }, { name: 'c', startMs: null, durationMs: 1e9 }];
  assert.deepEqual(findTime(made, 2500), { name: 'a', place: 1.5 });
  assert.equal(findTime(made, 4000), null);
});

test('of a time at which nothing was recorded the nearest recording is named', () => {
  const made = [
    { recorder: 'log', name: 'b', startMs: 5000, durationMs: 1000 }, { recorder: 'log', name: 'a', startMs: 1000, durationMs: 2000 },
    { recorder: 'log', name: 'c', startMs: null, durationMs: 1e9 },
  ];
  const at = (atMs) => nearestTime(made, atMs);
  assert.deepEqual(at(3500), { recorder: 'log', name: 'a', place: 2, atMs: 3000 }, 'the end of the one before');
  assert.deepEqual(at(4500), { recorder: 'log', name: 'b', place: 0, atMs: 5000 }, 'the beginning of the one after');
  assert.deepEqual([at(-1e6)?.name, at(1e12)?.name], ['a', 'b']);
  assert.equal(nearestTime([], 5), null);
  assert.equal(nearestTime(made.slice(2), 5), null, 'it is not known when it was made');
  assert.match(notThenWords(Date.parse('2026-11-30T07:10:12Z'), true), /^Nothing was recorded .*\. The nearest is $/);
  assert.match(notThenWords(Date.parse('2026-11-30T07:10:12Z'), false), /^Nothing was recorded .*\.$/);
  assert.match(notThenWords(null, true), /cannot be read/);
});

test('a link of a rendezvous server may lead to a place, which stays in the address', () => {
  const shown = [];
  const place = { pathname: '/r/rover/recordings', search: '', hash: `#key=${'A'.repeat(43)}&token=secret&name=a.mcap&t=5` };
  rememberLink(place, { replaceState: (...args) => shown.push(args[2]) }, () => ({ getItem: () => null, setItem() {} }));
  assert.deepEqual(shown, ['/r/rover/recordings#name=a.mcap&t=5']);
});

test('places, sizes and events are told as people do', () => {
  assert.deepEqual([0, 0.29, 12.3, 59.99, 61, 3723.4].map((s) => placeWords(s)), ['0:00.0', '0:00.2', '0:12.3', '0:59.9', '1:01.0', '1:02:03.4']);
  assert.equal(placeWords(3723.4, false), '1:02:03');
  assert.deepEqual([0, 999, 1000, 84_312_000, 999_600_000, 2.3e12].map(sizeWords), ['0 B', '999 B', '1.0 kB', '84 MB', '1.0 GB', '2.3 TB']);
  assert.equal(eventWords(event('refused', 1, null, { device: 'motors', text: 'DEADMAN', count: 14 })), 'motors: DEADMAN (14 times)');
  assert.equal(eventWords(event('gap', 1, null, { device: 'front' })), 'front: nothing was recorded');
  assert.equal(replayCommand(['a_001.mcap', "it's.mcap"]), "waldo replay a_001.mcap 'it'\\''s.mcap'");
  const start = Date.parse('2026-11-30T07:10:00Z');
  assert.equal(auditCommand(start, { device: 'motors', startS: 2, endS: 4.5 }), 'waldo audit 2026-11-30T07:10:03.250Z --device motors');
  assert.equal(auditCommand(start, { device: "it's", startS: 2, endS: null }), "waldo audit 2026-11-30T07:10:02.000Z --device 'it'\\''s'");
});

test('an empty list says why, and what to do', () => {
  const now = { live: true, complete: true, refusal: '', recorders: 0, listed: false, replayed: '' };
  assert.match(emptyWords(now).title, /no recorder/);
  assert.ok(emptyWords(now).code);
  const replay = emptyWords({ ...now, replayed: 'drive.mcap' });
  assert.match(replay.text, /drive\.mcap/);
  assert.ok(!replay.code, 'robot.yaml is not there to be changed');
  assert.equal(emptyWords({ ...now, complete: false }), null, 'devices may still appear');
  assert.equal(emptyWords({ ...now, recorders: 1 }), null, 'the list has not come');
  assert.match(emptyWords({ ...now, recorders: 1, listed: true }).text, /Record.*waldo record start/);
  assert.match(emptyWords({ ...now, live: false }).title, /Looking/);
  assert.match(emptyWords({ ...now, refusal: 'no token' }).title, /No connection/);
});

test('what recorders and players say is read with care', () => {
  const none = { start: null };
  for (const garbage of [undefined, null, 7, 'x', [], {}]) {
    assert.equal(recorderState(garbage).phase, 'unknown');
    assert.deepEqual([recording(garbage).startMs, recording(garbage).files], [none.start, []]);
    assert.deepEqual([playerState(garbage).speed, playerState(garbage).playing], [1, false]);
  }
  const t = timeline({
    recording: { name: 'a.mcap', duration: '61.5s', sizeBytes: '5000000000', startTime: '2026-11-30T07:10:00Z', marks: [{ text: 'door' }, 7] },
    streams: [{ device: 'front', stream: 'video', codec: 'avc1.42c01f' }, null],
    events: [{ offset: '12.3s', kind: 'TIMELINE_EVENT_KIND_E_STOP', end: '13s', count: '2' }, { kind: 'TIMELINE_EVENT_KIND_NEW' }], leftOutCount: '3',
  });
  assert.deepEqual([t.recording.bytes, t.recording.durationMs, t.recording.marks.length, t.streams.length, t.leftOut], [5e9, 61_500, 1, 1, 3]);
  assert.deepEqual(t.events.map((e) => [e.kind, e.startS, e.endS, e.count]), [['estop', 12.3, 13, 2], ['unknown', 0, null, 1]]);
});

test('pieces come over HTTP or by calls, with where they are', async () => {
  const address = { recorder: 'recorder', name: 'a b.mcap', device: 'front', stream: 'video' };
  const asked = [];
  let answer = new Response('ftypmoof', { headers: { 'Waldo-Offset': '2.000000000', 'Waldo-Next': '4.5', 'Waldo-Codec': 'avc1.42c01f' } });
  const http = overHttp(address, async (url) => {
    asked.push(url);
    return answer;
  });
  const { data, ...rest } = await http(2.5, true, new AbortController().signal);
  assert.deepEqual([rest, data.byteLength], [{ offset: 2, next: 4.5, codec: 'avc1.42c01f', bytes: 8 }, 8]);
  assert.equal(asked[0], 'recordings/segment/recorder/a%20b.mcap/front/video?offset=2.5&init=1');
  answer = new Response(null, { status: 204, headers: { 'Waldo-Offset': '9.0' } });
  assert.deepEqual((await http(9, false)).next, null);
  for (const [status, final] of [[404, true], [406, true], [503, false], [429, false]]) {
    answer = new Response('why', { status });
    await assert.rejects(http(0, false), { message: 'why', final });
  }
  const calls = [];
  const call = overCalls(address, async (...args) => {
    calls.push(args);
    return { media: btoa('moof'), initialization: btoa('ftyp'), offset: '2s', next: '4.500000001s', codec: 'opus' };
  });
  const got = await call(2.5, true);
  assert.deepEqual([got.offset, got.next, got.bytes, new TextDecoder().decode(got.data)], [2, 4.500000001, 8, 'ftypmoof']);
  assert.deepEqual(calls[0][2], { name: 'a b.mcap', device: 'front', stream: 'video', offset: '2.500000000s', initialization: true });
});

test('what a recorder does is told, with the room that is left and what is wrong', () => {
  const device = { state: 'ready', reason: '', gone: false };
  const state = { phase: 'idle', problem: '', recording: null, startedBy: '', prerollMs: 0, freeBytes: 12e9, lost: 0, streams: [] };
  const told = (more, of = device, silent = '') => recorderStatus(more && { ...state, ...more }, of, silent, 70_000);
  assert.deepEqual(told({}), { phase: 'idle', text: 'Not recording · 12 GB free', problem: '' });
  assert.match(told({ prerollMs: 30_400 }).text, /begins 30 s before/);
  const recording = { startMs: 5000, durationMs: 60_000, bytes: 45e6 };
  assert.deepEqual(told({ phase: 'recording', recording }), { phase: 'recording', text: 'Recording, 1:05 · 45 MB · 12 GB free', problem: '' });
  assert.match(told({ phase: 'recording', recording, lost: 3 }).problem, /3 messages were lost/);
  assert.match(told({ phase: 'recording', recording, lost: 1 }).problem, /1 message was lost/);
  const failed = told({ phase: 'failed', problem: 'the disk is full: delete recordings' });
  assert.deepEqual([failed.phase, failed.problem], ['failed', 'the disk is full: delete recordings']);
  assert.equal(told(null).phase, 'unknown');
  assert.equal(told(null, device, 'no answer').problem, 'no answer');
  assert.equal(told({}, { ...device, state: 'away', reason: 'no such folder' }).problem, 'no such folder');
  assert.equal(told({}, null).phase, 'unknown');
});

test('a replay goes on between two reports, and says what it is', () => {
  const state = playerState({ playing: true, offset: '10s', speed: 2, duration: '60s', startTime: '2026-11-30T07:10:00Z', name: 'a.mcap' });
  assert.equal(placeNow(state, 500), 11);
  assert.equal(placeNow({ ...state, playing: false }, 500), 10);
  assert.equal(placeNow(state, 60_000), 60);
  assert.equal(placeNow({ ...state, loop: true }, 27_000), 4);
  assert.match(replayWords(state, 11, Date.parse('2026-12-01')), /^Replay of a\.mcap, .*:10:11$/);
  assert.equal(replayWords({ ...state, startMs: null }, 11, 0), 'Replay of a.mcap');
});

test('what is replayed cannot be driven, and nobody is made to believe it', () => {
  const streams = [{ name: 'control', direction: 'out', messageType: 'waldo.control.v1.ControlState' }];
  const live = { name: 'motors', state: 'ready', reason: '', gone: false, attributes: {}, streams };
  const device = { ...live, attributes: { replay: 'a.mcap' } };
  assert.deepEqual([isActuator(live), isActuator(device), replayedFrom(live), replayedFrom(null)], [true, false, '', '']);
  assert.equal(replayedWords('motors', replayedFrom(device)), 'motors is replayed from a.mcap: it cannot be driven');
  assert.equal(replayedWords('motors', replayedFrom(device), 'nothing can be sent to it'), 'motors is replayed from a.mcap: nothing can be sent to it');
  const facts = { name: 'motors', link: 'live', device, state: null, known: false, ageMs: Infinity, holder: 'me', refusal: '' };
  assert.deepEqual(motorsStatus(facts), { state: 'stopped', text: 'motors: replayed, it cannot be driven' });
  const status = driveStatus({ ...facts, drive: { state: 'off', why: '', reason: '' }, other: '', atRest: true, nowMs: 0 });
  assert.equal(status.text, 'A replay: it cannot be driven');
});

test('the address follows the place, unless somebody has left in the meantime', () => {
  const location = { hash: '#name=a.mcap' };
  const put = [];
  const address = new Address(location, { replaceState: (_state, _title, to) => put.push(to) });
  const note = (place) => address.note({ recorder: '', name: 'a.mcap', place });
  note(1);
  note(2);
  address.put();
  address.put();
  assert.deepEqual(put.splice(0), ['#name=a.mcap&t=2'], 'the last one, once');
  note(3);
  address.leave();
  address.put(); // the page has not heard of it yet
  assert.deepEqual(put, [], 'the list stays the list');
  location.hash = '#name=b.mcap';
  note(4);
  address.put();
  assert.deepEqual(put, [], 'another recording stays');
  assert.equal(address.spot.name, 'b.mcap');
});

test('a timeline shows a part, and never more than the recording', () => {
  const whole = { from: 0, to: 100 };
  const near = zoomed(whole, 4, 80, 100);
  assert.deepEqual(near, { from: 60, to: 85 }, 'the place stays where it was');
  assert.deepEqual(zoomed(near, 0.25, 80, 100), whole);
  assert.deepEqual(zoomed(near, Number.MIN_VALUE, 80, 100), whole, 'all of it');
  assert.deepEqual(zoomed(near, 0.5, 62, 100), { from: 50, to: 100 }, 'it ends with the recording');
  assert.deepEqual(zoomed(near, 1000, 70, 100), { from: 69.6, to: 70.6 }, 'no closer than a second');
  assert.deepEqual(zoomed({ from: 0, to: 0.4 }, 2, 0.2, 0.4), { from: 0, to: 0.4 }, 'a recording of less');
  assert.deepEqual(zoomed({ from: 0, to: 0 }, 2, 0, 0), { from: 0, to: 0 });
  assert.deepEqual(panned(near, -70, 100), { from: 0, to: 25 });
  assert.deepEqual(panned(near, 70, 100), { from: 75, to: 100 });
});

test('the part that is shown follows what plays, and no one who looks elsewhere', () => {
  const span = { from: 20, to: 40 };
  assert.equal(followed(span, 30, 30.1, 100), span, 'in sight');
  assert.deepEqual(followed(span, 40, 40.1, 100), { from: 38.1, to: 58.1 }, 'it plays on');
  assert.deepEqual(followed(span, 30, 90, 100), { from: 80, to: 100 }, 'somebody has gone there');
  assert.equal(followed(span, 60, 60.1, 100), span, 'it plays elsewhere');
  assert.equal(followed(span, 60, 60, 100), span, 'it rests elsewhere');
});

test('of a part only its events are on the lanes', () => {
  const at = (startS, endS = null) => ({ startS, endS, kind: 'drive', device: 'base', text: '', count: 1 });
  const [lane] = layOut({ streams: [], events: [at(1), at(5, 25), at(30), at(60)], span: { from: 20, to: 40 }, least: 0.01 });
  assert.deepEqual(lane.items.map(({ at, to }) => [at, to]), [[0, 0.25], [0.5, 0.5]]);
  assert.equal(layOut({ streams: [], events: [at(1)], span: { from: 20, to: 40 }, least: 0.01 })[0].items.length, 0, 'the lane stays');
});
