import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bitrate, firstSentence, milliseconds, since, size, statsRows, uptime } from '../page/format.js';

const cases = [
  [since, [0], '0.0 s'], [since, [1234], '1.2 s'], [since, [-5], '0.0 s'], [since, [45_000], '45 s'],
  [since, [180_000], '3 min'], [since, [7_200_000], '2 h'],
  [uptime, [12_999], '12 s'], [uptime, [184_000], '3 m 04 s'], [uptime, [7_500_000], '2 h 05 m'],
  [uptime, [356_400_000], '4 d 03 h'], [uptime, [-1], '0 s'],
  [bitrate, [null], '–'], [bitrate, [350_400], '350 kbit/s'], [bitrate, [2_040_000], '2.0 Mbit/s'],
  [milliseconds, [null], '–'], [milliseconds, [1.26], '1.3 ms'], [milliseconds, [17.4], '17 ms'],
  [firstSentence, [''], ''], [firstSentence, ['No frames arrive'], 'No frames arrive'],
  [firstSentence, ['It is away. Plug it in.'], 'It is away'],
  [firstSentence, ['/dev/video0: busy; close the other program'], '/dev/video0: busy'],
  [firstSentence, ['bad.mp4: v1.2\nand more'], 'bad.mp4: v1.2'],
  [firstSentence, ['x'.repeat(141)], `${'x'.repeat(139)}…`], [firstSentence, ['😀'.repeat(140)], '😀'.repeat(140)],
  [size, [640, 480], '640×480'], [size, [null, 480], '–'],
];
for (const [format, given, want] of cases) {
  test(`${format.name}(${given}) is ${want}`, () => assert.equal(format(...given), want));
}

test('statistics that are not known are dashes', () => {
  const nothing = new Proxy({}, { get: (_, name) => (name === 'codec' ? '' : null) });
  assert.ok(statsRows(nothing).every(([, value]) => value === '–'));
});

test('statistics say how the gateway sends the video', () => {
  const known = {
    rttMs: null, pathRttMs: 41, availableBps: 1_200_000, queueMs: 12, stream: 'video-small', minPlayoutMs: 60,
    maxPlayoutMs: 1000, repairedPercent: 1.25,
  };
  const stats = new Proxy(known, { get: (target, name) => target[name] ?? (name === 'codec' ? '' : null) });
  const said = Object.fromEntries(statsRows(stats).map(([name, value]) => [name, value]));
  assert.deepEqual([said.rtt, said.path, said.queue, said.stream, said.playout, said.resent],
    ['41 ms', '1.2 Mbit/s', '12 ms', 'video-small', '60–1000 ms', '1.3 %']);
  Object.assign(known, { rttMs: 3, minPlayoutMs: 0, maxPlayoutMs: 0 });
  const again = Object.fromEntries(statsRows(stats).map(([name, value]) => [name, value]));
  assert.deepEqual([again.rtt, again.playout], ['3.0 ms', '0 ms']);
});

test('statistics say what the device makes of the pictures, and what it costs', () => {
  const nothing = new Proxy({}, { get: (_, name) => (name === 'codec' ? '' : null) });
  const rows = statsRows(nothing, 'encoded again from H.265: 12 % of a core');
  assert.deepEqual(rows.find(([name]) => name === 'source').slice(0, 2), [
    'source', 'encoded again from H.265: 12 % of a core',
  ]);
  assert.ok(!rows.some(([name]) => name === 'change'));
  assert.deepEqual(statsRows(nothing, '', 'changes all pictures').at(-1).slice(0, 2), [
    'change', 'changes all pictures',
  ]);
});
