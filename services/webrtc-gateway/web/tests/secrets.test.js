import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Joiner, split } from '../link/parts.js';
import { dtlsFingerprint, Secrets } from '../link/secrets.js';
import { otherKeyWords, rememberLink } from '../page/remember.js';

const SOME = `sha-256 ${'ab:cd:ef:01:23:45:67:89:'.repeat(4).slice(0, -1)}`;
const OTHER = `${SOME.slice(0, -1)}0`;
const sdp = (...fingerprints) => fingerprints.map((f) => `a=fingerprint:${f}\r\n`).join('v=0\r\n');
const bytes = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));

// These are also in the tests of pkg/identity.
const KEY = 'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE+79pCYW2Mj+FmZHo+p2Fs/iBEyiyuZUtfog4ITNYrHizoVm3+HdH3oLLAKEcuztqB7MlGOBDGYzy2VnjZ71oxw==';
const FINGERPRINT = 'hpRHDvz66ut_Jm2M-fz_ED7mzlgxBfY42GIKYEswmWQ';
const PROOF = 'Zeblaxj1oxaDVnij0g6C8kaicvWLY9/1vINnOckr8cQ=';
const SIGNATURE = 'xtBfoZQkpthLoJ82xFTsTXcf821OnCf+tB2fjs87hjjj8BWaylwJdRG3fGYk0M6yiflCSnzlIYaIZqzxUKXUlw==';
const remote = { robot: 'rover', key: bytes(KEY), challenge: new TextEncoder().encode('0123456789abcdef') };
const secrets = () => new Secrets(FINGERPRINT, 'open sesame', globalThis.crypto.subtle);

describe('secrets', () => {
  test('the proof is what the robot expects', async () => {
    assert.equal(await secrets().proof(remote, sdp(SOME)), PROOF);
    assert.notEqual(await secrets().proof(remote, sdp(OTHER)), PROOF);
    assert.notEqual(await secrets().proof({ ...remote, robot: 'raver' }, sdp(SOME)), PROOF);
  });

  test('a signature is for one key, robot, session, offer, and answer', async () => {
    const answer = { sdp: sdp(SOME, SOME.toUpperCase()), signature: bytes(SIGNATURE) };
    const changed = bytes(SIGNATURE);
    changed[5] ^= 1;
    const check = (more = {}, offer = sdp(SOME), given = answer) => secrets().signed({ ...remote, ...more }, offer, given);
    assert.equal(await check(), true);
    assert.equal(await check({ robot: 'raver' }), false);
    assert.equal(await check({ challenge: new Uint8Array(16) }), false);
    assert.equal(await check({ key: new Uint8Array(91) }), false);
    assert.equal(await check({}, sdp(OTHER)), false);
    assert.equal(await check({}, sdp(SOME), { ...answer, sdp: sdp(OTHER) }), false);
    assert.equal(await check({}, sdp(SOME), { ...answer, sdp: sdp(SOME, OTHER) }), false);
    assert.equal(await check({}, sdp(SOME), { ...answer, signature: changed }), false);
    assert.equal(await check({}, sdp(SOME), { ...answer, signature: new Uint8Array() }), false);
  });

  test('another key is told', async () => {
    assert.equal(await secrets().otherKey(remote), '');
    assert.match(await secrets().otherKey({ ...remote, key: new Uint8Array(91) }), /^[\w-]{43}$/);
  });

  test('fingerprints in descriptions', () => {
    // Where a parser may find another one than the first look does.
    const hidden = ['c=IN IP4 0.0.0.0\ra=fingerprint:', 't=0 0 a=fingerprint:', 'a=FINGERPRINT:', 'a= fingerprint:']
      .map((line) => `${line}${OTHER}\r\n${sdp(SOME)}`);
    assert.equal(dtlsFingerprint(sdp(SOME, SOME.toUpperCase())), SOME);
    for (const bad of ['', sdp(SOME, OTHER), sdp('sha-1 ab:cd'), sdp(SOME, 'sha-512 ab:cd'), sdp(SOME.slice(0, 50)), ...hidden]) {
      assert.throws(() => dtlsFingerprint(bad), RangeError);
    }
  });
});

