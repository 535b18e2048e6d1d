/** @file What the owner of a token may do. */

/** Each role may do what the ones before it may. */
const RANKS = ['viewer', 'driver', 'operator', 'admin'];

/**
 * @typedef {'viewer'|'driver'|'operator'|'admin'} Role
 *
 * @typedef {object} Visitor Who a page is to the gateway.
 * @property {string} name Of its token; empty where none is needed.
 * @property {string} role A {@link Role}, or one of a newer gateway.
 */

/**
 * Whether the role is enough. The gateway and the devices enforce it; this is to say so before it is tried.
 * @param {Visitor|null} visitor Null: not known, as of gateways that know no roles.
 * @param {Role} need
 */
export function allows(visitor, need) {
  return visitor === null || RANKS.indexOf(visitor.role) >= RANKS.indexOf(need);
}

/**
 * Why something is not allowed, for people; empty if it is.
 * @param {Visitor|null} visitor
 * @param {Role} need
 * @param {string} what For example `Driving`.
 */
export function lacks(visitor, need, what) {
  if (visitor === null || allows(visitor, need)) return '';
  return `${what} needs the role ${need}; ${visitor.name || 'you'} ${visitor.name ? 'is' : 'are'} ${visitor.role || 'unknown'}`;
}
