/** @file The methods and messages of recorders, waldo.recorder.v1. The fields are documented in api/proto. */

import { bytes, fields, flag, integer64, maybe, messages, milliseconds, text, texts, timestamp, word } from './json.js';

/** @import { GetSegmentResponseJson, GetTimelineResponseJson, MarkJson } from './gen/waldo/recorder/v1/recorder_pb.js' */
/** @import { RecordedStreamJson, RecorderService, RecorderStateJson } from './gen/waldo/recorder/v1/recorder_pb.js' */
/** @import { RecordingJson, TimelineEventJson } from './gen/waldo/recorder/v1/recorder_pb.js' */
/** @import { Claim, Fields, Method } from './types.js' */

/**
 * @typedef {ReturnType<typeof recorderState>} RecorderState What a recorder is doing.
 * @typedef {ReturnType<typeof recording>} Recording
 * @typedef {ReturnType<typeof timeline>} Timeline What is in a recording, and what happened.
 * @typedef {ReturnType<typeof recordedStream>} RecordedStream
 * @typedef {ReturnType<typeof timelineEvent>} TimelineEvent
 * @typedef {TimelineEvent['kind']} EventKind
 */

/** Full names of the methods, by what they do. */
export const RECORDER = {
  start: /** @type {Method<typeof RecorderService.method.startRecording>} */ ('waldo.recorder.v1.RecorderService/StartRecording'),
  stop: /** @type {Method<typeof RecorderService.method.stopRecording>} */ ('waldo.recorder.v1.RecorderService/StopRecording'),
  mark: /** @type {Method<typeof RecorderService.method.addMark>} */ ('waldo.recorder.v1.RecorderService/AddMark'),
  state: /** @type {Method<typeof RecorderService.method.getRecorder>} */ ('waldo.recorder.v1.RecorderService/GetRecorder'),
  list: /** @type {Method<typeof RecorderService.method.listRecordings>} */ ('waldo.recorder.v1.RecorderService/ListRecordings'),
  timeline: /** @type {Method<typeof RecorderService.method.getTimeline>} */ ('waldo.recorder.v1.RecorderService/GetTimeline'),
  segment: /** @type {Method<typeof RecorderService.method.getSegment>} */ ('waldo.recorder.v1.RecorderService/GetSegment'),
  remove: /** @type {Method<typeof RecorderService.method.deleteRecording>} */ ('waldo.recorder.v1.RecorderService/DeleteRecording'),
};

const phases = /** @type {const} */ ({
  RECORDER_PHASE_IDLE: 'idle',
  RECORDER_PHASE_RECORDING: 'recording',
  RECORDER_PHASE_FAILED: 'failed',
});

/** @param {Claim<RecorderStateJson>} v */
export function recorderState(v) {
  const s = fields(v);
  return {
    phase: word(s.phase, phases),
    /** Why it does not record although it should; while it is idle, why a recording could not begin. */
    problem: text(s.problem),
    /** What is being written; null if nothing is. */
    recording: maybe(s.recording, recording),
    startedBy: text(s.startedBy),
    prerollMs: milliseconds(s.preroll) ?? 0,
    /** Null if it does not tell. */
    freeBytes: s.freeBytes === undefined ? null : Number(integer64(s.freeBytes)),
    lost: Number(integer64(s.lostCount)),
    streams: texts(s.streams),
  };
}

/** @param {Claim<RecordingJson>} v */
export function recording(v) {
  const r = fields(v);
  return {
    /** Of its first file. */
    name: text(r.name),
    /** Unix time in ms by the clock of the recorder's machine; null if it is not known. */
    startMs: timestamp(r.startTime),
    durationMs: milliseconds(r.duration) ?? 0,
    bytes: Number(integer64(r.sizeBytes)),
    messages: Number(integer64(r.messageCount)),
    files: texts(r.files),
    devices: texts(r.devices),
    marks: messages(r.marks).map(mark),
    /** Whether it is being written. */
    open: flag(r.open),
    problem: text(r.problem),
  };
}

/** @param {Claim<MarkJson>} v */
export function mark(v) {
  const { time, text: words, by } = fields(v);
  return { timeMs: timestamp(time), text: text(words), by: text(by) };
}

/** @param {Fields<GetTimelineResponseJson>} response */
export function timeline({ recording: of, streams, events, leftOutCount }) {
  return {
    recording: recording(of),
    streams: messages(streams).map(recordedStream),
    events: messages(events).map(timelineEvent),
    /** How many more events there are than fit. */
    leftOut: Number(integer64(leftOutCount)),
  };
}

/** @param {Claim<RecordedStreamJson>} v */
function recordedStream(v) {
  const { device, kind, stream, messageType, mediaType, messageCount, codec } = fields(v);
  return {
    /** Empty for messages between pages and programs. */
    device: text(device),
    kind: text(kind),
    /** Or the topic; empty for the states of the device. */
    stream: text(stream),
    messageType: text(messageType),
    mediaType: text(mediaType),
    messages: Number(integer64(messageCount)),
    /** The codecs parameter of RFC 6381; empty if it cannot be played. */
    codec: text(codec),
  };
}

const kinds = /** @type {const} */ ({
  TIMELINE_EVENT_KIND_MARK: 'mark',
  TIMELINE_EVENT_KIND_DRIVE: 'drive',
  TIMELINE_EVENT_KIND_E_STOP: 'estop',
  TIMELINE_EVENT_KIND_REFUSED: 'refused',
  TIMELINE_EVENT_KIND_AWAY: 'away',
  TIMELINE_EVENT_KIND_GAP: 'gap',
});

/** @param {Claim<TimelineEventJson>} v */
function timelineEvent(v) {
  const { offset, end, kind, device, text: words, count } = fields(v);
  return {
    /** After the start of the recording, in s. */
    startS: seconds(offset) ?? 0,
    /** Null for a moment. */
    endS: seconds(end),
    kind: word(kind, kinds),
    device: text(device),
    text: text(words),
    /** How often it happened. */
    count: Math.max(1, Number(integer64(count))),
  };
}

/** @param {Fields<GetSegmentResponseJson>} response */
export function segment({ initialization, media, offset, next, codec }) {
  return {
    initialization: bytes(initialization),
    media: bytes(media),
    offsetS: seconds(offset) ?? 0,
    /** Null after the last one. */
    nextS: seconds(next),
    codec: text(codec),
  };
}

/** @param {Claim<string>} v A Duration. */
function seconds(v) {
  const ms = milliseconds(v);
  return ms === null ? null : ms / 1000;
}