describe('parts', () => {
  test('join to what was split', () => {
    const joiner = new Joiner();
    for (const text of ['', '{}', '{"abc":1}', '{"+":"..++..++"}', '{"😀😀😀€€":"😀"}']) {
      for (const most of [2, 3, 5, 8]) {
        const frames = [...split(text, most)];
        assert.ok(frames.every((f) => f.length <= most + 1 && f.isWellFormed()));
        const joined = frames.map((f) => joiner.add(f));
        assert.deepEqual(joined.slice(0, -1), frames.slice(1).map(() => null));
        assert.equal(joined.at(-1), text);
      }
    }
  });

  test('of two messages must not mix, nor be endless', () => {
    const joiner = new Joiner();
    joiner.add('+{');
    assert.throws(() => joiner.add('{}'), RangeError);
    const endless = new Joiner();
    assert.throws(() => {
      for (let i = 0; i < 40; i += 1) endless.add(`+${' '.repeat(1024 * 1024)}`);
    }, RangeError);
  });
});

/** What a browser keeps, and what its address bar shows. */
function browser(kept = {}) {
  const b = {
    kept, shown: [],
    open(path, hash = '') {
      const storage = { getItem: (name) => b.kept[name] ?? null, setItem: (name, value) => (b.kept[name] = value) };
      return rememberLink({ pathname: path, search: '', hash }, { replaceState: (...args) => b.shown.push(args[2]) }, () => storage);
    },
  };
  return b;
}

describe('the link', () => {
  const other = 'x'.repeat(43);

  test('is kept for its folder, and taken out of the address bar', () => {
    const b = browser();
    const trusted = { key: FINGERPRINT, token: 'open sesame', other: '' };
    assert.deepEqual(b.open('/r/rover/', `#key=${FINGERPRINT}&token=open%20sesame`), trusted);
    assert.deepEqual(b.shown, ['/r/rover/']);
    assert.deepEqual(b.open('/r/rover/index.html'), trusted);
    assert.deepEqual(b.open('/r/raver/'), { key: '', token: '', other: '' });
    assert.deepEqual(b.open('/r/rover/', '#token=another'), { ...trusted, token: 'another' });
    assert.deepEqual(b.open('/r/rover/', `#key=${FINGERPRINT}`), { ...trusted, token: 'another' });
  });

  test('with another key than the trusted one changes nothing, its token neither', () => {
    const b = browser();
    b.open('/r/rover/', `#key=${FINGERPRINT}&token=mine`);
    const kept = { ...b.kept };
    assert.deepEqual(b.open('/r/rover/', `#key=${other}&token=theirs`), { key: FINGERPRINT, token: 'mine', other });
    assert.deepEqual(b.kept, kept);
    assert.equal(b.shown.length, 2);
    assert.match(otherKeyWords(other), /delete what the browser stores/);
  });

  test('may be damaged, and storage be forbidden', () => {
    const b = browser({ 'waldo link /': '{"key":7', 'waldo link /a/': 'null', 'waldo link /b/': '{"key":"short","token":"t"}' });
    for (const path of ['/', '/a/', '/b/']) assert.deepEqual(b.open(path), { key: '', token: '', other: '' });
    assert.deepEqual(b.open('/', '#key=short&token=t'), { key: '', token: '', other: '' });
    const forbid = () => {
      throw new DOMException('', 'SecurityError');
    };
    const place = { pathname: '/', search: '', hash: `#key=${FINGERPRINT}&token=t` };
    assert.deepEqual(rememberLink(place, { replaceState() {} }, forbid), { key: FINGERPRINT, token: 't', other: '' });
  });
});
