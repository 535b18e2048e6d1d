import assert from 'node:assert/strict';
import { test } from 'node:test';

import { flatten, plotted } from '../page/flatten.js';
import { Spark } from '../page/spark.js';

test('a message is taken apart into values', () => {
  const message = { celsius: 21.5, big: '9007199254740993', mode: 'MODE_ECO', pose: { x: 1, y: [2, { z: 3 }] }, byName: { left: 0 }, none: [], on: true };
  assert.deepEqual(flatten(message, 'reading', 40), {
    values: [['celsius', 21.5], ['big', '9007199254740993'], ['mode', 'MODE_ECO'], ['pose.x', 1], ['pose.y[0]', 2], ['pose.y[1].z', 3], ['byName.left', 0], ['on', true]],
    more: false,
  });
});

test('a message that is one value has the name of its stream', () => {
  assert.deepEqual(flatten(21.5, 'temperature', 40).values, [['temperature', 21.5]]);
  assert.deepEqual(flatten('NaN', 'temperature', 40).values, [['temperature', 'NaN']]);
  assert.deepEqual(flatten([1, 2], 'list', 40).values, [['list[0]', 1], ['list[1]', 2]]);
  assert.deepEqual(flatten(null, 'nothing', 40).values, [['nothing', null]]);
});

test('what is large or deep does not fill the page', () => {
  const wide = flatten(Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`k${i}`, i])), 's', 40);
  assert.deepEqual([wide.values.length, wide.more], [40, true]);
  assert.deepEqual(flatten({ a: 1, b: 2 }, 's', 2), { values: [['a', 1], ['b', 2]], more: false });
  let deep = /** @type {unknown} */ (1);
  for (let i = 0; i < 10_000; i += 1) deep = { d: deep };
  assert.equal(flatten(deep, 's', 40).values.length, 1);
});

test('numbers are plotted, also those that the mapping writes as text', () => {
  assert.deepEqual([1.5, '-12', 'MODE_ECO', true, null, '2026-11-29T00:00:00Z', '1.5s', {}].map(plotted), [1.5, -12, null, null, null, null, null, null]);
  assert.deepEqual(['NaN', 'Infinity', '-Infinity'].map((v) => Number.isFinite(/** @type {number} */ (plotted(v)))), [false, false, false]);
});

test('a line may show a minute', () => {
  const spark = new Spark(60_000);
  spark.add(0, 1);
  spark.add(59_000, 2);
  assert.equal(spark.line(59_000).length, 2);
  assert.equal(spark.line(61_000).length, 1);
});
