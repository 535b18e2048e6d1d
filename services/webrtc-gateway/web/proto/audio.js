/** @file Decodes sound levels, waldo.audio.v1. The fields are documented in api/proto. */

import { fields, maybe, messages, milliseconds, number, text, timestamp } from './json.js';

/** @import { LevelJson, StreamLevelsResponseJson, TalkerJson } from './gen/waldo/audio/v1/audio_pb.js' */
/** @import { Claim, NumberJson } from './types.js' */

/**
 * @typedef {ReturnType<typeof readLevels>} AudioLevels
 * @typedef {ReturnType<typeof level>} Level The level since the previous one, in dBFS: 0 is full scale, -100 is
 *   silence.
 * @typedef {ReturnType<typeof talker>} Talker Somebody whose sound is being played.
 */

/** The level of silence, in dBFS. */
export const SILENCE_DB = -100;

/** @param {Claim<StreamLevelsResponseJson>} v */
export function readLevels(v) {
  const { microphone, speaker, talkers } = fields(v);
  return { microphone: maybe(microphone, level), speaker: maybe(speaker, level), talkers: messages(talkers).map(talker) };
}

/** @param {Claim<TalkerJson>} v */
function talker(v) {
  const t = fields(v);
  return {
    name: text(t.name),
    /** When they began to talk, Unix time in ms on the device's clock. */
    sinceMs: timestamp(t.since),
    /** Measured before mixing. */
    level: maybe(t.level, level) ?? { rmsDb: SILENCE_DB, peakDb: SILENCE_DB },
    /** Sound that waits to be played. */
    bufferedMs: milliseconds(t.buffered) ?? 0,
  };
}

/** @param {Claim<LevelJson>} v */
function level(v) {
  const { rmsDbfs, peakDbfs } = fields(v);
  return { rmsDb: decibels(rmsDbfs), peakDb: decibels(peakDbfs) };
}

/** @param {Claim<NumberJson>} v A field that is absent is 0 dB; a word such as `-Infinity` is silence. */
function decibels(v) {
  return typeof v === 'string' ? SILENCE_DB : Math.max(SILENCE_DB, number(v));
}
