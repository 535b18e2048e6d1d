/** @file The panels with which people send their own camera to the robot. */

import { isOwn } from '../base/holder.js';
import { takesCamera } from '../waldo.js';
import { ConfirmButton } from './confirm.js';
import { byId, make, setData, setText } from './dom.js';
import { shareStatus } from './sharewords.js';
import { Webcam } from './webcam.js';

/** @typedef {import('../robot/robot.js').Robot} Robot */

/** The panels of all devices of the kind `peer`. */
export class SharePanels {
  #robot;
  #announce;
  #section = byId('shares', HTMLElement);
  /** @type {Map<string, SharePanel>} */
  #panels = new Map();

  /** @param {Robot} robot @param {(text: string) => void} announce */
  constructor(robot, announce) {
    this.#robot = robot;
    this.#announce = announce;
  }

  /** Shows new devices. The panel of one is hidden while the robot has none such, and while a program sends to it. */
  describe() {
    for (const d of this.#robot.devices) {
      if (this.#panels.has(d.name) || !takesCamera(d)) continue;
      const panel = new SharePanel(this.#robot, d.name, this.#announce);
      this.#panels.set(d.name, panel);
      this.#section.append(panel.element);
    }
    for (const [name, panel] of this.#panels) {
      const device = this.#robot.devices.find((d) => d.name === name);
      panel.element.hidden = this.#robot.complete && (!device || device.attributes.via === 'grpc');
    }
    this.#section.hidden = ![...this.#panels.values()].some((panel) => !panel.element.hidden);
  }

  /** Updates what changes with time. Called ten times a second; a hidden page need not. */
  tick() {
    for (const panel of this.#panels.values()) panel.tick();
  }
}

/** The panel of one device. It carries `data-device` and `data-share` for styles and tests. */
class SharePanel {
  element;

  #robot;
  #announce;
  #sharing;
  #webcam = new Webcam();
  #button;
  #preview = make('video', {
    class: 'preview', muted: '', playsinline: '', autoplay: '', hidden: '', 'aria-label': 'Your camera',
  });
  #why = make('p', { class: 'sound-why', 'data-why': 'sharing', role: 'status' });
  #problem = make('p', { class: 'problem', role: 'alert', hidden: '' });
  #camera = make('select', { 'aria-label': 'Which camera', hidden: '' });
  #sound = make('input', { type: 'checkbox', checked: '' });
  /** What stands in the list of cameras. */
  #listed = '';
  /** Counts attempts to share, so that one that was cancelled does not begin. */
  #attempt = 0;
  #asking = false;
  /** @type {import('../media/sharing.js').Share|null} */
  #share = null;

  /** @param {Robot} robot @param {string} device @param {(text: string) => void} announce */
  constructor(robot, device, announce) {
    this.#robot = robot;
    this.#announce = announce;
    this.#sharing = robot.sharing(device);
    const button = make('button', { type: 'button', class: 'button share' }, 'Share camera');
    this.#button = new ConfirmButton(button, () => this.#press());
    this.#preview.muted = true;
    this.element = make('section', {
      class: 'panel sound share-panel', 'data-device': device, 'data-share': 'off',
      'aria-label': `Your camera for ${device}`,
    },
      make('div', { class: 'sound-head' }, make('h2', {}, 'Your camera ', make('span', { class: 'count' }, device))),
      make('div', { class: 'sound-row' }, button, make('div', { class: 'meters' }, this.#camera, this.#why)),
      this.#preview, this.#problem,
      make('label', { class: 'clean' }, this.#sound, 'With my microphone'));
    this.#camera.addEventListener('change', () => this.#share && void this.#begin(false));
    this.#sharing.addEventListener('state', () => this.#changed());
  }

  /** Updates the panel. */
  tick() {
    const { state, publisher } = this.#sharing;
    const status = shareStatus({
      asking: this.#asking, sharing: this.#share !== null, state, publisher, own: this.#robot.holder,
    });
    setData(this.element, { share: status.state, publisher });
    this.#button.show(status.button, status.question);
    const lacked = this.#share || this.#asking ? '' : this.#robot.lacks('driver', 'Sharing');
    this.#button.forbid(lacked);
    setText(this.#why, lacked || status.text);
    setText(this.#problem, this.#webcam.problem);
    this.#problem.hidden = this.#webcam.problem === '';
  }

  #press() {
    const { publisher } = this.#sharing;
    if (this.#share || this.#asking) this.#end();
    else void this.#begin(publisher !== '' && !isOwn(publisher, this.#robot.holder));
    this.tick();
  }

  /** @param {boolean} take */
  async #begin(take) {
    const attempt = (this.#attempt += 1);
    this.#asking = true;
    this.#announce('Allow the camera in the browser');
    const stream = await this.#webcam.open(this.#camera.value, this.#sound.checked);
    if (attempt !== this.#attempt) return;
    this.#asking = false;
    this.#list();
    if (!stream) {
      this.#end();
      this.#announce(this.#webcam.problem);
      return;
    }
    this.#share = this.#sharing.share(stream, { take });
    this.#preview.srcObject = stream;
    this.#preview.hidden = false;
    this.tick();
  }

  #end() {
    this.#attempt += 1;
    this.#asking = false;
    this.#share?.stop();
    this.#share = null;
    this.#webcam.close();
    this.#preview.srcObject = null;
    this.#preview.hidden = true;
  }

  /** The share may have ended by itself. */
  #changed() {
    const { state, text } = this.#sharing.state;
    if (this.#share && state === 'off') {
      this.#end();
      this.#announce(text);
    } else if (state === 'live') this.#announce('The robot has your camera');
    this.tick();
  }

  /** Lists the cameras to choose from, if there are several. */
  #list() {
    const { choices } = this.#webcam;
    const listed = JSON.stringify(choices);
    if (listed === this.#listed) return;
    this.#listed = listed;
    const { value } = this.#camera;
    this.#camera.replaceChildren(...choices.map(({ id, label }) => make('option', { value: id }, label)));
    if (choices.some(({ id }) => id === value)) this.#camera.value = value;
    this.#camera.hidden = choices.length < 2;
  }
}
