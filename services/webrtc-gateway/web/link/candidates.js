/** @file The ICE candidates of a connection, both ways. They trickle: each is sent as soon as it can be of use. */

/** @import { PeerMessageJson } from '../proto/gen/waldo/signaling/v1/signaling_pb.js' */

/** The candidates of one connection. */
export class Candidates {
  /** How many of our own were found. */
  gathered = 0;

  #pc;
  #send;
  /** @type {RTCIceCandidateInit[]} The gateway's that came before its answer. */
  #early = [];
  /**
   * @type {PeerMessageJson[]} Our own that are not sent yet: until its first answer the gateway has no use for them. Nothing is
   * lost by that, because the gateway learns our address from the packets we send.
   */
  #own = [];

  /** @param {RTCPeerConnection} pc @param {(message: PeerMessageJson) => void} send */
  constructor(pc, send) {
    this.#pc = pc;
    this.#send = send;
    pc.onicecandidate = ({ candidate: c }) => {
      // The empty one ends a generation; the gateway does not wait for the end.
      if (!c || c.candidate === '') return;
      this.gathered += 1;
      this.#own.push({ candidate: { candidate: c.candidate, sdpMid: c.sdpMid ?? '', sdpMlineIndex: c.sdpMLineIndex ?? 0 } });
      if (this.#pc.remoteDescription !== null) this.#sendOwn();
    };
  }

  /** Takes in one of the gateway's. @param {RTCIceCandidateInit} candidate */
  add(candidate) {
    if (this.#pc.remoteDescription === null) this.#early.push(candidate);
    else this.#apply(candidate);
  }

  /** The gateway has answered: both sides can use what has waited. */
  answered() {
    for (const candidate of this.#early.splice(0)) this.#apply(candidate);
    this.#sendOwn();
  }

  /** The offer was taken back. Our candidates went with it, unless there was an answer before. */
  takenBack() {
    if (this.#pc.remoteDescription === null) this.#own = [];
  }

  /** Sends none from now on. */
  close() {
    this.#pc.onicecandidate = null;
  }

  #sendOwn() {
    for (const message of this.#own.splice(0)) this.#send(message);
  }

  /** @param {RTCIceCandidateInit} candidate */
  #apply(candidate) {
    // A candidate of an earlier ICE generation, or one this browser cannot use, does no harm: there are others.
    this.#pc.addIceCandidate(candidate).catch(() => {});
  }
}
