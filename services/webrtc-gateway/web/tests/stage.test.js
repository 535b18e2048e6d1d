import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Stage } from '../playback/stage.js';
import { Track } from '../playback/track.js';
import { settle } from './fakes.js';

/** A media element with a source, as far as Track needs them. Pieces are JSON: what they cover. */
class FakeElement {
  paused = true;
  seeking = false;
  currentTime = 0;
  playbackRate = 1;
  ranges = [];
  muted = false;

  get buffered() {
    const { ranges } = this;
    return { length: ranges.length, start: (i) => ranges[i][0], end: (i) => ranges[i][1] };
  }

  play() {
    this.paused = false;
    return Promise.resolve();
  }

  pause() {
    this.paused = true;
  }

  load() {}
  removeAttribute() {}

  add(start, end) {
    this.ranges.push([start, end]);
    this.ranges.sort((a, b) => a[0] - b[0]);
    this.ranges = this.ranges.reduce((all, r) => {
      const last = all.at(-1);
      if (last && r[0] <= last[1]) last[1] = Math.max(last[1], r[1]);
      else all.push([...r]);
      return all;
    }, []);
  }

  cut(start, end) {
    this.ranges = this.ranges.flatMap(([a, b]) => [[a, Math.min(b, start)], [Math.max(a, end), b]]).filter(([a, b]) => b > a);
  }
}

class FakeSource extends EventTarget {
  readyState = 'open';
  full = Infinity;
  types = [];

  constructor(element) {
    super();
    this.element = element;
  }

  addSourceBuffer(type) {
    if (type.includes('nonsense')) throw new DOMException('no', 'NotSupportedError');
    this.types.push(type);
    const buffer = new EventTarget();
    const source = this;
    let size = 0;
    this.buffer = Object.assign(buffer, {
      updating: false,
      appendBuffer(data) {
        const { start, end, bytes, broken } = JSON.parse(new TextDecoder().decode(data));
        if (size + bytes > source.full) throw new DOMException('full', 'QuotaExceededError');
        size += bytes;
        queueMicrotask(() => {
          if (!broken) source.element.add(start, end);
          buffer.dispatchEvent(new Event(broken ? 'error' : 'updateend'));
        });
      },
      remove(start, end) {
        source.element.cut(start, end);
        size = 0;
        for (const [a, b] of source.element.ranges) size += (b - a) * 1000;
      },
      changeType: (type) => source.types.push(type),
    });
    return buffer;
  }

  endOfStream() {
    this.readyState = 'ended';
  }
}

/** A stream in pieces of a second from `from` to `to`, with nothing in the holes. */
function rig({ from = 0, to = 100, duration = 100, hole = [], codec = 'avc1.1', change = Infinity, kind = 'video', growing = false, group = 0, lost = -1 } = {}) {
  const element = new FakeElement();
  const media = new FakeSource(element);
  const r = { element, elements: [element], media, asked: [], now: 0, failing: null, held: null, broken: false };
  const ends = new Set();
  const source = async (place, initialization) => {
    r.asked.push([place, initialization]);
    if (r.held) await r.held;
    if (r.failing) throw r.failing;
    // In groups of more than a piece, only where a piece ends can be gone on from; otherwise the first of the group comes.
    let start = Math.max(from, group > 0 && !ends.has(place) ? Math.floor(place / group) * group : Math.floor(place));
    if (start + 1 !== lost) ends.add(start + 1);
    if (start >= hole[0] && start < hole[1]) start = hole[1];
    if (start >= to) return { offset: place, next: null, codec: '', data: new Uint8Array(), bytes: 0 };
    const text = JSON.stringify({ start, end: Math.min(start + 1, to), bytes: 1000, broken: r.broken });
    const next = start + 1 >= hole[0] && start + 1 < hole[1] ? hole[1] : start + 1;
    return { offset: start, next: next >= to ? null : next, codec: start >= change ? 'avc1.2' : codec, data: new TextEncoder().encode(text), bytes: 1000 };
  };
  r.track = new Track(element, source, { kind, codec, duration, growing }, { newSource: () => media, url: () => 'blob:x', forget() {}, now: () => r.now });
  media.dispatchEvent(new Event('sourceopen'));
  r.stage = new Stage(duration, () => r.now, growing);
  r.stage.add(r.track);
  r.grow = (until, on = true) => {
    to = until;
    r.stage.grow(until, on);
  };
  /** Lets time pass; the element plays as a browser's does. */
  r.run = async (seconds) => {
    for (const end = r.now + seconds * 1000; r.now < end;) {
      r.now += 50;
      for (const e of r.elements.filter(({ paused }) => !paused)) {
        const at = e.ranges.find(([a, b]) => a <= e.currentTime && e.currentTime < b);
        if (at) e.currentTime = Math.min(at[1], e.currentTime + 0.05 * e.playbackRate);
      }
      r.stage.tick();
      await settle();
    }
  };
  return r;
}

