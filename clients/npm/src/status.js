/** @file gRPC statuses as the errors that calls fail with. */

import { createRegistry, fromBinary, toJson } from '@bufbuild/protobuf';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { AnySchema } from '@bufbuild/protobuf/wkt';
import { status as codes } from '@grpc/grpc-js';
import { CallError } from '#web/channels/calls.js';
import { file_waldo_control_v1_control } from '#gen/waldo/control/v1/control_pb.js';

/** The messages that explain errors of our devices. */
const known = createRegistry(file_waldo_control_v1_control);
/** What of an error is for the program to see; more is none of ours. */
const MOST_DETAILS = 16;

/**
 * Codes after which a stream is not opened again: the same request would fail again.
 */
const FINAL = new Set(['INVALID_ARGUMENT', 'NOT_FOUND', 'PERMISSION_DENIED', 'UNAUTHENTICATED', 'UNIMPLEMENTED',
  'FAILED_PRECONDITION', 'OUT_OF_RANGE', 'RESOURCE_EXHAUSTED']);

/** @param {CallError} error */
export const isFinal = (error) => FINAL.has(error.code);

/** @param {string} code @param {string} message */
export const failure = (code, message) => new CallError({ code, message, details: [] });

/**
 * @param {unknown} error Of a gRPC call.
 * @param {string} device What did not answer, for people.
 * @returns {CallError}
 */
export function callError(error, device) {
  if (error instanceof CallError) return error;
  /** @type {Partial<import('@grpc/grpc-js').ServiceError>} */
  const { code, details, message, metadata } = error ?? {};
  const name = codes[code ?? codes.UNKNOWN] ?? 'UNKNOWN';
  const [packed] = metadata?.get('grpc-status-details-bin') ?? [];
  return new CallError({
    code: name,
    message: remedy(name, details || message || name, device),
    details: packed instanceof Uint8Array ? statusDetails(packed) : [],
  });
}

/** @param {string} code @param {string} message @param {string} device */
function remedy(code, message, device) {
  if (code === 'UNAUTHENTICATED') return `${device} wants a token (${message}): connect(address, {token}), or set WALDO_TOKEN`;
  // What the library says of its connections is for its authors.
  if (code !== 'UNAVAILABLE' || !/^(No connection established|Connection dropped)/.test(message)) return message;
  const [cause] = /\bE[A-Z]{4,}\b/.exec(message) ?? [];
  return `${device} cannot be reached${cause ? ` (${cause})` : ''}`;
}

/**
 * Reads the details of a google.rpc.Status.
 * @param {Uint8Array} bytes
 * @returns {import('#web/proto/json.js').Json[]} Those that are known, in the protobuf JSON mapping with their type.
 */
export function statusDetails(bytes) {
  /** @type {import('#web/proto/json.js').Json[]} */
  const details = [];
  try {
    const reader = new BinaryReader(bytes);
    while (reader.pos < reader.len && details.length < MOST_DETAILS) {
      const [field, wire] = reader.tag();
      if (field !== 3 || wire !== 2) {
        reader.skip(wire, field);
        continue;
      }
      const any = fromBinary(AnySchema, reader.bytes());
      const schema = known.getMessage(any.typeUrl.slice(any.typeUrl.lastIndexOf('/') + 1));
      if (schema) {
        details.push({
          '@type': any.typeUrl, .../** @type {object} */ (toJson(schema, fromBinary(schema, any.value))),
        });
      }
    }
  } catch {
    // Garbage explains nothing; the code and the message of the error stand without it.
  }
  return details;
}
