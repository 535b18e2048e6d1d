/** @file The ICE candidates of a connection, both ways. They trickle: each is sent as soon as it is useful. */

/** @import { PeerMessageJson } from '../proto/gen/waldo/signaling/v1/signaling_pb.js' */

/** The candidates of one connection. */
export class Candidates {
  /** How many local candidates were found. */
  gathered = 0;

  #pc;
  #send;
  /** @type {RTCIceCandidateInit[]} The gateway's candidates that arrived before its answer. */
  #early = [];
  /**
   * @type {PeerMessageJson[]} Local candidates that are not sent yet: the gateway cannot use them before its first
   *   answer.
   * Waiting costs nothing, because the gateway learns our address from the packets we send.
   */
  #own = [];
  /** Whether an offer is about to be sent: candidates go after it, since before it the gateway knows of no restart. */
  #held = false;

  /** @param {RTCPeerConnection} pc @param {(message: PeerMessageJson) => void} send */
  constructor(pc, send) {
    this.#pc = pc;
    this.#send = send;
    pc.onicecandidate = ({ candidate: c }) => {
      // The empty one ends a generation; the gateway does not wait for the end.
      if (!c || c.candidate === '') return;
      this.gathered += 1;
      const [sdpMid, sdpMlineIndex] = [c.sdpMid ?? '', c.sdpMLineIndex ?? 0];
      this.#own.push({ candidate: { candidate: c.candidate, sdpMid, sdpMlineIndex } });
      this.#sendOwn();
    };
  }

  /** An offer is being made. */
  hold() {
    this.#held = true;
  }

  /** It was sent, or given up. */
  release() {
    this.#held = false;
    this.#sendOwn();
  }

  /** Takes a candidate of the gateway. @param {RTCIceCandidateInit} candidate */
  add(candidate) {
    if (this.#pc.remoteDescription === null) this.#early.push(candidate);
    else this.#apply(candidate);
  }

  /** The gateway has answered: both sides can use the candidates that waited. */
  answered() {
    for (const candidate of this.#early.splice(0)) this.#apply(candidate);
    this.#sendOwn();
  }

  /** The offer was rolled back. Local candidates go with it, unless an earlier offer was answered. */
  takenBack() {
    if (this.#pc.remoteDescription === null) this.#own = [];
  }

  /** Stops sending candidates. */
  close() {
    this.#pc.onicecandidate = null;
  }

  #sendOwn() {
    if (this.#held || this.#pc.remoteDescription === null) return;
    for (const message of this.#own.splice(0)) this.#send(message);
  }

  /** @param {RTCIceCandidateInit} candidate */
  #apply(candidate) {
    // A candidate of an earlier ICE generation, or one this browser cannot use, is harmless: there are others.
    this.#pc.addIceCandidate(candidate).catch(() => {});
  }
}
