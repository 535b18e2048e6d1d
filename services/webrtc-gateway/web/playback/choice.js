/** @file Which streams of a recording are played. Pure. */

/** @typedef {import('../proto/recorder.js').RecordedStream} RecordedStream */

/**
 * @typedef {object} Choice
 * @property {string} device
 * @property {'video'|'audio'} kind
 * @property {RecordedStream} stream
 * @property {boolean} plays Whether the browser plays it.
 */

/** Streams that carry the same as another of the device, in the order in which they are taken. */
const FIRST = ['video', 'audio', 'speaker'];
/** What people send to a device, which produces it again. */
const SENT = /** @type {Record<string, string>} */ ({ camera: 'video', microphone: 'audio' });

/**
 * One picture of each device: the stream as it is, or the first alternative that the browser plays; and all sounds.
 * @param {readonly RecordedStream[]} streams
 * @param {(type: string) => boolean} supported Whether the browser plays a type with codecs.
 * @returns {Choice[]} Pictures first.
 */
export function choose(streams, supported) {
  /** @type {Choice[]} */
  const chosen = [];
  for (const kind of /** @type {const} */ (['video', 'audio'])) {
    for (const device of new Set(streams.map((s) => s.device))) {
      const own = streams.filter((s) => s.device === device);
      const of = own.filter((s) => kindOf(s) === kind && !own.some((o) => o.stream === SENT[s.stream]));
      of.sort((a, b) => rank(a) - rank(b));
      const all = of.map((stream) => ({
        device, kind, stream, plays: stream.codec !== '' && supported(`${kind}/mp4; codecs="${stream.codec}"`),
      }));
      // Sounds are not alternatives of each other; pictures are.
      if (kind === 'audio') chosen.push(...all);
      else if (all.length > 0) chosen.push(all.find((c) => c.plays) ?? all[0]);
    }
  }
  return chosen;
}

/** @param {RecordedStream} s @returns {'video'|'audio'|''} */
function kindOf({ mediaType }) {
  if (mediaType.startsWith('audio/')) return 'audio';
  return /^(video|image)\//.test(mediaType) ? 'video' : '';
}

/** @param {RecordedStream} s */
function rank({ stream }) {
  const place = FIRST.indexOf(stream);
  return place >= 0 ? place : FIRST.length + (stream.endsWith('-small') ? 1 : 0);
}
