/** @file The middle of a list of numbers. Pure. */

/**
 * Middle value; of an even number the upper one.
 * @param {number[]} values
 * @returns {number|null} Null if there are none.
 */
export function median(values) {
  if (values.length === 0) return null;
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}
