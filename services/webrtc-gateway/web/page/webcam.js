/** @file This machine's own camera, with its microphone. */

import { captureProblem } from './soundwords.js';

/** The picture that is asked for; browsers take what comes closest. */
const WANTED = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30, max: 30 } };

/** A camera to choose. @typedef {{id: string, label: string}} Choice */

/** The camera. */
export class Webcam {
  /** Why it is not available, and what to do; empty if nothing is known to be wrong. */
  problem = '';
  /** @type {Choice[]} The cameras there are. Browsers name them only once one has been allowed. */
  choices = [];

  /** @type {MediaStream|null} */
  #stream = null;

  /**
   * Opens it. Call it on a click, because browsers ask people only then.
   * @param {string} id The camera; empty for the browser's choice.
   * @param {boolean} sound Whether with a microphone. Without one the camera is opened alone.
   * @returns {Promise<MediaStream|null>} Null if it is not available; {@link Webcam.problem} says why.
   */
  async open(id, sound) {
    this.close();
    try {
      if (!navigator.mediaDevices) throw new DOMException('', isSecureContext ? 'NotSupportedError' : 'SecurityError');
      const video = id ? { ...WANTED, deviceId: { exact: id } } : WANTED;
      this.#stream = await capture(video, sound);
      this.problem = '';
      const all = await navigator.mediaDevices.enumerateDevices();
      this.choices = all.filter((d) => d.kind === 'videoinput').map((d, i) => ({ id: d.deviceId, label: d.label || `Camera ${i + 1}` }));
    } catch (error) {
      const { name } = /** @type {DOMException} */ (error);
      this.problem = captureProblem('camera', name, isSecureContext, location);
    }
    return this.#stream;
  }

  /** Closes it. */
  close() {
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#stream = null;
  }
}

/** @param {MediaTrackConstraints} video @param {boolean} audio */
async function capture(video, audio) {
  try {
    return await navigator.mediaDevices.getUserMedia({ video, audio });
  } catch (error) {
    // A machine may have a camera and no microphone.
    if (!audio || /** @type {DOMException} */ (error).name !== 'NotFoundError') throw error;
    return await navigator.mediaDevices.getUserMedia({ video });
  }
}
