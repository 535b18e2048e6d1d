import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc8, decodeStamp } from '../media/stamp.js';

/** Paints a stamp as pkg/media/stamp does, into grey pixels. */
function paint({ timeUs, sequence }, cell, { width = 20 * cell, height = 6 * cell } = {}) {
  const bytes = new Uint8Array(9);
  const view = new DataView(bytes.buffer);
  const wrapped = timeUs % 2 ** 48;
  view.setUint32(0, Math.floor(wrapped / 0x10000));
  view.setUint16(4, wrapped % 0x10000);
  view.setUint16(6, sequence);
  bytes[8] = crc8(bytes.subarray(0, 8));
  const data = new Uint8ClampedArray(width * height * 4).fill(128);
  for (let bit = 0; bit < 72; bit += 1) {
    const value = bytes[bit >> 3] & (0x80 >> (bit & 7)) ? 235 : 16;
    const [left, top] = [(1 + (bit % 18)) * cell, (1 + Math.floor(bit / 18)) * cell];
    for (let y = top; y < top + cell; y += 1) data.fill(value, (y * width + left) * 4, (y * width + left + cell) * 4);
  }
  return { data, width, height };
}

const stamp = { timeUs: 1_795_000_000_123_456, sequence: 54_321 };
const near = stamp.timeUs / 1000 + 20;

test('CRC-8 of the check string', () => {
  assert.equal(crc8(new TextEncoder().encode('123456789')), 0xfb);
});

for (const cell of [16, 8, 4]) {
  test(`cells of ${cell}`, () => assert.deepEqual(decodeStamp(paint(stamp, cell), near), stamp));
}

test('small cells in the corner of a large picture', () => {
  assert.deepEqual(decodeStamp(paint(stamp, 8, { width: 320, height: 96 }), near), stamp);
});

test('the reader may be years of wrapping away', () => {
  const early = { timeUs: 2 ** 48 * 6 + 5, sequence: 1 };
  assert.deepEqual(decodeStamp(paint(early, 8), (early.timeUs - 10) / 1000), early);
});

test('noise does not hurt, as long as black and white stay apart', () => {
  const pixels = paint(stamp, 16);
  for (let i = 0; i < pixels.data.length; i += 1) pixels.data[i] += ((i * 7919) % 61) - 30;
  assert.deepEqual(decodeStamp(pixels, near), stamp);
});

test('no stamp, no answer', () => {
  assert.equal(decodeStamp({ data: new Uint8ClampedArray(320 * 96 * 4).fill(128), width: 320, height: 96 }, near), null);
  assert.equal(decodeStamp({ data: new Uint8ClampedArray(320 * 96 * 4), width: 320, height: 96 }, near), null);
  assert.equal(decodeStamp({ data: [], width: 0, height: 0 }, near), null);
});

test('a flipped bit is found', () => {
  const pixels = paint(stamp, 8);
  for (let y = 8; y < 16; y += 1) {
    for (let x = 8; x < 16; x += 1) pixels.data[(y * pixels.width + x) * 4 + 1] = 251 - pixels.data[(y * pixels.width + x) * 4 + 1];
  }
  assert.equal(decodeStamp(pixels, near), null);
});
