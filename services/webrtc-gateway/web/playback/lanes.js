/** @file Where the parts of a recording lie on a timeline. Pure. */

/** @typedef {import('../proto/recorder.js').TimelineEvent} TimelineEvent */
/** @typedef {import('../proto/recorder.js').RecordedStream} RecordedStream */

/**
 * @typedef {object} Item Something on a lane. Events that would lie on one another are one item.
 * @property {number} at Where it begins, 0 to 1. @property {number} to Where it ends, 0 to 1.
 * @property {TimelineEvent['kind']} kind
 * @property {TimelineEvent[]} events In order of time.
 *
 * @typedef {object} Lane
 * @property {string} name For people. @property {string} detail More, for people.
 * @property {'events'|'stream'} sort
 * @property {Item[]} items
 */

/** Lanes of events, from the top: what they are called, and the kind on each. */
const EVENT_LANES = /** @type {const} */ ([
  ['Marks', 'mark'], ['Driven', 'drive'], ['E-stop', 'estop'], ['Refused', 'refused'], ['Away', 'away'], ['Gaps', 'gap'], ['Other', 'unknown'],
]);

/**
 * The lanes of a part of a recording: those of events, of which there are only those with any in the whole, and one for each
 * stream.
 * @param {{streams: readonly RecordedStream[], events: readonly TimelineEvent[], span: import('./zoom.js').Span, least: number}} of
 *   Least is the least distance between two items, as a share of the part.
 * @returns {Lane[]}
 */
export function layOut({ streams, events, span, least }) {
  const lanes = EVENT_LANES.map(([name, kind]) => lane(name, '', 'events', events.filter((e) => e.kind === kind)));
  const shown = streams.filter((s) => s.stream !== '' || !streams.some((t) => t.device === s.device && t.stream !== ''));
  const of = shown.map((s) => lane(streamName(s), s.mediaType || s.messageType, 'stream',
    events.filter((e) => e.device === s.device && (e.kind === 'away' || e.kind === 'gap'))));
  return [...lanes.filter((_, i) => events.some((e) => e.kind === EVENT_LANES[i][1])), ...of];

  /** @param {string} name @param {string} detail @param {Lane['sort']} sort @param {TimelineEvent[]} on @returns {Lane} */
  function lane(name, detail, sort, on) {
    return { name, detail, sort, items: gather(on, span, least) };
  }
}

/** @param {Pick<RecordedStream, 'device'|'stream'>} s */
export function streamName({ device, stream }) {
  return [device || 'topic', stream].filter(Boolean).join(' · ');
}

/**
 * @param {readonly TimelineEvent[]} events @param {import('./zoom.js').Span} span @param {number} least
 * @returns {Item[]}
 */
function gather(events, span, least) {
  /** @type {Item[]} */
  const items = [];
  const length = Math.max(span.to - span.from, 0.001);
  const seen = events.filter((e) => e.startS <= span.to && (e.endS ?? e.startS) >= span.from);
  for (const event of seen.sort((a, b) => a.startS - b.startS)) {
    const at = share((event.startS - span.from) / length);
    const to = Math.max(at, share(((event.endS ?? event.startS) - span.from) / length));
    const last = items[items.length - 1];
    if (last && last.kind === event.kind && at - last.to < least) {
      last.events.push(event);
      last.to = Math.max(last.to, to);
    } else {
      items.push({ at, to, kind: event.kind, events: [event] });
    }
  }
  return items;
}

/** @param {number} n */
function share(n) {
  return Math.min(1, Math.max(0, n));
}

/** Steps between the numbers below a timeline, in s. */
const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400];

/**
 * Where the numbers below a timeline stand.
 * @param {import('./zoom.js').Span} span @param {number} most How many fit.
 * @returns {{step: number, places: number[]}} In s.
 */
export function ticks({ from, to }, most) {
  const step = STEPS.find((s) => (to - from) / s <= Math.max(1, most)) ?? (to - from);
  const [first, last] = [Math.ceil(from / step - 1e-9), Math.floor(to / step + 1e-9)];
  return { step, places: Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step) };
}

/**
 * The event before or after a place.
 * @param {readonly TimelineEvent[]} events In order of time. @param {number} place @param {1|-1} direction
 * @returns {TimelineEvent|null}
 */
export function neighbour(events, place, direction) {
  // Something that was just gone to is not found again.
  if (direction > 0) return events.find((e) => e.startS > place + 0.05) ?? null;
  return events.findLast((e) => e.startS < place - 0.05) ?? null;
}