test('it plays in step with the clock, and what it holds is bounded', async () => {
  const r = rig({ duration: 600, to: 600 });
  r.stage.play();
  let most = 0;
  for (let i = 0; i < 300; i += 1) {
    await r.run(1);
    most = Math.max(most, r.element.ranges.reduce((sum, [a, b]) => sum + b - a, 0));
  }
  assert.ok(r.stage.place > 298 && r.stage.place <= 300, String(r.stage.place));
  assert.ok(Math.abs(r.element.currentTime - r.stage.place) < 0.06, 'in step');
  assert.ok(most < 45, `${most} s were held`);
  assert.equal(r.asked.filter(([, init]) => init).length, 1, 'pieces that follow need no initialization');
  assert.deepEqual([...new Set(r.asked.map(([p]) => p))].length, r.asked.length, 'nothing was fetched twice');
});

test('a slow network makes it wait, not stutter, and it goes on where it was', async () => {
  const r = rig();
  r.stage.play();
  await r.run(2);
  let go;
  r.held = new Promise((done) => (go = done));
  await r.run(40);
  assert.ok(r.stage.waiting && r.stage.playing && r.element.paused);
  const { place } = r.stage;
  assert.ok(place > 10 && place < 20, String(place));
  r.held = null;
  go();
  await r.run(0.2);
  assert.ok(Math.abs(r.stage.place - place) < 0.5);
  await r.run(3);
  assert.ok(!r.stage.waiting && r.stage.place > place + 2);
});

test('one goes anywhere, and what was on its way is dropped', async () => {
  const r = rig();
  r.stage.seek(50.25);
  await r.run(0.5);
  assert.deepEqual(r.asked[0], [50.25, true]);
  assert.equal(r.element.currentTime, 50.25, 'the picture of the place');
  let go;
  r.held = new Promise((done) => (go = done));
  r.stage.seek(80);
  await r.run(0.1);
  r.held = null;
  r.stage.seek(20);
  await r.run(0.2);
  go();
  await r.run(0.5);
  assert.equal(r.element.currentTime, 20);
  r.stage.seek(-5);
  assert.equal(r.stage.place, 0);
  r.stage.seek(1e9);
  assert.equal(r.stage.place, 100);
  r.stage.play();
  assert.equal(r.stage.place, 0, 'after the end it begins again');
});

test('where nothing was recorded the others go on', async () => {
  const r = rig({ from: 5, hole: [10, 20], to: 40 });
  r.stage.play();
  await r.run(2);
  assert.equal(r.track.stateAt(r.stage.place), 'empty');
  assert.ok(r.element.paused && r.stage.place > 1.5, 'the clock does not wait for it');
  await r.run(5);
  assert.equal(r.track.stateAt(r.stage.place), 'ready');
  assert.ok(!r.element.paused && Math.abs(r.element.currentTime - r.stage.place) < 0.1);
  r.stage.seek(15);
  await r.run(1);
  assert.equal(r.track.stateAt(15), 'empty');
  r.stage.seek(70);
  await r.run(1);
  assert.equal(r.track.stateAt(r.stage.place), 'empty', 'after its end');
  assert.ok(!r.stage.waiting);
});

