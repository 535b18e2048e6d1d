import assert from 'node:assert/strict';
import { test } from 'node:test';

import { describeState } from '../page/devicelist.js';
import { parse } from '../proto/signaling.js';

test('a device that is ready and has a problem besides says so', () => {
  const reason = 'another process on this bus is demo/front too';
  const list = { devices: { devices: [{ device: { name: 'front', state: 'DEVICE_STATE_READY', stateReason: reason } }] } };
  const { devices } = parse(JSON.stringify(list));
  assert.deepEqual(describeState(devices[0]), { state: 'ready', text: 'Ready', why: reason });
});
