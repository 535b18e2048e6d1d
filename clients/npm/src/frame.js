/** @file Pictures and sound as programs get them: bytes that know when they were captured. */

/**
 * @typedef {import('#gen/waldo/media/v1/media_pb.js').VideoFrame} VideoFrame
 * @typedef {import('#gen/waldo/media/v1/media_pb.js').AudioFrame} AudioFrame
 * @typedef {import('@bufbuild/protobuf/wkt').Timestamp} Timestamp
 */

/** Media type and layout of the pictures, by the word for both. */
const PICTURES = /** @type {const} */ ({
  jpeg: ['image/jpeg', ''],
  h264: ['video/H264', ''],
  h265: ['video/H265', ''],
  vp8: ['video/VP8', ''],
  bgr: ['video/raw', 'BGR24'],
  yuyv: ['video/raw', 'YUYV'],
  nv12: ['video/raw', 'NV12'],
  i420: ['video/raw', 'I420'],
});
/** The same for sound. */
const SOUNDS = /** @type {const} */ ({
  opus: ['audio/opus', ''], s16: ['audio/raw', 'S16LE'], f32: ['audio/raw', 'F32LE'],
});

/** @typedef {keyof typeof PICTURES} PictureFormat @typedef {keyof typeof SOUNDS} SoundFormat */

/** Bytes that a device has captured. Parts and copies of them are plain bytes. */
class Captured extends Uint8Array {
  /** @returns {Uint8ArrayConstructor} */
  static get [Symbol.species]() {
    return Uint8Array;
  }

  /** The life of the device process that made it, in decimal: another one means that it has restarted. */
  epoch = '';
  /** Its number in that life; a gap is a loss. */
  sequence = 0;
  /** When it was captured by the clock of the device's computer, Unix time in ms, with fractions. */
  captureTime = NaN;
  /** Of a replay: when that came to it, as in `captureTime`, which is that of the recording; NaN otherwise. */
  replayTime = NaN;
  /** How many were left out for this reader since it began, because it was too slow. */
  dropped = 0;

  /** @param {Uint8Array} data */
  constructor(data) {
    super(/** @type {ArrayBuffer} */ (data.buffer), data.byteOffset, data.length);
  }

  /**
   * How long ago it was captured, or the replay came to it, in ms. If the device is on another computer, this is as exact as the two clocks
   * agree.
   */
  get ageMs() {
    return Date.now() - (Number.isNaN(this.replayTime) ? this.captureTime : this.replayTime);
  }
}

/** A picture, or one frame of encoded video: its bytes. */
export class Frame extends Captured {
  /** @type {PictureFormat|''} The word for its media type and layout; empty for one that this package does not know. */
  format = '';
  /** For example `image/jpeg`. */
  mediaType = '';
  /** Width in pixels. */
  width = 0;
  /** Height in pixels. */
  height = 0;
  /** Whether decoding can begin here. */
  keyFrame = false;
  /** @type {Record<string, string>} What the device notes about it. */
  metadata = {};
}

/** A short piece of sound: its samples, or one packet. */
export class AudioBlock extends Captured {
  /** @type {SoundFormat|''} The word for its media type and layout; empty for one that this package does not know. */
  format = '';
  /** For example `audio/raw`. */
  mediaType = '';
  /** Samples a second in each channel. */
  rate = 0;
  /** Channels, interleaved. */
  channels = 0;
  /** Position of the first sample since the beginning of the epoch. */
  sampleIndex = 0;
  /** Samples in each channel. */
  sampleCount = 0;
  /** Who talks; empty for sound that a device makes itself. */
  talker = '';

  /**
   * The samples of a raw block, channels interleaved.
   * @returns {Int16Array|Float32Array} Throws a TypeError for a packet of Opus.
   */
  get samples() {
    if (this.format !== 's16' && this.format !== 'f32') {
      throw new TypeError(
        `samples: this block is ${this.mediaType}, which has none: ask for the format 's16' or 'f32'`);
    }
    const bytes = Uint8Array.from(this); // at an address where numbers may begin
    return this.format === 's16'
      ? new Int16Array(bytes.buffer, 0, bytes.length >> 1)
      : new Float32Array(bytes.buffer, 0, bytes.length >> 2);
  }
}

/** @param {VideoFrame} message @param {number} dropped */
export function frameOf({ format, keyFrame, data, metadata, ...when }, dropped) {
  const { mediaType = '', pixelFormat = '', widthPx = 0, heightPx = 0 } = format ?? {};
  return Object.assign(new Frame(data), {
    ...captured(when, dropped), keyFrame, metadata,
    mediaType, format: wordFor(PICTURES, mediaType, pixelFormat), width: widthPx, height: heightPx,
  });
}