test('the clock follows the sound, and the sound is not bent', async () => {
  const [r, sound] = [rig(), rig({ kind: 'audio' })];
  r.stage.add(sound.track, true);
  r.elements.push(sound.element);
  r.stage.play();
  await r.run(1);
  sound.element.currentTime -= 0.07; // its card was slow to start
  const rates = new Set();
  for (let i = 0; i < 40; i += 1) {
    await r.run(0.05);
    rates.add(sound.element.playbackRate);
  }
  assert.deepEqual([...rates], [1]);
  assert.ok(Math.abs(sound.element.currentTime - r.stage.place) < 0.06, `${sound.element.currentTime} ${r.stage.place}`);
  assert.ok(Math.abs(r.element.currentTime - r.stage.place) < 0.06, 'the picture follows');
});

test('it stops at the end', async () => {
  const r = rig({ duration: 10, to: 10 });
  r.stage.speed = 10;
  r.stage.play();
  await r.run(3);
  assert.deepEqual([r.stage.playing, r.stage.place, r.element.paused, r.media.readyState], [false, 10, true, 'ended']);
});

test('a browser that has no room gets less', async () => {
  const r = rig();
  r.media.full = 8000;
  r.stage.play();
  await r.run(60);
  assert.ok(r.stage.place > 55, String(r.stage.place));
  assert.equal(r.track.problem, '');
});

test('what the browser has let go of is fetched again', async () => {
  const r = rig();
  r.stage.seek(5.5);
  await r.run(1);
  r.element.cut(4, 8);
  await r.run(1);
  assert.equal(r.track.stateAt(5.5), 'ready');
  assert.equal(r.asked.filter(([p]) => Math.floor(p) === 5).length, 2);
});

test('a recorder that is away is asked again; what cannot be had is told', async () => {
  const r = rig();
  r.failing = Object.assign(new Error('recorder is away'), { final: false });
  r.stage.play();
  await r.run(3);
  assert.equal(r.track.problem, 'recorder is away');
  assert.ok(r.asked.length >= 3 && r.asked.length <= 4, `asked ${r.asked.length} times`);
  r.failing = null;
  await r.run(3);
  assert.equal(r.track.problem, '');
  assert.ok(r.stage.place > 1);
  const gone = rig();
  gone.failing = Object.assign(new Error('there is no such stream'), { final: true });
  gone.stage.play();
  await gone.run(3);
  assert.equal(gone.track.stateAt(0), 'failed');
  assert.ok(gone.stage.place > 2, 'the others go on');
  assert.equal(gone.asked.length, 1);
});

test('a stream whose codec changes goes on, and one that cannot be decoded is told', async () => {
  globalThis.MediaSource = { isTypeSupported: () => true };
  const r = rig({ change: 3 });
  r.stage.play();
  await r.run(6);
  assert.deepEqual(r.media.types, ['video/mp4; codecs="avc1.1"', 'video/mp4; codecs="avc1.2"']);
  delete globalThis.MediaSource;
  const broken = rig();
  broken.broken = true;
  broken.stage.play();
  await broken.run(2);
  assert.match(broken.track.problem, /cannot decode/);
  const unknown = rig({ codec: 'nonsense' });
  assert.match(unknown.track.problem, /does not play nonsense/);
});

test('tracks wait for one another', async () => {
  const [r, slow] = [rig(), rig()];
  r.stage.add(slow.track);
  let go;
  slow.held = new Promise((done) => (go = done));
  r.stage.play();
  await r.run(3);
  assert.ok(r.stage.waiting && r.stage.place === 0 && r.element.paused);
  slow.held = null;
  go();
  await r.run(3);
  assert.ok(r.stage.place > 2 && !slow.element.paused);
});

