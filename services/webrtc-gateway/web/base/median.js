/** @file The median of a list of numbers. Pure. */

/**
 * The median; the upper of the two middle values if their count is even.
 * @param {number[]} values
 * @returns {number|null} Null if there are none.
 */
export function median(values) {
  if (values.length === 0) return null;
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}
