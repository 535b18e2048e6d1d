/** @file Where the pieces of a recorded stream come from: the gateway's own route, or calls where there is none. */

import { CallError } from '../channels/calls.js';
import { RECORDER, segment } from '../proto/recorder.js';

/** How long a recorder may take to answer a call, in ms. */
const TIMEOUT_MS = 15_000;

/**
 * @typedef {object} Piece
 * @property {number} offset Where it begins, in s. @property {number|null} next Where the next begins; null after the
 *   last.
 * @property {string} codec The codecs parameter of RFC 6381.
 * @property {BufferSource} data What an MSE buffer takes; empty if there is nothing at or after the place.
 * @property {number} bytes Its size.
 *
 * @typedef {object} Address Which stream of which recording.
 * @property {string} recorder @property {string} name @property {string} device @property {string} stream
 *
 * @typedef {(place: number, initialization: boolean, signal: AbortSignal) => Promise<Piece>} Source Rejects with a
 *   {@link SourceError}.
 */

/** Why a piece does not come. */
export class SourceError extends Error {
  name = 'SourceError';
  /** Whether it is of no use to ask again. */
  final;

  /** @param {string} message @param {boolean} final */
  constructor(message, final) {
    super(message);
    this.final = final;
  }
}

/**
 * Pieces over HTTP, beside the WebSocket that carries all else.
 * @param {Address} address
 * @param {typeof fetch} ask
 * @returns {Source}
 */
export function overHttp({ recorder, name, device, stream }, ask) {
  const path = ['recordings/segment', ...[recorder, name, device, stream].map(encodeURIComponent)].join('/');
  return async (place, initialization, signal) => {
    let answer;
    try {
      answer = await ask(`${path}?offset=${place}${initialization ? '&init=1' : ''}`, { signal, cache: 'no-store' });
      if (!answer.ok) {
        const text = (await answer.text()).trim().slice(0, 300);
        throw new SourceError(text || `HTTP ${answer.status}`, answer.status < 500 && answer.status !== 429);
      }
      const data = await answer.arrayBuffer();
      const next = answer.headers.get('Waldo-Next');
      return {
        offset: Number(answer.headers.get('Waldo-Offset') ?? place), next: next === null ? null : Number(next),
        codec: answer.headers.get('Waldo-Codec') ?? '', data, bytes: data.byteLength,
      };
    } catch (error) {
      if (error instanceof SourceError) throw error;
      throw new SourceError('The gateway does not answer', false);
    }
  };
}

/**
 * Pieces by calls, for pages that reach the robot through a rendezvous server.
 * @param {Address} address
 * @param {import('../channels/calls.js').Call} call
 * @returns {Source}
 */
export function overCalls({ recorder, name, device, stream }, call) {
  return async (place, initialization) => {
    try {
      const request = { name, device, stream, offset: `${place.toFixed(9)}s`, initialization };
      const piece = segment(await call(recorder, RECORDER.segment, request, { timeoutMs: TIMEOUT_MS }));
      const data = new Uint8Array(piece.media.length === 0 ? 0 : piece.initialization.length + piece.media.length);
      if (data.length > 0) {
        data.set(piece.initialization);
        data.set(piece.media, piece.initialization.length);
      }
      return { offset: piece.offsetS, next: piece.nextS, codec: piece.codec, data, bytes: data.length };
    } catch (error) {
      const { code, message } = /** @type {CallError} */ (error);
      throw new SourceError(message, FINAL.has(code));
    }
  };
}

/** Codes of calls that fail the same way again. */
const FINAL = new Set(['NOT_FOUND', 'FAILED_PRECONDITION', 'INVALID_ARGUMENT', 'PERMISSION_DENIED', 'UNIMPLEMENTED', 'DATA_LOSS']);
