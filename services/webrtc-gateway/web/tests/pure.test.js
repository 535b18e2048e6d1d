import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { captureTime, frameAge } from '../media/frameage.js';
import { Clock } from '../link/clock.js';
import { Freshness } from '../media/freshness.js';
import { Repair } from '../link/repair.js';
import { explain } from '../media/liveness.js';
import { median } from '../base/median.js';
import { videoStats } from '../media/videostats.js';

describe('clock', () => {
  test('knows nothing at first', () => {
    const c = new Clock();
    assert.deepEqual([c.offsetMs, c.rttMs, c.errorMs], [null, null, null]);
  });

  test('believes the shortest round trip', () => {
    const c = new Clock();
    c.sample(1000, 1100, 6090); // a slow way there, a fast one back: offset looks like 5040
    c.sample(2000, 2002, 7001); // 5000
    c.sample(3000, 3050, 8005); // 4980
    assert.equal(c.offsetMs, 5000);
    assert.equal(c.errorMs, 2);
    assert.equal(c.rttMs, 50);
  });

  test('forgets after half a minute', () => {
    const c = new Clock();
    c.sample(0, 1, 100.5);
    c.sample(40_000, 40_010, 40_205);
    assert.equal(c.offsetMs, 200);
  });

  test('ignores what cannot be', () => {
    const c = new Clock();
    c.sample(10, 5, 100);
    c.sample(10, 15, NaN);
    assert.equal(c.offsetMs, null);
  });
});

/** Frames at a rate, from a time, for a time; returns the time of the last. */
function run(f, from, fps, ms) {
  let last = from;
  for (let t = from; t <= from + ms; t += 1000 / fps) f.frame((last = t));
  return last;
}

describe('freshness', () => {
  test('waits until the first frame', () => {
    const f = new Freshness();
    assert.equal(f.judge(1e6), 'waiting');
    assert.equal(f.sinceMs(1e6), null);
  });

  for (const [fps, limit] of [[60, 200], [30, 200], [15, 200], [5, 500], [1, 2500]]) {
    test(`${fps} fps: stale after ${limit} ms`, () => {
      const f = new Freshness();
      const last = run(f, 0, fps, 10_000);
      assert.equal(f.judge(last + limit - 1), 'live');
      assert.equal(f.judge(last + limit + 1), 'stale');
      f.frame(last + 5000);
      assert.equal(f.judge(last + 5001), 'live');
    });
  }

  test('a crash does not teach patience', () => {
    const f = new Freshness();
    let at = 0;
    for (let i = 0; i < 5; i += 1) at = run(f, at + 800, 30, 300);
    assert.equal(f.thresholdMs, 200);
  });

  test('a lasting change of rate is learned', () => {
    const f = new Freshness();
    const at = run(f, 0, 30, 1000);
    run(f, at, 2, 5000);
    assert.equal(f.thresholdMs, 1250);
  });

  test('frames missed by a busy page do not count as slowness', () => {
    const f = new Freshness();
    for (let i = 0; i < 20; i += 1) f.frame(i * 200, 6);
    assert.ok(Math.abs(f.intervalMs - 33.3) < 0.1);
  });

  test('frames seen elsewhere refresh without teaching', () => {
    const f = new Freshness();
    const last = run(f, 0, 30, 1000);
    for (let i = 1; i < 20; i += 1) f.touch(last + i * 1000);
    assert.equal(f.judge(last + 19_100), 'live');
    assert.equal(f.thresholdMs, 200);
    f.touch(0); // old news
    assert.equal(f.judge(last + 19_100), 'live');
  });
});

