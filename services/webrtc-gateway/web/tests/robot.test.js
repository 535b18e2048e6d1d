import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { Robot } from '../robot/robot.js';
import { Video } from '../media/video.js';
import { FakeEnv, FakeVideo, settle } from './fakes.js';

/** @type {FakeEnv} */ let env;
/** @type {Robot} */ let robot;
/** @type {string[]} */ let states;

const ready = (name, more = {}) => ({
  device: {
    name, kind: 'camera', epoch: '1', state: 'DEVICE_STATE_READY',
    streams: [{ name: 'video', direction: 'STREAM_DIRECTION_OUT' }], ...more,
  },
});
const welcome = (epoch = '1', more = {}) => ({ welcome: { robot: 'demo', version: 'v1', epoch, ...more } });
const list = (...devices) => ({ devices: { devices } });

/** A gateway that answers pings and offers on whatever socket there is, like the real one. */
function serve({ refuse = () => null } = {}) {
  const served = new Map();
  return () => {
    const s = env.socket;
    for (const m of s.sent.slice(served.get(s) ?? 0)) {
      if (m.ping) s.say({ pong: { id: m.ping.id, gatewayTime: new Date(env.originMs + env.time + 5000).toISOString() } });
      if (m.offer) {
        const why = refuse(m.offer);
        s.say(why ? { error: { id: m.offer.id, code: 'NOT_FOUND', message: why } } : { answer: { id: m.offer.id, sdp: 'ok' } });
      }
    }
    served.set(s, s.sent.length);
  };
}

/** Connects, watches a device, and lets frames flow. */
async function live(name = 'front') {
  const gateway = serve();
  env.socket.open();
  env.socket.say(welcome());
  env.socket.say(list(ready(name)));
  const video = robot.video(name);
  const element = new FakeVideo();
  video.attach(element);
  await env.pass(50, gateway);
  env.peer.connectionState = 'connected';
  await frames(element, 300, gateway);
  return { video, element, gateway };
}

/** Time passes while the element shows 30 frames a second. */
async function frames(element, ms, gateway) {
  await env.pass(ms, (now) => {
    gateway();
    if (now % 30 === 0) element.frame(now);
  });
}

beforeEach(() => {
  env = new FakeEnv();
  states = [];
  robot = new Robot(new URL('http://robot:8080/'), env);
  robot.addEventListener('state', (e) => states.push(e.detail.state));
});
afterEach(() => robot.close());

describe('connecting', () => {
  test('the socket opens at once, on the right address', () => {
    assert.equal(env.socket.url, 'ws://robot:8080/signal');
    assert.equal(robot.state, 'connecting');
  });

  test('a path and TLS are kept', () => {
    const r = new Robot(new URL('https://example.org/robots/7/'), env);
    assert.equal(env.socket.url, 'wss://example.org/robots/7/signal');
    r.close();
  });

  test('a wish for the playout delay is passed on, nothing else of the address is', () => {
    const r = new Robot(new URL('https://example.org/robots/7/?playout=100-1000&a=b'), env);
    assert.equal(env.socket.url, 'wss://example.org/robots/7/signal?playout=100-1000');
    r.close();
  });

  test('the offer leaves with the welcome, for all devices in one', async () => {
    robot.video('front');
    robot.video('rear');
    env.socket.open();
    assert.deepEqual(env.socket.of('offer'), []);
    env.socket.say(welcome('1', { iceServers: [{ urls: ['stun:x'] }] }));
    await settle();
    const [offer] = env.socket.of('offer');
    assert.deepEqual(offer.tracks, [{ mid: '0', device: 'front' }, { mid: '1', device: 'rear' }]);
    assert.deepEqual(env.peer.configuration.iceServers, [{ urls: ['stun:x'] }]);
    assert.ok(env.peer.transceivers.every((t) => t.direction === 'recvonly' && t.receiver.jitterBufferTarget === 0));
    assert.equal(env.peers.length, 1);
  });

  test('our candidates wait for the answer, the gateway’s for ours', async () => {
    robot.video('front');
    env.socket.open();
    env.socket.say(welcome());
    await settle();
    env.peer.onicecandidate({ candidate: { candidate: 'mine', sdpMid: '0', sdpMLineIndex: 0 } });
    env.peer.onicecandidate({ candidate: null });
    env.socket.say({ candidate: { candidate: 'theirs', sdpMid: '0' } });
    assert.deepEqual(env.socket.of('candidate'), []);
    assert.deepEqual(env.peer.candidates, []);
    env.socket.say({ answer: { id: 1, sdp: 'ok' } });
    await settle();
    assert.deepEqual(env.socket.of('candidate'), [{ candidate: 'mine', sdpMid: '0', sdpMlineIndex: 0 }]);
    assert.deepEqual(env.peer.candidates, [{ candidate: 'theirs', sdpMid: '0' }]);
  });

  test('nothing is offered while nothing is wanted', async () => {
    env.socket.open();
    env.socket.say(welcome());
    await env.pass(3000, serve());
    assert.deepEqual(env.socket.of('offer'), []);
    assert.equal(robot.state, 'live');
  });

  test('garbage changes nothing', async () => {
    env.socket.open();
    env.socket.say(welcome());
    for (const text of ['', '{', 'null', '{"answer":{"id":9,"sdp":"x"}}', '{"error":{"id":4}}', '{"candidate":{}}', '{"z":{}}']) {
      env.socket.say(text);
    }
    await settle();
    assert.equal(robot.state, 'live');
  });
});

