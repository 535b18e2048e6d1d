/**
 * @file What keeps a rendezvous server out: the proof that this page knows the robot's token, and the check that it is
 * the robot that answers. waldo.signaling.v1 defines both, see Offer.proof and Answer.signature.
 *
 * The token itself is never sent.
 */

/** As in pkg/identity. */
const ROUNDS = 100_000;
const FINGERPRINT = /^sha-256 [0-9a-f]{2}(:[0-9a-f]{2}){31}$/;

/**
 * @typedef {object} RemoteRobot What a robot says of itself at the beginning of a session.
 * @property {string} robot Its name.
 * @property {Uint8Array<ArrayBuffer>} key Its public key.
 * @property {Uint8Array<ArrayBuffer>} challenge
 */

/** The secrets of a link to one robot. */
export class Secrets {
  #subtle;
  #fingerprint;
  #token;
  /** @type {Map<string, Promise<CryptoKey>>} Deriving one takes some 30 ms: by the name of the robot. */
  #keys = new Map();

  /**
   * @param {string} fingerprint Of the robot's key, from the link.
   * @param {string} token The robot's.
   * @param {SubtleCrypto} subtle
   */
  constructor(fingerprint, token, subtle) {
    this.#fingerprint = fingerprint;
    this.#token = token;
    this.#subtle = subtle;
  }

  /**
   * Checks that a robot says to be the one that the link is for. Only its signature proves that it is.
   * @param {RemoteRobot} remote
   * @returns {Promise<string>} The fingerprint of its key if it is another; empty if it is the same.
   */
  async otherKey({ key }) {
    const fingerprint = base64url(new Uint8Array(await this.#subtle.digest('SHA-256', key)));
    return fingerprint === this.#fingerprint ? '' : fingerprint;
  }

  /**
   * @param {RemoteRobot} remote
   * @param {string} sdp The offer.
   * @returns {Promise<string>} The proof of an offer, in base64.
   */
  async proof({ robot, challenge }, sdp) {
    const text = ['waldo offer', robot, hex(challenge), dtlsFingerprint(sdp)].join('\n');
    let key = this.#keys.get(robot);
    if (!key) this.#keys.set(robot, (key = this.#derive(robot)));
    const proof = await this.#subtle.sign('HMAC', await key, new TextEncoder().encode(text));
    return btoa(String.fromCharCode(...new Uint8Array(proof)));
  }

  /**
   * Whether an answer to an offer is the robot's.
   * @param {RemoteRobot} remote One whose key is right.
   * @param {string} offer
   * @param {{sdp: string, signature: Uint8Array<ArrayBuffer>}} answer
   * @returns {Promise<boolean>}
   */
  async signed({ robot, key, challenge }, offer, { sdp, signature }) {
    const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
    try {
      const text = ['waldo answer', robot, hex(challenge), dtlsFingerprint(offer), dtlsFingerprint(sdp)].join('\n');
      const verifier = await this.#subtle.importKey('spki', key, algorithm, false, ['verify']);
      return await this.#subtle.verify(algorithm, verifier, signature, new TextEncoder().encode(text));
    } catch {
      return false; // no fingerprint, or no key
    }
  }

  /** @param {string} robot */
  async #derive(robot) {
    const encoder = new TextEncoder();
    const token = await this.#subtle.importKey('raw', encoder.encode(this.#token), 'PBKDF2', false, ['deriveKey']);
    const how = { name: 'PBKDF2', hash: 'SHA-256', salt: encoder.encode(`waldo proof of ${robot}`), iterations: ROUNDS };
    return this.#subtle.deriveKey(how, token, { name: 'HMAC', hash: 'SHA-256', length: 256 }, false, ['sign']);
  }
}

/**
 * The fingerprint in a session description, in lower case. All must be the same: a browser would accept a certificate
 * that matches any of them. Parsers differ about where lines end and about case, so a fingerprint counts wherever it
 * stands, and what could hide one is refused, as in pkg/identity.
 * @param {string} sdp
 * @returns {string}
 * @throws {RangeError} If there is none, or another than sha-256.
 */
export function dtlsFingerprint(sdp) {
  const text = sdp.toLowerCase();
  const values = Array.from(text.matchAll(/a=fingerprint:([^\n]*)/g), ([, value]) => value.trim());
  const hidden = /\r(?!\n)/.test(text) || text.split('fingerprint').length - 1 !== values.length;
  const found = new Set(values);
  const [first] = found;
  if (hidden || found.size !== 1 || !FINGERPRINT.test(first)) {
    throw new RangeError('the description does not have one fingerprint by sha-256');
  }
  return first;
}

/** @param {Uint8Array} bytes */
const hex = (bytes) => Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
/** @param {Uint8Array} bytes */
const base64url = (bytes) => btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