describe('picture', () => {
  const device = { gone: false, state: 'ready', reason: '' };
  const good = { freshness: 'stale', link: 'live', media: 'ok', device, refused: '', settling: false, paused: false };
  const cases = [
    ['frames prove life, whatever is said', { freshness: 'live', link: 'gateway-lost', device: null }, 'live', 'ok'],
    ['frames nobody can see', { freshness: 'live', paused: true }, 'stale', 'paused'],
    ['closed', { freshness: 'live', link: 'closed' }, 'stale', 'closed'],
    ['first connection', { freshness: 'waiting', link: 'connecting', device: null }, 'waiting', 'connecting'],
    ['a dead gateway hides a camera that is away', { link: 'gateway-lost', device: { ...device, state: 'away' } }, 'stale', 'gateway-lost'],
    ['not listed', { device: null }, 'stale', 'device-unknown'],
    ['process dead', { device: { ...device, gone: true, state: 'ready' } }, 'stale', 'device-gone'],
    ['a new gateway has not heard of all', { settling: true, device: { ...device, gone: true } }, 'stale', 'connecting'],
    ['but knows why one is away', { settling: true, device: { ...device, state: 'away', reason: 'x' } }, 'stale', 'device-away'],
    ['hardware away', { device: { ...device, state: 'away', reason: 'unplugged' } }, 'stale', 'device-away'],
    ['starting', { freshness: 'waiting', device: { ...device, state: 'starting' } }, 'waiting', 'device-starting'],
    ['stopping', { device: { ...device, state: 'stopping' } }, 'stale', 'device-stopping'],
    ['refused', { freshness: 'waiting', refused: 'no common codec' }, 'waiting', 'refused'],
    ['no path', { media: 'broken' }, 'stale', 'media-path'],
    ['connecting video', { freshness: 'waiting', media: 'connecting' }, 'waiting', 'connecting'],
    ['autoplay refused', { freshness: 'waiting', paused: true }, 'waiting', 'paused'],
    ['just no frames', {}, 'stale', 'no-frames'],
  ];
  for (const [name, facts, state, reason] of cases) {
    test(name, () => {
      const got = explain({ ...good, ...facts });
      assert.equal(got.state, state);
      assert.equal(got.reason, reason);
      assert.equal(got.text === '', state === 'live');
    });
  }
  test('the device says why it is away', () => {
    assert.equal(explain({ ...good, device: { ...device, state: 'away', reason: 'unplugged' } }).text, 'unplugged');
  });
});

describe('media path', () => {
  test('a connection that comes about is left alone', () => {
    const p = new Repair();
    assert.equal(p.step('idle', 0), 'none');
    assert.equal(p.step('new', 1e6), 'none');
    assert.equal(p.step('connecting', 1e6 + 500), 'none');
    assert.equal(p.step('connected', 1e6 + 600), 'none');
    assert.equal(p.broken, false);
  });

  test('a lost path is restarted at once, once, then the connection is made anew', () => {
    const p = new Repair();
    p.step('connected', 0);
    assert.equal(p.step('disconnected', 100), 'restart');
    assert.equal(p.broken, true);
    assert.equal(p.step('failed', 1000), 'none');
    assert.equal(p.step('connecting', 4099), 'none');
    assert.equal(p.step('connecting', 4100), 'rebuild');
    assert.equal(p.broken, true);
    p.step('connected', 5000);
    assert.equal(p.broken, false);
  });

  test('patience grows, and not for ever', () => {
    const p = new Repair();
    const at = [];
    for (let t = 0; t < 400_000; t += 250) if (p.step('connecting', t) === 'rebuild') at.push(t);
    const gaps = at.map((t, i) => t - (at[i - 1] ?? 0));
    assert.ok(gaps[0] < 10_000, `first after ${gaps[0]}`);
    assert.ok(gaps.every((g) => g <= 61_000), String(gaps));
    assert.ok(gaps.at(-1) >= 60_000, String(gaps));
  });
});

