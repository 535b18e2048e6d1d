/** @file The texts about recording and replaying on the robot's page. Pure. */

import { counted } from './format.js';
import { placeWords, sizeWords, startWords } from './recordingwords.js';

/**
 * @param {import('../proto/recorder.js').RecorderState|null} state Null: it has not answered yet.
 * @param {import('../proto/signaling.js').Device|null} device The recorder; null if it is not listed.
 * @param {string} problem Why it could not be asked; empty if it could.
 * @param {number} nowMs The gateway's time, Unix time in ms.
 * @returns {{phase: 'recording'|'idle'|'failed'|'unknown', text: string, problem: string}}
 */
export function recorderStatus(state, device, problem, nowMs) {
  if (device === null || device.gone) return { phase: 'unknown', text: 'The recorder is not running', problem: '' };
  if (device.state === 'away') return { phase: 'failed', text: 'The recorder is away', problem: device.reason };
  if (state === null) return { phase: 'unknown', text: problem ? 'The recorder does not answer' : 'Asking the recorder', problem };
  const room = state.freeBytes === null ? '' : `${sizeWords(state.freeBytes)} free`;
  const lost = state.lost > 0
    ? `${counted(state.lost, 'message was', 'messages were')} lost: the disk or the recorder is too slow` : '';
  switch (state.phase) {
    case 'recording': {
      const { startMs = null, durationMs = 0, bytes = 0 } = state.recording ?? {};
      const since = startMs === null ? durationMs : Math.max(durationMs, nowMs - startMs);
      const text = [`Recording, ${placeWords(since / 1000, false)}`, bytes > 0 ? sizeWords(bytes) : '', room].filter(Boolean).join(' · ');
      return { phase: 'recording', text, problem: problem || lost };
    }
    case 'failed':
      return { phase: 'failed', text: ['Not recording', room].filter(Boolean).join(' · '), problem: state.problem || 'It should record and cannot' };
    default: {
      const preroll = state.prerollMs >= 1000 ? `begins ${Math.floor(state.prerollMs / 1000)} s before Record is pressed` : '';
      return { phase: 'idle', text: ['Not recording', preroll, room].filter(Boolean).join(' · '), problem: problem || state.problem };
    }
  }
}

/**
 * Whose recording is replayed, and when it was made.
 * @param {import('../proto/player.js').PlayerState} state
 * @param {number} place In s. @param {number} nowMs Unix time in ms.
 */
export function replayWords({ name, startMs }, place, nowMs) {
  return `Replay of ${name || 'a recording'}${startMs === null ? '' : `, ${startWords(startMs + place * 1000, nowMs)}`}`;
}

/**
 * The place of a player now.
 * @param {import('../proto/player.js').PlayerState} state @param {number} sinceMs How long ago it was told.
 * @returns {number} In s.
 */
export function placeNow({ playing, offsetS, speed, durationS, loop }, sinceMs) {
  const place = playing ? offsetS + sinceMs / 1000 * speed : offsetS;
  if (loop && durationS > 0 && place > durationS) return place % durationS;
  return Math.min(Math.max(0, place), durationS);
}

/**
 * Which recording a device is replayed from.
 * @param {import('../proto/signaling.js').Device|null|undefined} device
 * @returns {string} Empty: it is live.
 */
export function replayedFrom(device) {
  return device?.attributes?.replay ?? '';
}

/** @param {string} name Of the device. @param {string} from @param {string} [what] What a replay refuses. */
export function replayedWords(name, from, what = 'it cannot be driven') {
  return from && `${name} is replayed from ${from}: ${what}`;
}
