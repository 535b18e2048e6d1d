/** @file The recent history of a number, by default half a minute, as a small line. */

/** How much is kept, and in how many parts: each keeps its minimum and maximum, so that no peak is lost. */
const [SPAN_MS, PARTS] = [30_000, 120];

/** The history of a number. Pure: times come in as numbers (ms, any monotonic clock). */
export class Spark {
  /** @type {{part: number, least: number, most: number, begins: boolean}[]} Oldest first; parts without a value are missing. */
  #parts = [];
  #begins = false;
  #partMs;

  /** @param {number} [spanMs] How much is kept. */
  constructor(spanMs = SPAN_MS) {
    this.#partMs = spanMs / PARTS;
  }

  /** Starts a gap: the line begins again with the next value. */
  gap() {
    this.#begins = true;
  }

  /** @param {number} nowMs @param {number} value */
  add(nowMs, value) {
    if (!Number.isFinite(value)) return;
    const part = Math.floor(nowMs / this.#partMs);
    const last = this.#parts.at(-1);
    if (last?.part === part) {
      last.least = Math.min(last.least, value);
      last.most = Math.max(last.most, value);
      return;
    }
    this.#parts.push({ part, least: value, most: value, begins: this.#begins });
    this.#begins = false;
    while (this.#parts[0].part <= part - PARTS) this.#parts.shift();
  }

  /**
   * The line, in a box of 1 by 1 with 0 at the top and now at the right.
   * @param {number} nowMs
   * @returns {[x: number, top: number, bottom: number, begins: boolean][]} If begins is true, the line does not connect to the point before.
   */
  line(nowMs) {
    const now = Math.floor(nowMs / this.#partMs);
    const parts = this.#parts.filter((p) => p.part > now - PARTS);
    const least = Math.min(...parts.map((p) => p.least));
    const range = Math.max(...parts.map((p) => p.most)) - least;
    // A constant runs through the middle.
    const y = (/** @type {number} */ v) => (range > 0 ? 1 - (v - least) / range : 0.5);
    return parts.map((p) => [1 - (now - p.part) / (PARTS - 1), y(p.most), y(p.least), p.begins]);
  }
}

/**
 * Draws a line into a canvas, in the colour of its text.
 * @param {HTMLCanvasElement} canvas
 * @param {[number, number, number, boolean][]} line
 */
export function drawSpark(canvas, line) {
  const scale = Math.min(window.devicePixelRatio || 1, 2);
  const [width, height] = [Math.round(canvas.clientWidth * scale), Math.round(canvas.clientHeight * scale)];
  const context = canvas.getContext('2d');
  if (!context || width === 0) return;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  context.clearRect(0, 0, width, height);
  context.strokeStyle = getComputedStyle(canvas).color;
  context.lineWidth = 1.2 * scale;
  context.lineJoin = 'round';
  const pad = 2 * scale;
  const at = (/** @type {number} */ y) => pad + y * (height - 2 * pad);
  context.beginPath();
  for (const [x, top, bottom, begins] of line) {
    if (begins) context.moveTo(pad + x * (width - 2 * pad), at(top));
    else context.lineTo(pad + x * (width - 2 * pad), at(top));
    // A single value between two gaps is a dot.
    if (bottom !== top || begins) context.lineTo(pad + x * (width - 2 * pad), at(bottom) + (begins ? scale : 0));
  }
  context.stroke();
}
