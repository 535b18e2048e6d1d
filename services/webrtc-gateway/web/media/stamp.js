/**
 * @file Reads the machine-readable stamp that test cameras paint into their pictures, and uses it to measure how long
 * a picture takes from capture to screen.
 *
 * The stamp is a block of 18 by 4 square cells, one cell away from the left and upper edges; white is 1, black is 0;
 * 48 bits of time, 16 bits of sequence, 8 bits of CRC. The Go package pkg/media/stamp, which paints it, has the
 * details.
 */

const COLUMNS = 18;
const ROWS = 4;
/** Cell widths in pixels, as painted, or after scaling down by half. */
const CELLS = [16, 8, 4];
/** Highest mean brightness of a 0, lowest of a 1. */
const [BLACK, WHITE] = [86, 166];
/** The time on the stamp wraps after this many microseconds. */
const WRAP_US = 2 ** 48;

/**
 * @typedef {{timeUs: number, sequence: number}} Stamp
 *   Capture time, Unix time in µs on the camera's clock; lowest 16 bits of the frame's sequence.
 * @typedef {{data: ArrayLike<number>, width: number, height: number}} Pixels RGBA, as ImageData has it.
 */

/**
 * Reads the stamp from pixels that start at the upper left corner of the picture.
 * @param {Pixels} pixels
 * @param {number} nowMs Approximate Unix time in ms; it completes the wrapped time on the stamp.
 * @returns {Stamp|null} Null if there is no readable stamp.
 */
export function decodeStamp(pixels, nowMs) {
  for (const cell of CELLS) {
    if (pixels.width < (COLUMNS + 2) * cell || pixels.height < (ROWS + 2) * cell) continue;
    const bytes = readCells(pixels, cell);
    if (bytes === null || crc8(bytes.subarray(0, 8)) !== bytes[8]) continue;
    const view = new DataView(bytes.buffer);
    const wrapped = view.getUint32(0) * 0x10000 + view.getUint16(4);
    const turns = Math.round((nowMs * 1000 - wrapped) / WRAP_US);
    return { timeUs: wrapped + turns * WRAP_US, sequence: view.getUint16(6) };
  }
  return null;
}

/**
 * @param {Pixels} pixels
 * @param {number} cell
 * @returns {Uint8Array|null} Null if a cell is neither black nor white.
 */
function readCells(pixels, cell) {
  const bytes = new Uint8Array((COLUMNS * ROWS) / 8);
  for (let bit = 0; bit < COLUMNS * ROWS; bit += 1) {
    const mean = cellMean(pixels, bit % COLUMNS, Math.floor(bit / COLUMNS), cell);
    if (mean > WHITE) bytes[bit >> 3] |= 0x80 >> (bit & 7);
    else if (mean >= BLACK) return null;
  }
  return bytes;
}

/**
 * @param {Pixels} pixels
 * @param {number} column
 * @param {number} row
 * @param {number} cell
 * @returns Mean green of its middle.
 */
function cellMean({ data, width }, column, row, cell) {
  const [left, top, side] = [(1 + column) * cell + cell / 4, (1 + row) * cell + cell / 4, cell / 2];
  let sum = 0;
  for (let y = top; y < top + side; y += 1) {
    for (let x = left; x < left + side; x += 1) sum += data[(y * width + x) * 4 + 1];
  }
  return sum / (side * side);
}

/** CRC-8 with polynomial 0x07 and initial value 0xFF. @param {Uint8Array} bytes */
export function crc8(bytes) {
  let crc = 0xff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let i = 0; i < 8; i += 1) crc = crc & 0x80 ? ((crc << 1) ^ 0x07) & 0xff : crc << 1;
  }
  return crc;
}

/** @type {CanvasRenderingContext2D|null} */
let scratch = null;

/**
 * Reads the stamp of the frame that a video element shows now.
 * @param {HTMLVideoElement} video
 * @returns {Stamp|null}
 */
export function readStamp(video) {
  const width = Math.min(video.videoWidth, (COLUMNS + 2) * CELLS[0]);
  const height = Math.min(video.videoHeight, (ROWS + 2) * CELLS[0]);
  if (width === 0 || height === 0) return null;
  scratch ??= document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  if (!scratch) return null;
  if (scratch.canvas.width !== width || scratch.canvas.height !== height) {
    scratch.canvas.width = width;
    scratch.canvas.height = height;
  }
  scratch.drawImage(video, 0, 0, width, height, 0, 0, width, height);
  return decodeStamp(scratch.getImageData(0, 0, width, height), performance.timeOrigin + performance.now());
}

/**
 * @typedef {object} Latency Times of one frame, in ms after its capture.
 * @property {number} sequence
 * @property {number} presentedMs When it was handed to the compositor.
 * @property {number} shownMs When the browser expects it to be on the screen.
 * @property {number|null} receivedMs When its last packet arrived.
 * @property {number|null} ageMs Its age according to the `age` option, for comparison.
 */

/**
 * Measures frames of a test camera as they are shown.
 * @param {HTMLVideoElement} video
 * @param {number} frames How many to measure.
 * @param {object} [options]
 * @param {number} [options.offsetMs] Camera's clock minus ours: `robot.clock.offsetMs` if it is the gateway's.
 * @param {number} [options.timeoutMs] Give up after this.
 * @param {() => number|null} [options.age] Age of the frame from another source, for comparison.
 * @returns {Promise<{frames: Latency[], unreadable: number, missed: number}>} `missed` frames were shown without a
 *   callback.
 */
export function measureLatency(video, frames, { offsetMs = 0, timeoutMs = 30_000, age = () => null } = {}) {
  /** @type {Latency[]} */
  const result = [];
  let unreadable = 0;
  let missed = 0;
  let presented = 0;
  return new Promise((resolve) => {
    let request = 0;
    const finish = () => {
      clearTimeout(timer);
      video.cancelVideoFrameCallback(request);
      resolve({ frames: result, unreadable, missed });
    };
    const timer = setTimeout(finish, timeoutMs);
    /** @param {number} _ @param {VideoFrameCallbackMetadata} frame */
    const take = (_, frame) => {
      const stamp = readStamp(video);
      if (presented > 0) missed += Math.max(0, frame.presentedFrames - presented - 1);
      presented = frame.presentedFrames;
      if (stamp) result.push(latency(stamp, frame, offsetMs, age()));
      else unreadable += 1;
      if (result.length >= frames) finish();
      else request = video.requestVideoFrameCallback(take);
    };
    request = video.requestVideoFrameCallback(take);
  });
}

/**
 * @param {Stamp} stamp
 * @param {VideoFrameCallbackMetadata} frame
 * @param {number} offsetMs
 * @param {number|null} ageMs
 * @returns {Latency}
 */
function latency(stamp, frame, offsetMs, ageMs) {
  const captured = stamp.timeUs / 1000 - offsetMs - performance.timeOrigin;
  return {
    sequence: stamp.sequence,
    presentedMs: frame.presentationTime - captured,
    shownMs: frame.expectedDisplayTime - captured,
    receivedMs: frame.receiveTime === undefined ? null : frame.receiveTime - captured,
    ageMs,
  };
}
