import assert from 'node:assert/strict';
import { test } from 'node:test';

import { missingKeys, readValues, showValue } from '../page/serialwords.js';
import { Spark } from '../page/spark.js';

const sentence = (/** @type {object} */ values) => ({ sentence: {}, json: JSON.stringify({ talker: 'GP', ...values }) });

test('a position that is not available any more is not shown', () => {
  const fix = sentence({ type: 'GGA', latitude: 48, longitude: 11, numSatellites: 8 });
  const shown = readValues(fix).map(([key]) => key).concat('RMC.latitude', 'GGAX.latitude', 'latitude');
  assert.deepEqual(missingKeys(fix, shown), []);
  assert.deepEqual(missingKeys(sentence({ type: 'GGA', numSatellites: 0 }), shown), ['GGA.latitude', 'GGA.longitude']);
  assert.equal(showValue(null, true), '–');
});

test('only sentences say by leaving out that a value is not available', () => {
  assert.deepEqual(missingKeys({ record: {}, json: '{"left":1}' }, ['left', 'right']), []);
  assert.deepEqual(missingKeys({ line: '', json: '"{\\"left\\":1}"' }, ['left', 'right']), []);
});

test('the line of a number has a gap where the number was not available', () => {
  const spark = new Spark();
  spark.add(0, 1);
  spark.add(1000, 2);
  spark.gap();
  spark.add(2000, 1);
  spark.add(3000, 2);
  assert.deepEqual(spark.line(3000).map((p) => p[3]), [false, false, true, false]);
});