describe('age', () => {
  const ntp = 2_208_988_800_000;
  const clock = { originMs: 1_700_000_000_000, offsetMs: 40 };
  // The frame of the last packet was captured at page time 1000, which is gateway time origin + 1000 + 40.
  const source = { rtpTimestamp: 90_000, captureTimestamp: ntp + clock.originMs + 1040 };

  test('of the frame of the last packet', () => {
    assert.equal(frameAge({ expectedDisplayTime: 1020, rtpTimestamp: 90_000 }, source, clock), 20);
  });
  test('is not negative, however the clocks err', () => {
    assert.equal(frameAge({ expectedDisplayTime: 999.3, rtpTimestamp: 90_000 }, source, clock), 0);
    assert.equal(frameAge({ expectedDisplayTime: 940, rtpTimestamp: 90_000 }, source, clock), null, 'that is no error of a clock');
  });
  test('of one before it', () => {
    assert.equal(frameAge({ expectedDisplayTime: 1020, rtpTimestamp: 90_000 - 2970 }, source, clock), 53);
  });
  test('over the wrap of the RTP timestamp', () => {
    const wrapped = { ...source, rtpTimestamp: 900 };
    assert.equal(frameAge({ expectedDisplayTime: 1020, rtpTimestamp: 2 ** 32 - 1800 }, wrapped, clock), 50);
  });
  test('falls back on the browser', () => {
    assert.equal(frameAge({ expectedDisplayTime: 1020, captureTime: 990 }, undefined, clock), 30);
    assert.equal(frameAge({ expectedDisplayTime: 1020, captureTime: 990, rtpTimestamp: 1 }, source, { ...clock, offsetMs: null }), 30);
  });
  test('is null when nobody knows, or it cannot be', () => {
    assert.equal(frameAge({ expectedDisplayTime: 1020 }, undefined, clock), null);
    assert.equal(frameAge({ expectedDisplayTime: 1020, captureTime: 9990 }, undefined, clock), null);
    assert.equal(captureTime({ rtpTimestamp: 3 }, { rtpTimestamp: 3 }), null);
  });
});

describe('stats', () => {
  const inbound = {
    type: 'inbound-rtp', kind: 'video', trackIdentifier: 't1', codecId: 'c', frameWidth: 640, frameHeight: 480,
    bytesReceived: 1000, headerBytesReceived: 200, packetsReceived: 10, packetsLost: 1, framesDecoded: 30, framesDropped: 2,
    freezeCount: 1, totalDecodeTime: 0.06, keyFramesDecoded: 1, jitterBufferDelay: 0.3, jitterBufferEmittedCount: 30,
  };
  const report = [
    { ...inbound, trackIdentifier: 'other' },
    inbound,
    { type: 'codec', id: 'c', mimeType: 'video/H264' },
    { type: 'transport', selectedCandidatePairId: 'p' },
    { type: 'candidate-pair', id: 'q', currentRoundTripTime: 9 },
    { type: 'candidate-pair', id: 'p', currentRoundTripTime: 0.004 },
  ];
  const page = { shown: 30, ageMs: 12 };

  test('the first look has no rates', () => {
    const { stats } = videoStats(report, 't1', 1000, page, null);
    assert.equal(stats.fps, null);
    assert.equal(stats.bitrateBps, null);
    assert.equal(stats.codec, 'H264');
    assert.equal(stats.rttMs, 4);
    assert.equal(stats.decodeMs, 2);
    assert.equal(stats.bufferMs, 10);
    assert.deepEqual([stats.widthPx, stats.heightPx, stats.framesDropped, stats.freezeCount], [640, 480, 2, 1]);
  });

  test('the second has', () => {
    const { sample } = videoStats(report, 't1', 1000, page, null);
    const next = [{ ...inbound, bytesReceived: 126_000, packetsReceived: 109, packetsLost: 2, framesDecoded: 60 }];
    const { stats } = videoStats(next, 't1', 2000, { shown: 59, ageMs: 12 }, sample);
    assert.equal(stats.fps, 29);
    assert.equal(stats.bitrateBps, 1_000_000);
    assert.equal(stats.lossPercent, 1);
    assert.equal(stats.codec, '');
  });

  test('the round trip of a path on which nothing arrives is not known', () => {
    const rtt = (agoMs) => {
      const pair = { ...report.at(-1), timestamp: 9000, lastPacketReceivedTimestamp: 9000 - agoMs };
      return videoStats([inbound, report[3], pair], 't1', 1000, page, null).stats.rttMs;
    };
    assert.deepEqual([rtt(1500), rtt(1501)], [4, null]);
  });

  test('counters of another connection are no rates', () => {
    const { sample } = videoStats(report, 't1', 1000, page, null);
    const { stats } = videoStats([{ ...inbound, bytesReceived: 3 }], 't1', 2000, page, sample);
    assert.equal(stats.bitrateBps, null);
  });

  test('before the first packet nearly nothing is known', () => {
    const { stats, sample } = videoStats([], 't1', 1000, { shown: null, ageMs: null }, null);
    assert.equal(sample, null);
    assert.equal(stats.widthPx, null);
  });

  test('median', () => {
    assert.equal(median([]), null);
    assert.equal(median([3]), 3);
    assert.equal(median([9, 1, 5]), 5);
  });
});
