import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { driveRecipe } from '../page/driverecipe.js';

/** A device that has some methods, and answers others as the gateway does. */
const device = (methods, code = 'INVALID_ARGUMENT') => async (name, method) => {
  if (!methods.includes(method)) throw Object.assign(new Error(`${name} has no ${method}`), { code });
  return {};
};

describe('what to write in robot.yaml to drive a device', () => {
  test('a camera that turns, as the READMEs say', async () => {
    const text = await driveRecipe(device(['waldo.ptz.v1.PtzService/GetPtz']), 'doorcam');
    assert.equal(text, `drive:
  device: doorcam
  method: waldo.ptz.v1.PtzService/Move
  keys:
    pan:  {turn: 1}
    tilt: {forward: 1}
    zoom: {lift: 1}`);
    const [method, ...keys] = text.split('\n').slice(2).filter((line) => line !== '  keys:').map((line) => line.trim().replace(/: +/, ': '));
    for (const readme of ['../../README.md', '../../../rtsp-ingest/README.md']) {
      const said = readFileSync(new URL(readme, import.meta.url), 'utf8');
      assert.ok(said.includes(`  device: doorcam`) && said.includes(`\n  ${method}\n  keys: {${keys.join(', ')}}`), readme);
    }
  });

  test('a board', async () => {
    const text = await driveRecipe(device(['waldo.serial.v1.SerialService/GetPort']), 'wheels');
    assert.equal(text, `drive:
  device: wheels
  keys:
    left:  {forward: 200, turn: 60}
    right: {forward: 200, turn: -60}`);
  });

  test('another kind of device: its method has to be found', async () => {
    for (const code of ['INVALID_ARGUMENT', 'NOT_FOUND', 'UNIMPLEMENTED']) {
      const text = await driveRecipe(device([], code), 'arm');
      assert.match(text, /device: arm\n {2}method: package\.Service\/Method {2}# waldo call arm lists its methods\n/);
    }
  });

  test('nothing of a device that could not be asked', async () => {
    assert.equal(await driveRecipe(device([], 'UNAVAILABLE'), 'arm'), '');
    assert.equal(await driveRecipe(() => Promise.reject(new TypeError('broken')), 'arm'), '');
  });
});
