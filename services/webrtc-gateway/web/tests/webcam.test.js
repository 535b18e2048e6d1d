/** @file The page's camera: it is on only while somebody wants it. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { Webcam } from '../page/webcam.js';

/** @typedef {{on: boolean, allow: () => void}} Asked A request for the camera. */

/** A browser that asks people for the camera. @param {import('node:test').TestContext} t @returns {Asked[]} */
function browser(t) {
  /** @type {Asked[]} */
  const asked = [];
  const getUserMedia = () => new Promise((resolve) => {
    const one = {
      on: false,
      allow: () => {
        one.on = true;
        resolve({ getTracks: () => [{ stop: () => (one.on = false) }] });
      },
    };
    asked.push(one);
  });
  const before = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
  const mediaDevices = { getUserMedia, enumerateDevices: async () => [] };
  Object.defineProperty(globalThis, 'navigator', { value: { mediaDevices }, configurable: true });
  t.after(() => before && Object.defineProperty(globalThis, 'navigator', before));
  return asked;
}

test('a camera that is allowed after it was cancelled is switched off', async (t) => {
  const asked = browser(t);
  const webcam = new Webcam();
  const opening = webcam.open('', true);
  webcam.close();
  asked[0].allow();
  assert.equal(await opening, null);
  assert.equal(asked[0].on, false);
});

test('of two that are opened one after the other, only the second is on', async (t) => {
  const asked = browser(t);
  const webcam = new Webcam();
  const [first, second] = [webcam.open('a', false), webcam.open('b', false)];
  asked[1].allow();
  assert.notEqual(await second, null);
  asked[0].allow();
  assert.equal(await first, null);
  assert.deepEqual(asked.map(({ on }) => on), [false, true]);
  webcam.close();
  assert.equal(asked[1].on, false);
});
