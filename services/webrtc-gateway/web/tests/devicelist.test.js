import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Restarts } from '../page/devicelist.js';
import { describeState } from '../page/devicewords.js';
import { parse } from '../proto/signaling.js';

test('a device that is ready and has a problem besides says so', () => {
  const reason = 'another process on this bus is demo/front too';
  const list = { devices: { devices: [{ device: { name: 'front', state: 'DEVICE_STATE_READY', stateReason: reason } }] } };
  const { devices } = parse(JSON.stringify(list));
  assert.deepEqual(describeState(devices[0]), { state: 'ready', text: 'Ready', why: reason });
});

test('a device restarts when one life follows another, not when its first becomes known', () => {
  for (const { epochs, count } of [
    { epochs: ['5'], count: 0 },
    { epochs: ['0', '5', '5'], count: 0 }, // the gateway has only the robot's summary at first
    { epochs: ['5', '6'], count: 1 },
    { epochs: ['5', '0', '5'], count: 0 },
    { epochs: ['5', '0', '6', '7'], count: 2 },
  ]) {
    const restarts = new Restarts();
    epochs.forEach((epoch) => restarts.see(epoch));
    assert.equal(restarts.count, count, epochs.join(', '));
  }
});

test('a device of which no life is known yet has the epoch 0', () => {
  const { devices } = parse(JSON.stringify({ devices: { devices: [{ device: { name: 'front' } }] } }));
  assert.equal(devices[0].epoch, '0');
});