/** @param {AudioFrame} message @param {number} dropped */
export function blockOf({ format, sampleIndex, sampleCount, data, talker, ...when }, dropped) {
  const { mediaType = '', sampleFormat = '', sampleRateHz = 0, channels = 0 } = format ?? {};
  return Object.assign(new AudioBlock(data), {
    ...captured(when, dropped), sampleIndex: Number(sampleIndex), sampleCount, talker,
    mediaType, format: wordFor(SOUNDS, mediaType, sampleFormat), rate: sampleRateHz, channels,
  });
}

/**
 * @param {{epoch: bigint, sequence: bigint, captureTime?: Timestamp, replayTime?: Timestamp}} message
 * @param {number} dropped
 */
function captured({ epoch, sequence, captureTime, replayTime }, dropped) {
  const times = { captureTime: milliseconds(captureTime), replayTime: milliseconds(replayTime) };
  return { epoch: String(epoch), sequence: Number(sequence), ...times, dropped };
}

/** @param {Timestamp|undefined} time */
function milliseconds(time) {
  return time ? Number(time.seconds) * 1000 + time.nanos / 1e6 : NaN;
}

/**
 * @template {string} W
 * @param {Record<W, readonly [string, string]>} words
 * @param {string} mediaType
 * @param {string} layout
 * @returns {W|''}
 */
function wordFor(words, mediaType, layout) {
  const found = Object.entries(words).find(([, [type, l]]) => type === mediaType && l === layout);
  return /** @type {W|undefined} */ (found?.[0]) ?? '';
}

/**
 * @typedef {object} VideoOptions
 * @property {PictureFormat} [format] `jpeg` (default), `bgr`, `yuyv`, `nv12`, `i420`, or video: `h264`, `vp8`, `h265`.
 * @property {number} [width] In pixels; default: as configured, or in proportion to the height.
 * @property {number} [height] In pixels, likewise.
 * @property {number} [fps] Frames a second at most; default: as captured.
 * @property {number} [window] How many frames may be on their way, 1 to 1024: more for a far robot, fewer for younger
 *   frames. Default 2, for video 8.
 */

/** @param {VideoOptions} options @returns Throws a TypeError or a RangeError that names the field. */
export function videoFormat({ format = 'jpeg', width = 0, height = 0, fps = 0 }) {
  const [mediaType, pixelFormat] = choose('format', format, PICTURES);
  return {
    $typeName: /** @type {const} */ ('waldo.media.v1.VideoFormat'),
    mediaType, pixelFormat,
    widthPx: whole('width', width, 0, 8192),
    heightPx: whole('height', height, 0, 8192),
    frameRateHz: within('fps', fps, 0, 1000),
  };
}

/**
 * @typedef {object} AudioOptions
 * @property {SoundFormat} [format] `s16` (default), `f32`, or `opus`.
 * @property {number} [rate] Samples a second, 8000 to 192000; default: as configured.
 * @property {1|2} [channels] Default: as configured.
 * @property {number} [blockSamples] Samples in each block, up to 48000; default: as captured.
 * @property {'microphone'|'speaker'} [tap] What the microphone captures (default), or what the speaker plays.
 */

/** @param {AudioOptions} options @returns Throws a TypeError or a RangeError that names the field. */
export function audioFormat({ format = 's16', rate = 0, channels }) {
  const [mediaType, sampleFormat] = choose('format', format, SOUNDS);
  return {
    $typeName: /** @type {const} */ ('waldo.media.v1.AudioFormat'),
    mediaType, sampleFormat,
    sampleRateHz: rate === 0 ? 0 : whole('rate', rate, 8000, 192_000),
    channels: channels === undefined ? 0 : whole('channels', channels, 1, 2),
  };
}

/**
 * @template V
 * @param {string} field
 * @param {string} word
 * @param {Record<string, V>} from
 * @returns {V}
 */
export function choose(field, word, from) {
  if (typeof word !== 'string' || !Object.hasOwn(from, word)) {
    throw new TypeError(`${field} "${word}": use one of ${Object.keys(from).join(', ')}`);
  }
  return from[word];
}

/** @param {string} field @param {number} value @param {number} least @param {number} most */
export function whole(field, value, least, most) {
  if (!Number.isInteger(value)) throw new TypeError(`${field} ${value}: must be a whole number`);
  return within(field, value, least, most);
}

/** @param {string} field @param {number} value @param {number} least @param {number} most */
function within(field, value, least, most) {
  if (typeof value !== 'number' || !(value >= least && value <= most)) {
    throw new RangeError(`${field} ${value}: must be ${least} to ${most}`);
  }
  return value;
}