describe('sections', () => {
  test('one more device is one more section on the same connection; one that was freed is used again', async () => {
    const { gateway } = await live('front');
    robot.video('rear');
    await env.pass(50, gateway);
    assert.deepEqual(env.socket.of('offer').at(-1).tracks.map((t) => t.device), ['front', 'rear']);
    robot.video('rear').close();
    await env.pass(50, gateway);
    assert.deepEqual(env.socket.of('offer').at(-1).tracks, [{ mid: '0', device: 'front' }]);
    assert.equal(env.peer.transceivers[1].direction, 'inactive');
    robot.video('arm');
    await env.pass(50, gateway);
    assert.deepEqual(env.socket.of('offer').at(-1).tracks, [{ mid: '0', device: 'front' }, { mid: '1', device: 'arm' }]);
    assert.equal(env.peer.transceivers.length, 2);
    assert.equal(env.peers.length, 1);
  });

  test('a section does not change hands within one offer', async () => {
    const { gateway, video } = await live('front');
    video.close();
    robot.video('rear');
    await env.pass(50, gateway);
    const tracks = env.socket.of('offer').map((o) => o.tracks);
    assert.deepEqual(tracks, [[{ mid: '0', device: 'front' }], [{ mid: '1', device: 'rear' }]]);
  });

  test('a device that cannot be had does not keep the others away, and is asked for again when it changes', async () => {
    let missing = 'rear';
    const gateway = serve({ refuse: (o) => (o.tracks.some((t) => t.device === missing) ? `no device ${missing}` : null) });
    robot.video('front');
    robot.video('rear');
    env.socket.open();
    env.socket.say(welcome());
    env.socket.say(list(ready('front')));
    await env.pass(3000, gateway);
    assert.deepEqual(env.peer.transceivers.filter((t) => t.currentDirection === 'recvonly').length, 1);
    assert.equal(robot.video('rear').picture.reason, 'device-unknown');
    missing = '';
    env.socket.say(list(ready('front'), ready('rear')));
    await env.pass(200, gateway);
    assert.deepEqual(env.socket.of('offer').at(-1).tracks.map((t) => t.device).sort(), ['front', 'rear']);
    assert.equal(env.peers.length, 1);
  });

  test('a refusal has its reason, and is tried again in time', async () => {
    let full = true;
    const gateway = serve({ refuse: () => (full ? 'too many viewers' : null) });
    robot.video('front');
    env.socket.open();
    env.socket.say(welcome());
    env.socket.say(list(ready('front')));
    await env.pass(3000, gateway);
    assert.deepEqual([robot.video('front').picture.reason, robot.video('front').picture.text], ['refused', 'too many viewers']);
    await env.pass(20_000, gateway);
    assert.deepEqual([env.peers.length, env.peer.restarts], [1, 0], 'no repair of what never was');
    full = false;
    await env.pass(6000, gateway);
    assert.equal(env.peer.transceivers.at(-1).currentDirection, 'recvonly');
    assert.notEqual(robot.video('front').picture.reason, 'refused');
  });

  test('an answer that cannot be used makes a new session', async () => {
    robot.video('front');
    env.socket.open();
    env.socket.say(welcome());
    await settle();
    env.socket.say({ answer: { id: 1, sdp: 'bad' } });
    await settle();
    assert.equal(env.sockets.length, 2);
    assert.equal(env.peers.length, 2);
  });
});

