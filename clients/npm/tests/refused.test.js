import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { DEVICES, connected, createToken, events, folder, ready, startRobot, take, until } from './rig.js';

test('a viewer watches, and what is not allowed is told once', async (t) => {
  const accessFile = path.join(folder(t), 'access.json');
  const viewer = await createToken(t, accessFile, 'Ann', 'viewer');
  const driver = await createToken(t, accessFile, 'Ben', 'driver');
  const url = await startRobot(t, { front: DEVICES.front, motors: DEVICES.motors }, { accessFile });
  const warnings = [];
  const warned = (warning) => warnings.push(warning);
  process.on('warning', warned);
  t.after(() => process.off('warning', warned));
  const [ann, ben] = [connected(t, url, { token: viewer }), connected(t, url, { token: driver })];
  await ready(ann, 'front');
  await take(ann.video('front'), 1);
  const [mine, theirs] = [ann.channel('chat'), ben.channel('chat')];
  const [seen, heard] = [events(mine, 'message'), events(theirs, 'message')];
  await until('a driver is heard by a viewer', () => theirs.send('hello') && seen.length > 0);
  await until('a viewer is refused', () => mine.send('hello') && warnings.some((w) => w.code === 'WALDO_NOT_ALLOWED'));
  mine.send('again');
  await until('a driver is heard once more', () => theirs.send('end') && seen.at(-1).value === 'end');
  const [told, ...more] = warnings.filter((w) => w.code === 'WALDO_NOT_ALLOWED');
  assert.match(told.message, /publish waldo\.v1\.rover\.msg\.chat.*a role that may/);
  assert.deepEqual(more, []);
  assert.deepEqual(heard, []);
});
