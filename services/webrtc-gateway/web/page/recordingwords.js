/** @file The texts about recordings. Pure. */

/** @typedef {import('../proto/recorder.js').TimelineEvent} TimelineEvent */

/**
 * A place in a recording, as on a player: `0:12.3`, `1:02:03.4`.
 * @param {number} s @param {boolean} [tenths]
 */
export function placeWords(s, tenths = true) {
  // A tenth that has not passed yet is not shown.
  const whole = Math.floor(Math.max(0, s) * 10 + 1e-6) / 10;
  const [hours, minutes, seconds] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const text = tenths ? seconds.toFixed(1).padStart(4, '0') : String(Math.floor(seconds)).padStart(2, '0');
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${text}` : `${minutes}:${text}`;
}

/**
 * A number below a timeline, no longer than it has to be.
 * @param {number} s @param {number} step Between two of them, in s.
 */
export function tickWords(s, step) {
  return placeWords(s, step < 1);
}

/** @param {number} n Bytes. */
export function sizeWords(n) {
  if (n < 1000) return `${n} B`;
  const units = ['kB', 'MB', 'GB', 'TB'];
  let size = n / 1000;
  let unit = 0;
  while (size >= 999.5 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${size < 9.95 ? size.toFixed(1) : Math.round(size)} ${units[unit]}`;
}

/** @param {number|null} ms Unix time. @param {number} now Unix time in ms. @returns {string} Without the year if it is this one. */
export function startWords(ms, now = Date.now()) {
  if (ms === null) return 'unknown time';
  const then = new Date(ms);
  const year = then.getFullYear() === new Date(now).getFullYear() ? undefined : 'numeric';
  const day = then.toLocaleDateString([], { weekday: 'short', day: 'numeric', month: 'short', year });
  return `${day}, ${then.toLocaleTimeString([], { hour12: false })}`;
}

/**
 * What to say of an address with a time at which nothing was recorded.
 * @param {number|null} atMs Unix time; null: what the address has is not a time.
 * @param {boolean} some Whether there are recordings.
 */
export function notThenWords(atMs, some) {
  if (atMs === null) return 'The time in the address cannot be read: write it like #at=2026-11-30T07:10:12Z.';
  return `Nothing was recorded ${startWords(atMs)}.${some ? ' The nearest is ' : ''}`;
}

/** What kinds of events are called. */
export const EVENT_NAMES = /** @satisfies {Record<TimelineEvent['kind'], string>} */ ({
  mark: 'Mark', drive: 'Driven', estop: 'E-stop', refused: 'Refused', away: 'Away', gap: 'Not recorded', unknown: 'Event',
});

/** @param {Pick<TimelineEvent, 'kind'|'device'|'text'|'count'>} event @returns {string} */
export function eventWords({ kind, device, text, count }) {
  const what = text || (kind === 'gap' ? 'nothing was recorded' : EVENT_NAMES[kind]);
  const times = count > 1 ? ` (${count} times)` : '';
  return `${device && !text.includes(device) ? `${device}: ` : ''}${what}${times}`;
}

/**
 * What to say of several events in one place.
 * @param {readonly TimelineEvent[]} events
 */
export function itemWords(events) {
  const [first] = events;
  const line = `${placeWords(first.startS)} ${EVENT_NAMES[first.kind]}: ${eventWords(first)}`;
  return events.length === 1 ? line : `${line}, and ${events.length - 1} more`;
}

/**
 * The command that replays a recording.
 * @param {readonly string[]} files
 */
export function replayCommand(files) {
  return `waldo replay ${files.map(quoted).join(' ')}`;
}

/**
 * The command that tells of a drive. It names the middle of the drive, at which no other one of the device is under way.
 * @param {number} startMs When the recording began, Unix time.
 * @param {Pick<TimelineEvent, 'device'|'startS'|'endS'>} drive
 */
export function auditCommand(startMs, { device, startS, endS }) {
  const middle = new Date(startMs + Math.round(500 * (startS + (endS ?? startS))));
  return `waldo audit ${middle.toISOString()} --device ${quoted(device)}`;
}

/** @param {string} word A word for a shell. */
function quoted(word) {
  return /^[A-Za-z0-9._/:-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/**
 * Why there is nothing to list.
 * @param {object} facts
 * @param {boolean} facts.live Whether the gateway is there. @param {boolean} facts.complete Whether its list of devices is complete.
 * @param {string} facts.refusal Why it refuses. @param {number} facts.recorders How many there are.
 * @param {boolean} facts.listed Whether a list has come. @param {string} facts.replayed What is replayed; empty: the robot is live.
 * @returns {{title: string, text: string, code: boolean}|null} Null: it is too early to say.
 */
export function emptyWords({ live, complete, refusal, recorders, listed, replayed }) {
  if (refusal !== '') return { title: 'No connection', text: 'The reason is shown at the top. This page keeps trying.', code: false };
  if (!live) return { title: 'Looking for the gateway', text: 'This page goes on as soon as it answers.', code: false };
  if (recorders > 0) {
    return listed ? {
      title: 'Nothing recorded yet', code: false,
      text: 'Press Record on the robot’s page, or run “waldo record start”. A recording appears here while it is being made.',
    } : null;
  }
  if (!complete) return null;
  if (replayed !== '') return { title: 'This is a replay', text: `It plays ${replayed}, and records nothing.`, code: false };
  return { title: 'This robot has no recorder', text: 'To have one, add it to robot.yaml and run “waldo reload”:', code: true };
}