describe('a dead camera', () => {
  test('is marked within 300 ms, and nothing on the connection changes', async () => {
    const { video, element, gateway } = await live();
    assert.equal(video.picture.state, 'live');
    const seen = [];
    video.addEventListener('picture', (e) => seen.push([env.time, e.detail.state, e.detail.reason]));
    const [sockets, peers, offers] = [env.sockets.length, env.peers.length, env.socket.of('offer').length];
    const last = env.time;
    await env.pass(5000, gateway);
    assert.equal(seen.length, 1);
    assert.deepEqual(seen[0].slice(1), ['stale', 'no-frames']);
    assert.ok(seen[0][0] - last <= 300, `marked after ${seen[0][0] - last} ms`);
    env.socket.say(list({ ...ready('front'), gone: true }));
    assert.equal(video.picture.reason, 'device-gone');
    env.socket.say(list(ready('front', { epoch: '2' })));
    await frames(element, 100, gateway);
    assert.equal(video.picture.state, 'live');
    assert.deepEqual([env.sockets.length, env.peers.length, env.socket.of('offer').length], [sockets, peers, offers]);
    assert.deepEqual(states, ['live']);
  });

  test('hidden pages are judged by what is decoded', async () => {
    const { video, gateway } = await live();
    env.pageHidden = true;
    const receiver = env.peer.transceivers[0].receiver;
    await env.pass(3000, (now) => {
      gateway();
      receiver.sources = [{ timestamp: env.originMs + now }];
    });
    assert.equal(video.picture.state, 'live');
    await env.pass(1000, gateway);
    assert.equal(video.picture.state, 'stale');
  });

  test('a page that comes back is not called stale for what it could not see', async () => {
    const { video, element, gateway } = await live();
    env.pageHidden = true;
    const receiver = env.peer.transceivers[0].receiver;
    const decode = (now) => (receiver.sources = [{ timestamp: env.originMs + now }]);
    await env.pass(3000, (now) => (gateway(), decode(now)));
    const seen = [];
    video.addEventListener('picture', (e) => seen.push(e.detail.state));
    env.freeze(60_000);
    decode(env.time);
    env.pageHidden = false;
    for (const wake of env.wakers) wake();
    await env.pass(1000, (now) => {
      gateway();
      decode(now);
      if (now % 30 === 0) element.frame(now);
    });
    assert.deepEqual(seen, []);
    assert.equal(robot.state, 'live');
  });
});

