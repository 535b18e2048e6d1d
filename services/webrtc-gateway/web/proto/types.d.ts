/**
 * Types for outside input. They exist for the type check alone; nothing here runs.
 *
 * The shapes of messages are generated from api/proto into gen/. A message that arrives only claims to have its shape:
 * the readers of json.js take a claim and return a value that has been checked. So the type check knows the name and type
 * of every field, and still no value is used unchecked.
 */

import type { DescMethod, MessageJsonType } from '@bufbuild/protobuf';

declare const type: unique symbol;

/** A value that should be a T, and has not been checked. */
export type Claim<T> = { readonly [type]?: T };

/** The fields of a message that should be a T. */
export type Fields<T> = { readonly [K in keyof T]-?: Claim<NonNullable<T[K]>> };

/** A number in the protobuf JSON mapping. */
export type NumberJson = number | 'NaN' | 'Infinity' | '-Infinity';

/** The full name of a method, with the types of its messages. */
export type Method<D extends DescMethod> = string & {
  readonly [type]: [MessageJsonType<D['input']>, MessageJsonType<D['output']>];
};

/** The request of a method; any object if only its name is known. */
export type RequestOf<M> = M extends { readonly [type]: [infer Q, infer _] } ? Q : object;

/** The response of a method, unchecked. */
export type ResponseOf<M> = M extends { readonly [type]: [infer _, infer R] } ? Fields<R> : any;
