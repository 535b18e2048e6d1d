import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { ShownReport } from '../media/shownreport.js';
import { parse } from '../proto/signaling.js';
import { FakeVideo } from './fakes.js';
import { Rig } from './rig.js';

const inbound = (freezeCount, totalFreezesDuration, trackIdentifier = 't') =>
  [{ type: 'inbound-rtp', kind: 'video', trackIdentifier, freezeCount, totalFreezesDuration }];

describe('a report of what was shown', () => {
  test('has ages within bounds, all pictures, and the freezes since the last', () => {
    const report = new ShownReport();
    assert.equal(report.take('front', [], 't'), null);
    report.frame(12.3456, 1);
    report.frame(null, 3);
    report.frame(-4, 1);
    report.frame(70_000, 1);
    assert.deepEqual(report.take('front', inbound(2, 0.5), 't'),
      { device: 'front', agesMs: [12.35, 0, 60_000], count: 6, freezes: 2, frozenMs: 500 });
    assert.equal(report.take('front', inbound(2, 0.5), 't'), null);
    assert.deepEqual(report.take('front', inbound(3, 1.25), 't'),
      { device: 'front', agesMs: [], count: 0, freezes: 1, frozenMs: 750 });
    for (let i = 0; i < 500; i += 1) report.frame(1, 30);
    const { agesMs, count } = report.take('front', [], 't');
    assert.deepEqual([agesMs.length, count], [120, 10_000]);
  });

  test('counts the freezes of another track from its beginning', () => {
    const report = new ShownReport();
    report.take('front', inbound(5, 3), 't');
    assert.deepEqual(report.take('front', inbound(1, 0.25, 'u'), 'u'),
      { device: 'front', agesMs: [], count: 0, freezes: 1, frozenMs: 250 });
  });
});

describe('a page', () => {
  /** @type {Rig} */ let rig;
  let player;

  beforeEach(async () => {
    rig = new Rig();
    player = new FakeVideo();
    rig.robot.video('front').attach(player);
    await rig.connect();
    rig.env.peer.transceivers[0].receiver.track.dispatchEvent(new Event('unmute'));
  });
  afterEach(() => rig.robot.close());

  const reports = () => rig.env.socket.of('shown');
  const path = (more = {}) => rig.env.socket.say({ path: { roundTripMs: 42.5, ...more } });
  const watch = (ms) => rig.pass(ms, (now) => player.frame(now, { captureTime: now - 30 }));

  test('tells what it shows once a second, to a gateway that sends a path', async () => {
    await watch(2500);
    assert.deepEqual(reports(), [], 'an earlier gateway ends a session after a few messages that it does not know');
    path();
    await watch(3000);
    assert.ok(reports().length >= 2 && reports().length <= 4, String(reports().length));
    const [, { videos: [video] }] = reports();
    assert.equal(video.device, 'front');
    assert.ok(video.count >= 90 && video.count <= 120, String(video.count));
    assert.ok(video.agesMs.length > 80 && video.agesMs.every((ms) => ms === 30), String(video.agesMs));
  });

  test('tells nothing while it shows nothing', async () => {
    path();
    await rig.pass(3000);
    assert.deepEqual(reports(), []);
  });

  test('has the path in the statistics, as long as it is known', async () => {
    const video = {
      mid: '0', device: 'front', stream: 'video-small', bitrateBps: '250000', minPlayoutMs: 60, maxPlayoutMs: 1000,
      repaired: 0.02,
    };
    path({ availableBps: '1200000', queueMs: 7.5, videos: [video] });
    const { front } = await rig.robot.stats();
    const { pathRttMs, availableBps, queueMs, stream, minPlayoutMs, maxPlayoutMs, repairedPercent } = front;
    assert.deepEqual([pathRttMs, availableBps, queueMs, stream, minPlayoutMs, maxPlayoutMs, repairedPercent],
      [42.5, 1_200_000, 7.5, 'video-small', 60, 1000, 2]);
    await rig.pass(4000);
    const later = (await rig.robot.stats()).front;
    assert.deepEqual([later.pathRttMs, later.stream, later.repairedPercent], [null, '', null]);
  });
});

test('a path that is garbage says nothing', () => {
  for (const body of [{}, { videos: 7, roundTripMs: 'x', availableBps: [] }, { videos: [3, null] }]) {
    const read = parse(JSON.stringify({ path: body }));
    assert.deepEqual(read, { kind: 'path', rttMs: null, availableBps: null, queueMs: null, videos: [] });
  }
});