describe('a dead gateway', () => {
  test('is named when the socket closes, looked for, and taken up again', async () => {
    const { video, element, gateway } = await live();
    const stream = video.stream;
    const [oldTrack] = stream.getTracks();
    const oldPeer = env.peer;
    env.socket.drop();
    assert.equal(robot.state, 'gateway-lost');
    await env.pass(2000);
    assert.deepEqual([video.picture.state, video.picture.reason], ['stale', 'gateway-lost']);
    assert.equal(env.sockets.length, 1, 'no socket is opened in vain');
    assert.ok(env.fetches.length >= 7 && env.fetches.length <= 10, `${env.fetches.length} looks in 2 s`);
    assert.equal(oldPeer.closed, false, 'the last picture needs its connection');
    assert.deepEqual(stream.getTracks(), [oldTrack]);

    env.health = 200;
    const back = env.time;
    await env.pass(300);
    assert.equal(env.sockets.length, 2);
    env.socket.open();
    env.socket.say(welcome('2'));
    await env.pass(50, gateway);
    assert.deepEqual(env.socket.of('offer')[0].tracks, [{ mid: '0', device: 'front' }], 'without waiting for the list');
    assert.ok(env.time - back <= 400);
    const { track } = env.peer.transceivers[0].receiver;
    assert.deepEqual(stream.getTracks(), [oldTrack], 'the last picture stays until there is another');
    env.peer.connectionState = 'connected';
    track.muted = false;
    track.dispatchEvent(new Event('unmute'));
    await frames(element, 100, gateway);
    assert.deepEqual(stream.getTracks(), [track]);
    assert.equal(oldPeer.closed, true);
    assert.equal(video.picture.state, 'live');
    assert.equal(video.stream, stream);
    assert.equal(robot.reconnects, 1);
    assert.deepEqual(states, ['live', 'gateway-lost', 'live']);
  });

  test('is noticed by its silence', async () => {
    await live();
    const silent = env.time;
    while (robot.state === 'live' && env.time < silent + 5000) await env.pass(10);
    assert.ok(env.time - silent > 900 && env.time - silent <= 1600, `after ${env.time - silent} ms`);
    assert.equal(robot.why, 'gateway is silent');
  });

  test('is not blamed for the sleep of the page', async () => {
    const { gateway } = await live();
    env.freeze(60_000);
    await env.pass(450);
    assert.equal(robot.state, 'live');
    await env.pass(2000, gateway);
    assert.equal(robot.state, 'live');
  });

  test('is not hammered when it answers but takes no session', async () => {
    env.socket.drop();
    assert.equal(robot.state, 'gateway-lost');
    env.health = 503;
    await env.pass(30_000, () => env.sockets.at(-1).closed || env.socket.drop());
    assert.ok(env.sockets.length >= 5 && env.sockets.length <= 14, `${env.sockets.length} sockets in 30 s`);
    assert.equal(robot.refusal, 'a token is needed');
    while (env.socket.closed) await env.pass(100);
    env.socket.open();
    env.socket.say(welcome());
    assert.equal(robot.refusal, '');
  });

  /** Refuses all sockets until the time is over. */
  const refuse = (ms) => env.pass(ms, () => env.sockets.at(-1).closed || env.socket.drop());

  for (const [name, why, refusal] of [
    ['without a token', { status: 401, text: 'a token is needed\n', type: 'text/plain' }, 'a token is needed'],
    ['behind a proxy that keeps WebSockets away', { status: 426, text: 'in nginx: …', type: 'text/plain' }, 'in nginx: …'],
    ['behind a proxy that changes the name', { status: 403, text: 'add it to gateway.origins', type: 'text/plain; charset=utf-8' }, 'add it to gateway.origins'],
    ['behind a proxy that refuses itself', { status: 403, text: '<html>', type: 'text/html' },
      'A WebSocket to http://robot:8080/signal was refused, and so was a POST: HTTP 403, by something between this page and the gateway.'],
    ['behind a proxy that does not know it', { status: 404, text: 'no', type: 'text/plain' },
      'A WebSocket to http://robot:8080/signal was refused, and so was a POST: HTTP 404, by something between this page and the gateway.'],
  ]) {
    test(`says why there is no session within 2 s: ${name}`, async () => {
      env.health = 200;
      env.why = why;
      await refuse(2000);
      assert.equal(robot.refusal, refusal);
      assert.equal(env.fetches.at(-1).init.method, 'POST');
    });
  }

  test('one failure is no proof of a proxy', async () => {
    env.health = 200;
    env.why = { status: 426, text: 'in nginx: …', type: 'text/plain' };
    env.socket.drop();
    await env.pass(700);
    assert.equal(robot.refusal, '');
  });

  test('behind a proxy that changes the name, a ticket is shown', async () => {
    env.health = 200;
    env.why = { status: 426, text: 'no WebSocket', type: 'text/plain', ticket: 'for-this-page' };
    assert.deepEqual(env.socket.protocols, []);
    env.socket.drop();
    await env.pass(100);
    assert.deepEqual(env.socket.protocols, ['waldo', 'waldo-ticket.for-this-page']);
    env.socket.open();
    env.socket.say(welcome());
    assert.deepEqual([robot.state, robot.refusal], ['live', '']);
  });

  test('a page elsewhere is told what to add to robot.yaml', async () => {
    env.origin = 'http://localhost:3000';
    env.health = 200;
    env.why = null;
    await refuse(2000);
    assert.match(robot.refusal, /add http:\/\/localhost:3000 to gateway.origins/);
  });

  test('a page elsewhere shows its token on every way', async () => {
    const r = new Robot(new URL('http://robot:8080/'), env, 'sixteen-or-more>?~');
    assert.deepEqual(env.socket.protocols, ['waldo', 'waldo-token.c2l4dGVlbi1vci1tb3JlPj9-']);
    assert.equal(env.socket.url, 'ws://robot:8080/signal');
    env.health = 200;
    await refuse(1000);
    const asked = env.fetches.filter((f) => f.url.endsWith('/signal') && f.init.headers.Authorization);
    assert.equal(asked[0].init.headers.Authorization, 'Bearer sixteen-or-more>?~');
    r.close();
  });

  test('a proxy before a dead gateway is no gateway', async () => {
    env.socket.drop();
    env.health = 502;
    await env.pass(2000);
    assert.equal(env.sockets.length, 1);
  });

  test('one that says "again" is not called lost', async () => {
    const { gateway } = await live();
    await env.pass(1500, gateway);
    env.socket.drop(1013, 'the WebRTC connection was lost');
    assert.equal(env.sockets.length, 2);
    assert.equal(robot.state, 'live');
    env.socket.drop(1013);
    assert.equal(robot.state, 'gateway-lost', 'twice at once is not trusted');
  });

  test('a socket that never opens is given up', async () => {
    await env.pass(3200);
    assert.equal(robot.state, 'gateway-lost');
    assert.equal(env.sockets[0].closed, true);
  });
});

