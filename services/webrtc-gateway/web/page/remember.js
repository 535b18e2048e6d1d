/**
 * @file The link by which a robot is reached through a rendezvous server: `…/r/rover/#key=…&token=…`.
 *
 * The part after `#` never leaves the browser. It is kept for the folder of the page, and taken out of the address bar,
 * where it would be seen, copied, and kept in the history.
 */

/**
 * @typedef {object} Trusted
 * @property {string} key Fingerprint of the robot's key; empty if the robot is not reached through a rendezvous server.
 * @property {string} token The robot's token; empty if it is not known.
 */

/** A key's fingerprint: SHA-256 in base64url. */
const KEY = /^[A-Za-z0-9_-]{43}$/;

/**
 * Keeps what the address has, and returns what is known; what else stands after `#` stays there. A key that is trusted once is not replaced by that of another
 * link: a link is easily forged.
 * @param {Pick<Location, 'pathname'|'search'|'hash'>} place
 * @param {Pick<History, 'replaceState'>} history
 * @param {() => Pick<Storage, 'getItem'|'setItem'>} storage Throws where the browser forbids it.
 * @returns {Trusted & {other: string}} Other is the key of the link if it is not the one that is trusted.
 */
export function rememberLink(place, history, storage) {
  const name = `waldo link ${place.pathname.replace(/[^/]*$/, '')}`;
  const link = new URLSearchParams(place.hash.slice(1));
  const [key, token] = [link.get('key') ?? '', link.get('token') ?? ''];
  if (key !== '' || token !== '') {
    link.delete('key');
    link.delete('token');
    const rest = String(link);
    history.replaceState(null, '', place.pathname + place.search + (rest && `#${rest}`));
  }
  const known = read(storage, name);
  const other = known.key !== '' && KEY.test(key) && key !== known.key ? key : '';
  if (other !== '') return { ...known, other };
  const trusted = { key: KEY.test(key) ? key : known.key, token: token || known.token };
  if (trusted.key === '') return { key: '', token: '', other: '' };
  try {
    storage().setItem(name, JSON.stringify(trusted));
  } catch {
    // Storage is full or forbidden: this visit works, the next needs the link.
  }
  return { ...trusted, other: '' };
}

/** @param {() => Pick<Storage, 'getItem'>} storage @param {string} name @returns {Trusted} */
function read(storage, name) {
  try {
    const { key, token } = JSON.parse(storage().getItem(name) ?? '{}');
    if (KEY.test(key) && typeof token === 'string') return { key, token };
  } catch {
    // Storage is forbidden, or holds something else.
  }
  return { key: '', token: '' };
}

/** What to tell people about a link with another key than the trusted one. @param {string} other */
export function otherKeyWords(other) {
  return `The link is for a robot with another key (${other}) than the one that this browser trusts at this address. Somebody may ` +
    'pose as the robot, so the link is not used. If the robot has a new key, ask its owner, delete what the browser stores ' +
    'for this site, and open the link again.';
}
