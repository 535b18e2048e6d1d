/** @file The little that a decoder has to be told of an H.264 stream before it can begin. Pure. */

/** Type of the NAL unit that begins with the profile: the sequence parameter set. */
const SPS = 7;
/** Parameter sets are looked for in this many bytes of a key frame. */
const HEAD_BYTES = 64 * 1024;

/**
 * Finds out which decoder a key frame needs.
 * @param {Uint8Array} data An access unit as Annex B.
 * @returns {string} As WebCodecs name it, for example `avc1.42e01f`; empty if there is no sequence parameter set.
 */
export function h264Codec(data) {
  const end = Math.min(data.length, HEAD_BYTES) - 6;
  for (let i = 0; i < end; i += 1) {
    if (data[i] !== 0 || data[i + 1] !== 0 || data[i + 2] !== 1 || (data[i + 3] & 0x1f) !== SPS) continue;
    return `avc1.${[...data.subarray(i + 4, i + 7)].map((b) => b.toString(16).padStart(2, '0')).join('')}`;
  }
  return '';
}