describe('a lost path', () => {
  test('is repaired by an ICE restart on the same connection', async () => {
    const { gateway } = await live();
    env.peer.connectionState = 'disconnected';
    await env.pass(500, gateway);
    assert.equal(env.peer.restarts, 1);
    assert.deepEqual(env.socket.of('offer').at(-1).tracks, [{ mid: '0', device: 'front' }]);
    env.peer.connectionState = 'connected';
    await env.pass(6000, gateway);
    assert.deepEqual([env.peers.length, env.sockets.length, env.peer.restarts], [1, 1, 1]);
  });

  test('that cannot be repaired needs a new connection, and the gateway is not called lost', async () => {
    const { video, gateway } = await live();
    env.peer.connectionState = 'failed';
    await env.pass(4700, gateway);
    assert.equal(env.sockets.length, 2);
    assert.equal(env.peers.length, 2);
    env.socket.open();
    env.socket.say(welcome());
    env.socket.say(list(ready('front')));
    await env.pass(100, gateway);
    assert.equal(video.picture.reason, 'media-path');
    assert.deepEqual(states, ['live']);
  });
});

describe('the end', () => {
  test('closes everything, and nothing begins anew', async () => {
    const { video } = await live();
    const [socket, peer] = [env.socket, env.peer];
    robot.close();
    assert.ok(socket.closed && peer.closed);
    assert.equal(env.timers.size + env.wakers.size, 0);
    assert.deepEqual([video.picture.state, video.picture.reason], ['stale', 'closed']);
    env.health = 200;
    await env.pass(2000);
    assert.equal(env.sockets.length, 1);
    assert.deepEqual(states, ['live', 'closed']);
  });
});

test('the clock follows the pings', async () => {
  const { gateway } = await live();
  await env.pass(2000, gateway);
  assert.ok(Math.abs(robot.clock.offsetMs - 5000) <= 10, String(robot.clock.offsetMs));
  assert.ok(Math.abs(robot.gatewayNowMs - (env.originMs + env.time + 5000)) <= 10);
});

test('an element gets the stream when media arrives: with a stream without a picture the page would not finish loading', () => {
  const stream = new EventTarget();
  stream.tracks = [];
  Object.assign(stream, { getTracks: () => stream.tracks, addTrack: (t) => stream.tracks.push(t) });
  const env = { newStream: () => stream, watchSeen: () => () => {}, hidden: () => false, now: () => 0 };
  const video = new Video('front', env, {}, () => {});
  const [early, late] = [new FakeVideo(), new FakeVideo()];
  early.srcObject = null;
  video.attach(early);
  const track = Object.assign(new EventTarget(), { muted: true });
  video.useReceiver({ track });
  assert.equal(early.srcObject, null);
  track.muted = false;
  track.dispatchEvent(new Event('unmute'));
  video.attach(late);
  assert.deepEqual([early.srcObject, late.srcObject], [stream, stream]);
});

test('a track that stays muted, as one of Chromium does after a rollback, is shown once frames are decoded', () => {
  const env = new FakeEnv();
  const stream = Object.assign(new EventTarget(), { tracks: ['old'], getTracks: () => stream.tracks.slice() });
  Object.assign(stream, { addTrack: (t) => stream.tracks.push(t), removeTrack: (t) => stream.tracks.splice(stream.tracks.indexOf(t), 1) });
  env.newStream = () => stream;
  const video = new Video('front', env, { offsetMs: 0 }, () => {});
  const track = Object.assign(new EventTarget(), { muted: true });
  let sources = [{ timestamp: env.originMs + env.time }];
  video.useReceiver({ track, getSynchronizationSources: () => sources });
  const around = { link: 'live', media: 'ok', settling: false, device: null };
  video.tick(around);
  assert.deepEqual(stream.tracks, ['old'], 'that was decoded before');
  env.time += 100;
  sources = [{ timestamp: env.originMs + env.time }];
  video.tick(around);
  assert.deepEqual(stream.tracks, [track]);
});
