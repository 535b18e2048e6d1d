/** @file The sound panels: listening to each device, and talking through it. */

import { browserEnv } from '../base/env.js';
import { inField } from '../inputs/keyboard.js';
import { hasMicrophone, hasSpeaker } from '../waldo.js';
import { byId, make, setData, setText } from './dom.js';
import { Meter } from './meter.js';
import { Microphone } from './microphone.js';
import { talkStatus, whoTalks } from './soundwords.js';

/** The key that talks, as KeyboardEvent.code calls it. */
const TALK_KEY = 'KeyT';
/** Phones have no keyboard. */
const THUMBS = matchMedia('(hover: none) and (pointer: coarse)');

/** @typedef {import('../robot/robot.js').Robot} Robot */

/** The panels of all devices with sound. */
export class SoundPanels {
  #robot;
  #announce;
  #section = byId('sounds', HTMLElement);
  #microphone = new Microphone();
  /** @type {Map<string, SoundPanel>} */
  #panels = new Map();

  /** @param {Robot} robot @param {(text: string) => void} announce */
  constructor(robot, announce) {
    this.#robot = robot;
    this.#announce = announce;
    browserEnv().onAway((why) => this.#lapse(why));
    document.addEventListener('keydown', (event) => this.#down(event));
    document.addEventListener('keyup', (event) => event.code === TALK_KEY && this.#release('key'));
  }

  /** Shows new devices; a panel stays once it exists. */
  describe() {
    for (const d of this.#robot.devices) {
      let panel = this.#panels.get(d.name);
      if (!panel) {
        if (!hasMicrophone(d) && !hasSpeaker(d)) continue;
        panel = new SoundPanel(this.#robot, d.name, this.#microphone, this.#announce);
        this.#panels.set(d.name, panel);
        this.#section.append(panel.element);
      }
      panel.describe(d);
    }
    this.#section.hidden = this.#panels.size === 0;
  }

  /** Updates what changes with time. Called ten times a second; a hidden page need not. */
  tick() {
    const keyed = this.#keyed;
    for (const panel of this.#panels.values()) panel.tick(panel === keyed && !THUMBS.matches);
  }

  /** The panel that the key talks through: the first with a speaker, unless the key drives. */
  get #keyed() {
    const axes = this.#robot.drive().config?.axes ?? [];
    if (axes.some((a) => a.plusKeys.includes(TALK_KEY) || a.minusKeys.includes(TALK_KEY))) return null;
    return [...this.#panels.values()].find((panel) => panel.speaks) ?? null;
  }

  /** @param {KeyboardEvent} event */
  #down(event) {
    if (event.code !== TALK_KEY || event.repeat || event.ctrlKey || event.metaKey || event.altKey || inField(event)) return;
    this.#keyed?.press('key');
  }

  /** @param {string} by */
  #release(by) {
    for (const panel of this.#panels.values()) panel.release(by);
  }

  /** Nothing can be held on purpose now. @param {import('../base/env.js').Lapse} why */
  #lapse(why) {
    for (const panel of this.#panels.values()) panel.lapse(why);
    // A page that nobody sees must not listen to the room.
    if (why === 'hidden' || why === 'closed') this.#microphone.close();
  }
}

/** The panel of one device. It carries `data-device`, `data-hearing` and `data-talking` for styles and tests. */
class SoundPanel {
  element;

  #robot;
  #announce;
  #sound;
  #own;
  #ear = make('audio', { autoplay: '' });
  #listen = make('button', { type: 'button', class: 'button listen', 'aria-pressed': 'false' }, 'Listen');
  #hearWhy = make('p', { class: 'sound-why', 'data-why': 'hearing' });
  #hear;
  #talkKey = make('kbd', {}, 'T');
  #talk = make('button', { type: 'button', class: 'button talk', 'aria-pressed': 'false' }, make('span', {}, 'Hold to talk'), this.#talkKey);
  #talkWhy = make('p', { class: 'sound-why', 'data-why': 'talking' });
  #who = make('p', { class: 'talkers', 'aria-live': 'polite' });
  #problem = make('p', { class: 'problem', role: 'alert', hidden: '' });
  #clean = make('input', { type: 'checkbox', checked: '' });
  #speak;
  #meters = {
    microphone: new Meter('microphone', 'Robot’s microphone'),
    own: new Meter('own', 'Your microphone'),
    speaker: new Meter('speaker', 'Robot’s speaker'),
  };
  /** @type {import('../media/listening.js').Listening|null} */
  #listening = null;
  /** @type {import('../media/talking.js').Talk|null} */
  #talking = null;
  /** @type {Set<string>} What is holding the talk button: `pointer`, `key`, `enter`. */
  #held = new Set();
  /** @type {import('../media/levels.js').Levels|null} */
  #levels = null;
  /** Why the browser does not play; empty if it does. */
  #muted = '';

  /** @param {Robot} robot @param {string} device @param {Microphone} own @param {(text: string) => void} announce */
  constructor(robot, device, own, announce) {
    this.#robot = robot;
    this.#announce = announce;
    this.#sound = robot.audio(device);
    this.#own = own;
    const { microphone, own: mine, speaker } = this.#meters;
    this.#hear = make('div', { class: 'sound-row' }, this.#listen, make('div', { class: 'meters' }, microphone.element, this.#hearWhy));
    this.#speak = make('div', { class: 'sound-row' }, this.#talk, make('div', { class: 'meters' }, mine.element, speaker.element, this.#talkWhy));
    this.element = make('section', { class: 'panel sound', 'data-device': device, 'data-hearing': 'off', 'data-talking': 'off', 'aria-label': `Sound of ${device}` },
      make('div', { class: 'sound-head' }, make('h2', {}, 'Sound ', make('span', { class: 'count' }, device)), this.#who),
      this.#hear, this.#speak, this.#problem,
      make('label', { class: 'clean' }, this.#clean, 'Remove noise and echo from my voice'), this.#ear);
    this.#bind();
  }

  /** Whether the device has a speaker. */
  get speaks() {
    return !this.#speak.hidden;
  }

  /** @param {import('../proto/signaling.js').Device} d The device's present description. */
  describe(d) {
    this.#hear.hidden = !hasMicrophone(d);
    this.#speak.hidden = this.#who.hidden = !hasSpeaker(d);
    this.element.hidden = this.#hear.hidden && this.#speak.hidden;
    /** @type {HTMLElement} */ (this.#clean.parentElement).hidden = this.#speak.hidden;
  }

  /** Updates the panel. @param {boolean} keyed Whether the key talks through this device. */
  tick(keyed) {
    this.#levels ??= this.#sound.levels;
    const levels = this.#levels.now;
    this.#meters.microphone.show(levels?.microphone ?? null);
    this.#meters.speaker.show(levels?.speaker ?? null);
    this.#meters.own.show(this.#own.level);
    setText(this.#who, levels ? whoTalks(levels.talkers.map((t) => t.name), this.#robot.holder) : '');
    setData(this.#who, { talkers: JSON.stringify(levels?.talkers.map((t) => t.name) ?? []) });
    this.#talkKey.hidden = !keyed;
    if (keyed) this.#talk.setAttribute('aria-keyshortcuts', 't');
    this.#showHearing();
    this.#showTalking(keyed);
    // The browser stops an element whose only track has ended, as happens with every new connection.
    if (this.#listening && this.#ear.paused && this.#sound.hearing.state === 'live' && !this.#muted) this.#play();
  }

  /** Something begins to hold the talk button. @param {string} by */
  press(by) {
    const first = this.#held.size === 0;
    this.#held.add(by);
    if (first) void this.#begin();
  }

  /** @param {string} by */
  release(by) {
    if (this.#held.delete(by) && this.#held.size === 0) this.#end();
  }

  /** @param {import('../base/env.js').Lapse} why */
  lapse(why) {
    for (const by of [...this.#held]) this.release(by);
    if (why !== 'hidden') return;
    // The robot need not measure levels for a page that nobody sees.
    this.#levels?.close();
    this.#levels = null;
  }

  #bind() {
    this.#listen.addEventListener('click', () => this.#toggle());
    this.#talk.addEventListener('pointerdown', (event) => {
      if (event.button !== 0) return;
      this.#talk.setPointerCapture(event.pointerId);
      this.press('pointer');
    });
    for (const type of ['pointerup', 'pointercancel', 'lostpointercapture']) {
      this.#talk.addEventListener(type, () => this.release('pointer'));
    }
    // Otherwise a long touch opens a menu.
    this.#talk.addEventListener('contextmenu', (event) => event.preventDefault());
    this.#talk.addEventListener('keydown', (event) => event.code === 'Enter' && !event.repeat && this.press('enter'));
    this.#talk.addEventListener('keyup', (event) => event.code === 'Enter' && this.release('enter'));
    this.#talk.addEventListener('blur', () => this.release('enter'));
    this.#clean.addEventListener('change', () => {
      this.#own.clean = this.#clean.checked;
      this.#own.close(); // the next talk opens it with the new setting
    });
  }

  #toggle() {
    if (this.#listening) {
      this.#listening.stop();
      this.#listening = null;
      this.#ear.srcObject = null;
    } else {
      this.#listening = this.#sound.listen();
      this.#ear.srcObject = this.#listening.stream;
      this.#muted = '';
      this.#play();
    }
    this.#showHearing();
  }

  #play() {
    this.#ear.play().catch((/** @type {DOMException} */ { name }) => {
      if (name === 'NotAllowedError') this.#muted = 'The browser plays no sound without a click: stop, then listen again';
    });
  }

  async #begin() {
    if (!this.#own.on) this.#announce('Allow the microphone in the browser');
    const track = await this.#own.open();
    // Opening it may raise a question, and nobody holds the button while answering that.
    if (track && this.#held.size > 0) {
      this.#talking = this.#sound.talk(track);
      this.#announce('Talking');
    } else if (track) this.#own.rest();
    else this.#announce(this.#own.problem);
  }

  #end() {
    if (!this.#talking) return;
    this.#talking.stop();
    this.#talking = null;
    this.#own.rest();
    this.#announce('');
  }

  #showHearing() {
    const { state, text } = this.#listening ? this.#sound.hearing : { state: 'off', text: '' };
    setData(this.element, { hearing: state });
    this.#listen.setAttribute('aria-pressed', String(this.#listening !== null));
    setText(this.#listen, this.#listening ? 'Stop listening' : 'Listen');
    setText(this.#hearWhy, this.#muted && this.#listening ? this.#muted : state === 'live' ? 'You hear it' : text);
  }

  /** @param {boolean} key */
  #showTalking(key) {
    const held = this.#held.size > 0;
    const status = talkStatus({ held, asking: this.#own.asking, open: this.#own.on, talking: this.#sound.talking, key });
    setData(this.element, { talking: status.state });
    this.#talk.setAttribute('aria-pressed', String(held));
    const lacked = held ? '' : this.#robot.lacks('driver', 'Talking');
    this.#talk.disabled = lacked !== '';
    setText(this.#talkWhy, lacked || status.text);
    const { problem } = this.#own;
    setText(this.#problem, problem);
    this.#problem.hidden = problem === '' || !this.speaks;
  }
}
