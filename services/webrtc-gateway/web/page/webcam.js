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
  /** Counts what people want, so that a camera that they have cancelled does not stay on. */
  #wish = 0;

  /**
   * Opens it. Call it on a click, because browsers ask people only then.
   * @param {string} id The camera; empty for the browser's choice.
   * @param {boolean} sound Whether with a microphone. Without one the camera is opened alone.
   * @returns {Promise<MediaStream|null>} Null if it is not available, and {@link Webcam.problem} says why; or if it was
   *   closed or opened again meanwhile.
   */
  async open(id, sound) {
    this.close();
    const wish = this.#wish;
    try {
      if (!navigator.mediaDevices) throw new DOMException('', isSecureContext ? 'NotSupportedError' : 'SecurityError');
      const video = id ? { ...WANTED, deviceId: { exact: id } } : WANTED;
      const stream = await capture(video, sound);
      if (wish !== this.#wish) {
        stop(stream);
        return null;
      }
      this.#stream = stream;
      this.problem = '';
      const all = await navigator.mediaDevices.enumerateDevices();
      this.choices = all.filter((d) => d.kind === 'videoinput').map((d, i) => ({ id: d.deviceId, label: d.label || `Camera ${i + 1}` }));
    } catch (error) {
      if (wish !== this.#wish) return null;
      const { name } = /** @type {DOMException} */ (error);
      this.problem = captureProblem('camera', name, isSecureContext, location);
    }
    return wish === this.#wish ? this.#stream : null;
  }

  /** Closes it. */
  close() {
    this.#wish += 1;
    stop(this.#stream);
    this.#stream = null;
  }
}

/** @param {MediaStream|null} stream */
function stop(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
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
