/** @file One recorded picture or sound on the page. */

import { mediaSources, Track, trackEnv, unplayable } from '../playback/track.js';
import { streamName } from '../playback/lanes.js';
import { make, setData, setText } from './dom.js';

/** A picture with its name and what is wrong with it, or a sound with a switch. */
export class Reel {
  element;

  #kind;
  #media;
  /** @type {Track|null} Null: the browser does not play it. */
  track = null;
  #note = make('p', { class: 'reel-note' });
  #problem = '';

  /**
   * @param {import('../playback/choice.js').Choice} choice
   * @param {import('../playback/pieces.js').Source} source
   * @param {{duration: number, growing: boolean}} of The duration of the recording, in s, and whether it is still being made.
   */
  constructor({ device, kind, stream, plays }, source, of) {
    this.#kind = kind;
    const name = streamName(stream);
    if (kind === 'video') {
      this.#media = make('video', { playsinline: '', 'aria-label': `Picture of ${device}` });
      this.#media.muted = true;
      this.#media.addEventListener('resize', () => this.#shape());
      this.element = make('figure', { class: 'reel', 'data-device': device },
        make('div', { class: 'reel-screen' }, this.#media, this.#note), make('figcaption', {}, name));
    } else {
      this.#media = make('audio');
      this.element = this.#switch(name, this.#media);
    }
    const media = mediaSources() !== undefined;
    if (plays && media) this.track = new Track(this.#media, source, { kind, codec: stream.codec, ...of }, trackEnv());
    else this.#problem = media ? `${unplayable(stream.codec || stream.mediaType)}. Replay the recording to see it.` : NO_MEDIA;
    this.show(0, false);
  }

  /** Updates what it says. @param {number} place In s. @param {boolean} waiting Whether all wait for something. */
  show(place, waiting) {
    const state = this.track?.stateAt(place) ?? 'failed';
    const problem = this.track ? this.track.problem : this.#problem;
    setData(this.element, { state });
    const words = state === 'empty' ? `No ${this.#kind === 'video' ? 'picture' : 'sound'} was recorded here` : state === 'missing' && waiting ? 'Loading' : '';
    // What is there already is shown, whatever is wrong with what comes next.
    const note = state === 'ready' ? '' : problem || words;
    if (this.#kind === 'video') setText(this.#note, note);
    else this.element.title = note;
  }

  close() {
    this.track?.close();
  }

  /** Gives the place of the picture its shape. */
  #shape() {
    const { videoWidth, videoHeight } = /** @type {HTMLVideoElement} */ (this.#media);
    if (videoHeight > 0) this.element.style.setProperty('--ratio', String(videoWidth / videoHeight));
  }

  /** @param {string} name @param {HTMLAudioElement} media */
  #switch(name, media) {
    const button = make('button', { class: 'button sound-switch', type: 'button', 'aria-pressed': 'true' }, `Sound: ${name}`, media);
    button.addEventListener('click', () => {
      media.muted = !media.muted;
      button.setAttribute('aria-pressed', String(!media.muted));
    });
    return button;
  }
}

const NO_MEDIA = 'This browser cannot play recordings (Media Source Extensions). Another one may, or download the files.';