test('a recording that is being made is played on at its end', async () => {
  const r = rig({ duration: 10.5, to: 10.5, growing: true });
  r.stage.seek(5.25);
  await r.run(1);
  r.grow(13.5);
  await r.run(1);
  assert.deepEqual([r.stage.place, r.element.currentTime, r.stage.duration], [5.25, 5.25, 13.5], 'the place stays');
  assert.deepEqual(r.element.ranges, [[5, 13.5]], 'without a hole where it had ended');
  r.stage.play();
  await r.run(12);
  assert.ok(r.stage.playing && r.stage.waiting && r.element.paused, 'it waits for more');
  assert.ok(Math.abs(r.stage.place - 13.5) < 0.1, String(r.stage.place));
  r.grow(16.5);
  await r.run(1);
  assert.ok(r.stage.waiting, 'until there is enough to go on');
  r.grow(19.5);
  await r.run(2);
  assert.ok(!r.stage.waiting && r.stage.place > 15, String(r.stage.place));
  const asked = r.asked.length;
  await r.run(0.5);
  assert.equal(r.asked.length, asked, 'what is not there is not asked for until it has grown');
  r.grow(20, false);
  await r.run(8);
  assert.deepEqual([r.stage.playing, r.stage.place, r.media.readyState], [false, 20, 'ended']);
});

test('at the end of one that is being made, playing does not begin again', async () => {
  const r = rig({ duration: 10, to: 10, growing: true });
  r.stage.seek(10);
  r.stage.play();
  await r.run(1);
  assert.ok(r.stage.waiting && r.stage.place === 10);
  r.grow(10, false);
  await r.run(0.1);
  assert.ok(!r.stage.playing, 'nothing came');
});

test('a picture after a hole is shown at its place, not the one before the hole', async () => {
  const r = rig();
  r.stage.seek(5.5);
  await r.run(1);
  r.element.ranges = [[3, 5.25], [5.45, 9]];
  await r.run(0.1);
  assert.equal(r.element.currentTime, 5.5);
  r.stage.seek(5.4);
  await r.run(0.1);
  assert.equal(r.element.currentTime, 5.249, 'in the hole, the last one');
});

test('in a long group of pictures, those before the place come first', async () => {
  const r = rig({ group: 5 });
  r.stage.seek(13.5);
  await r.run(0.2);
  assert.deepEqual(r.asked.slice(0, 4).map(([p]) => p), [13.5, 11, 12, 13]);
  assert.equal(r.track.stateAt(13.5), 'ready');
  assert.deepEqual(r.element.ranges[0][0], 10, 'without a hole');
  assert.equal(r.element.ranges.length, 1);
  await r.run(3);
  assert.equal(r.asked.length, new Set(r.asked.map(([p]) => p)).size, 'nothing was fetched twice');
});

test('a recorder that does not get to the place is left alone', async () => {
  const r = rig({ group: 5, lost: 12 });
  r.stage.seek(14.5);
  await r.run(2);
  assert.ok(r.asked.length < 30, `asked ${r.asked.length} times`);
  assert.equal(r.track.stateAt(14.5), 'empty');
});

test('a seek that cannot come to an end is given up when the place has left', async () => {
  for (const playing of [false, true]) {
    const r = rig();
    r.stage.seek(50.5);
    if (playing) r.stage.play();
    await r.run(2);
    Object.assign(r.element, { ranges: [[1, 2], ...r.element.ranges], currentTime: 1.999, seeking: true });
    await r.run(0.1);
    assert.ok(Math.abs(r.element.currentTime - r.stage.place) < 0.2, `${r.element.currentTime} of ${r.stage.place}`);
    const { currentTime } = r.element;
    r.element.paused = true;
    r.stage.seek(r.stage.place + 1);
    r.element.paused = true;
    r.stage.tick();
    assert.equal(r.element.currentTime, currentTime, 'one in what is there comes to its end first');
  }
});
