import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { padNotes } from '../page/padwords.js';
import { detourWords } from '../page/detourwords.js';
import { signOutButton } from '../page/signout.js';
import { parseRobots } from '../proto/fleet.js';

const root = new URL('../', import.meta.url);
const read = (name) => readFileSync(new URL(name, root), 'utf8');
/** Each page, and the module that it starts with. */
const pages = { 'index.html': 'page/main.js', 'fleet.html': 'page/fleetmain.js', 'recordings.html': 'page/recordingsmain.js' };
const folders = readdirSync(root, { withFileTypes: true }).filter((f) => f.isDirectory() && !['node_modules', 'tests'].includes(f.name));
const modules = ['', ...folders.map((f) => `${f.name}/`)].flatMap((dir) =>
  readdirSync(new URL(dir || '.', root)).filter((f) => f.endsWith('.js')).map((f) => dir + f));

test('the page gets along with its content security policy, and with no other host', () => {
  for (const name of [...Object.keys(pages), 'page/style.css', 'page/recordings.css', 'page/icon.svg']) {
    // Names of namespaces are no addresses.
    const text = read(name).replaceAll('http://www.w3.org/2000/svg', '');
    assert.doesNotMatch(text, /https?:\/\/|\bstyle=|\bon[a-z]+=|@import|<style|<script(?! type="module" src=| src="page\/unloaded.js"><)/, name);
  }
  for (const name of Object.keys(pages)) {
    assert.equal(read(name).match(/<script src=/g).length, 1, 'the one that the gateway puts in and adds to the policy');
  }
  for (const name of modules) assert.doesNotMatch(read(name), /innerHTML|insertAdjacentHTML|eval\(|new Function|cssText/, name);
});

/** A module and all that it imports. */
function withImports(name, seen = new Set()) {
  if (seen.has(name)) return seen;
  seen.add(name);
  for (const [, from] of read(name).matchAll(/^(?:import|export) .*from '(\.[^']+)'/gm)) withImports(path.join(path.dirname(name), from), seen);
  return seen;
}

test('every element that the modules of a page ask for is in it', () => {
  for (const [page, entry] of Object.entries(pages)) {
    const html = read(page);
    const asked = [...withImports(entry)].flatMap((name) => [...read(name).matchAll(/byId\('([^']+)'/g)].map((m) => m[1]));
    assert.ok(asked.length > 4, page);
    for (const id of asked) assert.ok(html.includes(` id="${id}"`), `${page}: ${id}`);
  }
});

test('the list of robots is read with care', () => {
  assert.equal(parseRobots('no list'), null);
  assert.deepEqual(parseRobots('{}'), []);
  const [rover, ...others] = parseRobots(`{"robots":[{"state":{"robot":"rover","version":"1.0.0","devices":[
    {"name":"front","kind":"camera","state":"DEVICE_STATE_AWAY","stateReason":"unplugged"},{"name":"../"},{"name":"pad","gone":true}]},
    "away":true,"reason":"it is off","since":"2026-01-02T03:04:05Z"},{"state":{"robot":"../../evil"}},{"state":7},null]}`);
  assert.deepEqual(others, []);
  assert.deepEqual(rover, {
    name: 'rover', version: '1.0.0', away: true, reason: 'it is off', sinceMs: Date.parse('2026-01-02T03:04:05Z'),
    devices: [
      { name: 'front', kind: 'camera', state: 'away', reason: 'unplugged', gone: false },
      { name: 'pad', kind: '', state: 'unknown', reason: '', gone: true },
    ],
  });
});

test('what is said of pads that do not count names the pad and the remedy', () => {
  const id = 'Twin USB Joystick (Vendor: 0810 Product: 0001)';
  assert.deepEqual(padNotes([{ pad: id, control: '', reason: 'no-mapping' }]), [
    'Twin USB Joystick is ignored: this browser has no mapping for it. Describe it in robot.yaml under drive: pads:, or use another pad or browser.',
  ]);
  const doubts = ['axis0', 'axis1', 'button7'].map((control) => ({ pad: 'A (STANDARD GAMEPAD Vendor: 045e)', control, reason: 'held' }));
  assert.deepEqual(padNotes([...doubts, { pad: 'B', control: 'axis9', reason: 'missing' }]), [
    'A: release left stick, sideways; left stick, up and down; right trigger. A control that nobody holds does not rest where it should, and is ignored.',
    'B lacks controls that drive the robot: axis9.',
  ]);
  assert.deepEqual(padNotes([]), []);
});

test('a detour around WebRTC is told with what is missing and the remedy', () => {
  assert.equal(detourWords(null, true, 'robot'), '');
  assert.match(detourWords({ reason: 'no-interface', picture: true }, true, '127.0.0.1'), /no network interface.*without audio.*Connect the machine to any network/);
  assert.match(detourWords({ reason: 'no-webrtc', picture: true }, true, 'localhost'), /lacks WebRTC, or it is switched off.*WebSocket.*another browser/);
  assert.match(detourWords({ reason: 'no-path', picture: false }, true, 'robot'), /cannot reach.*no video.*use a newer one.*firewall/);
  assert.match(detourWords({ reason: 'no-path', picture: false }, false, '10.0.0.7'), /no video: browsers decode it only on https or localhost/);
  for (const host of ['localhost', '127.0.0.1', '[::1]']) {
    assert.match(detourWords({ reason: 'no-path', picture: true }, true, host), /on this machine. Firefox.*WebSocket.*Chromium.*token/);
  }
});

test('who has shown a token can sign out, and is told when that fails', async () => {
  const button = Object.assign(new EventTarget(), { hidden: true, disabled: false });
  const [asked, said] = [[], []];
  let status = 503;
  let reloads = 0;
  const fetch = async (...of) => {
    asked.push(of);
    return new Response(null, { status });
  };
  const show = signOutButton(button, (text) => said.push(text), { fetch, reload: () => reloads++ });
  show('');
  assert.equal(button.hidden, true);
  show('anna');
  assert.equal(button.hidden, false);
  const press = async () => {
    button.dispatchEvent(new Event('click'));
    await new Promise((done) => setTimeout(done));
  };
  await press();
  assert.deepEqual([said, reloads, button.disabled], [['Signing out failed: HTTP 503'], 0, false]);
  status = 204;
  await press();
  assert.deepEqual([asked[1], reloads], [['logout', { method: 'POST', cache: 'no-store' }], 1]);
});
