/** @file The drive panel: who drives, with which inputs, and how good the link to the robot is. */

import { Gamepad, Keyboard, TouchStick } from '../waldo.js';
import { isOwn } from '../base/holder.js';
import { AxisRows } from './axes.js';
import { ConfirmButton, KeyForm } from './confirm.js';
import { byId, make, setData, setText } from './dom.js';
import { DriveHint } from './drivehint.js';
import { driveStatus } from './drivewords.js';
import { count, firstSentence, milliseconds } from './format.js';
import { motorsStatus, pictureWarning, sightWarning } from './motorwords.js';
import { padName, padNotes } from './padwords.js';
import { replayedFrom, replayedWords } from './recorderwords.js';

/** @typedef {import('../robot/robot.js').Robot} Robot */

/** How often the panel checks whether what it shows is still true, in ms. */
const LOOK_MS = 50;

/** The panel. It carries `data-drive`, `data-motors`, `data-pictures` and `data-holder` for styles and tests. */
export class DrivePanel {
  #robot;
  #drive;
  #announce;
  #panel = byId('drive', HTMLElement);
  #status = byId('drive-status', HTMLElement);
  #why = byId('drive-why', HTMLElement);
  #motors = byId('drive-motors', HTMLElement);
  #warning = byId('drive-picture', HTMLElement);
  #pictures;
  #said = '';
  /** @type {import('../control/control.js').Control|null} The control that is listened to. */
  #watched = null;
  #pill = byId('drive-pill', HTMLElement);
  #values = byId('drive-values', HTMLElement);
  #quality = byId('drive-quality', HTMLElement);
  #pad = byId('drive-pad', HTMLElement);
  #doubts = byId('drive-pad-doubts', HTMLElement);
  /** What stands there. */
  #notes = '';
  #stick = byId('stick', HTMLElement);
  #hint;
  #keyboard = new Keyboard();
  #gamepad = new Gamepad();
  #touch = new TouchStick(this.#stick);
  #rows = new AxisRows(this.#keyboard);
  #button = new ConfirmButton(byId('drive-button', HTMLButtonElement), () => this.#toggle(''));
  #key = new KeyForm('Take over', (key) => this.#toggle(key));
  /** Whether the last start was to take over. */
  #took = false;

  /**
   * @param {Robot} robot
   * @param {(text: string) => void} announce
   * @param {() => import('./motorwords.js').Shown[]} pictures Those that a driver watches.
   */
  constructor(robot, announce, pictures) {
    this.#robot = robot;
    this.#hint = new DriveHint(robot);
    this.#pictures = pictures;
    this.#announce = announce;
    this.#drive = robot.drive();
    for (const input of [this.#keyboard, this.#gamepad, this.#touch]) this.#drive.use(input);
    byId('drive-axes', HTMLElement).append(this.#rows.element);
    // The keys now belong to driving, not to the clicked button.
    this.#button.element.addEventListener('click', (event) => event.detail > 0 && this.#drive.state !== 'off' && this.#button.element.blur());
    byId('drive-head', HTMLElement).append(this.#key.element);
    this.#drive.addEventListener('config', () => this.#configured());
    this.#drive.addEventListener('state', () => this.#changed());
    this.#touch.addEventListener('change', () => this.#moved());
    setInterval(() => document.hidden || this.look(), LOOK_MS);
    this.#configured();
  }

  /** Shows the present state of the motors and the pictures. */
  look() {
    if (this.#drive.config !== null) this.#showState();
  }

  /** Updates what changes with time. Called several times a second. */
  tick() {
    const drive = this.#drive;
    this.#panel.hidden = drive.config === null;
    this.#hint.show(drive.config === null ? this.#robot.actuators[0] ?? '' : '');
    if (drive.config === null) return;
    this.#showState();
    this.#rows.show(drive.axes);
    this.#showValues();
    setText(this.#pad, this.#gamepad.name && `Gamepad: ${padName(this.#gamepad.name)}`);
    const notes = padNotes(this.#gamepad.doubts);
    if (notes.join('\n') !== this.#notes) this.#doubts.replaceChildren(...notes.map((note) => make('li', {}, note)));
    this.#notes = notes.join('\n');
  }

  #showState() {
    const drive = this.#drive;
    const state = drive.control?.state ?? null;
    const name = drive.config?.device ?? '';
    const device = this.#robot.devices.find((d) => d.name === name) ?? null;
    const other = state && !isOwn(state.holder, drive.holder) ? state.holder : '';
    const motors = motorsStatus({
      name, link: this.#robot.state, device, state, known: drive.control?.known ?? false, ageMs: drive.control?.ageMs ?? Infinity,
      holder: drive.holder, refusal: drive.refusal,
    });
    const own = drive.state !== 'off' && other === '';
    const sight = own ? sightWarning(state, drive.seenMs) : '';
    const warning = drive.state === 'off' ? '' : join(sight, this.#picturesAway(state?.sight?.camera, sight !== ''));
    const atRest = drive.inputs.every((input) => input.atRest);
    const status = driveStatus({
      name, drive, device, state, other, atRest, nowMs: this.#robot.gatewayNowMs, motors: motors.state, warning,
      speed: sight && state?.sight ? state.sight.speed : 1,
    });
    setData(this.#panel, {
      drive: drive.state, motors: motors.state, pictures: warning ? 'away' : 'live', holder: state?.holder ?? '',
      sight: sight === '' ? 'clear' : state?.sight?.speed === 0 ? 'blind' : 'slowed',
    });
    setText(this.#motors, motors.text);
    setText(this.#warning, warning);
    this.#alarm(motors.state, warning);
    setText(this.#status, status.text);
    setText(this.#why, status.why);
    setText(this.#pill, status.pill);
    setData(this.#pill, { state: drive.state === 'driving' && status.pill !== 'You drive' ? 'lost' : drive.state });
    const lacked = drive.state !== 'off' ? '' : this.#robot.lacks(other === '' ? 'driver' : 'operator', other === '' ? 'Driving' : 'Taking over');
    this.#button.forbid(lacked || replayedWords(name, replayedFrom(device)));
    if (lacked !== '') setText(this.#why, lacked);
    if (drive.state !== 'off') this.#button.show('Stop');
    else if (other !== '') this.#button.show('Take over', 'Really take over?');
    else this.#button.show('Drive');
  }

  /**
   * Which pictures do not show the present.
   * @param {string} [camera] The camera that the driver must see.
   * @param {boolean} [told] Whether its age has been told: then the text has only the cause.
   */
  #picturesAway(camera = '', told = false) {
    const pictures = this.#pictures();
    if (!told) return pictureWarning(pictures, camera);
    const why = pictures.find(({ device }) => device === camera)?.picture.text ?? '';
    return join(why && firstSentence(why), pictureWarning(pictures.filter(({ device }) => device !== camera)));
  }

  /** Announces changes while driving to those who cannot see them. @param {string} motors @param {string} warning */
  #alarm(motors, warning) {
    const { state, config } = this.#drive;
    const trouble = motors === 'unknown' ? `${config?.device} is silent` : warning && 'The picture is not live';
    const word = state === 'driving' ? trouble : '';
    if (word !== '' && word !== this.#said) this.#announce(word);
    this.#said = word;
  }

  #showValues() {
    const { config, values, quality } = this.#drive;
    const keys = config?.values.map((v) => v.key) ?? [];
    pairs(this.#values, keys.map((key) => [key, values ? String(values[key]) : '–']));
    const refused = Object.values(quality?.refusals ?? {}).reduce((a, b) => a + b, 0);
    this.#quality.title = Object.entries(quality?.refusals ?? {}).map(([verdict, n]) => `${verdict} ${n}`).join(', ');
    pairs(this.#quality, [
      ['round trip', milliseconds(quality?.rttMs ?? null)],
      ['age', milliseconds(quality?.ageMs ?? null)],
      ['lost', quality?.lostPercent == null ? '–' : `${count(quality.lostPercent)} %`],
      ['refused', quality ? String(refused) : '–'],
    ]);
  }

  #configured() {
    const { config, control } = this.#drive;
    if (control !== this.#watched) {
      this.#watched = control;
      control?.addEventListener('state', () => this.look());
    }
    setText(byId('drive-device', HTMLElement), config?.device ?? '');
    const axes = config?.axes ?? [];
    void this.#rows.describe(axes);
    byId('drive-axes', HTMLElement).hidden = axes.every((a) => a.plusKeys.length + a.minusKeys.length === 0);
    this.#stick.hidden = axes.every((a) => a.touch === '');
    this.tick();
  }

  #changed() {
    const { state, why, reason } = this.#drive;
    // Only a driver needs these keys for nothing else.
    this.#keyboard.grab = state !== 'off';
    if (this.#took && reason === 'refused' && /^key:/.test(why)) this.#key.show();
    else if (state !== 'off') this.#key.hide();
    this.tick();
    const words = { driving: 'You drive', arming: 'Release the controls to start', estopped: 'E-stop is latched', lost: 'Connection lost' };
    this.#announce(state === 'off' ? why : /** @type {Record<string, string>} */ (words)[state] ?? '');
  }

  /** @param {string} key */
  #toggle(key) {
    const drive = this.#drive;
    if (drive.state !== 'off') {
      drive.stop();
      return;
    }
    const holder = drive.control?.state?.holder ?? '';
    this.#took = holder !== '' && !isOwn(holder, drive.holder);
    drive.start({ take: this.#took, key });
  }

  #moved() {
    this.#stick.style.setProperty('--x', this.#touch.x.toFixed(3));
    this.#stick.style.setProperty('--y', this.#touch.y.toFixed(3));
    setData(this.#stick, { held: String(!this.#touch.atRest) });
    this.#rows.show(this.#drive.axes);
  }
}

/** @param {string[]} sentences Those that are empty are left out. */
function join(...sentences) {
  return sentences.filter((s) => s !== '').join('. ');
}

/**
 * Shows names with values; existing rows only get new values.
 * @param {HTMLElement} list
 * @param {[string, string][]} rows
 */
function pairs(list, rows) {
  const names = rows.map(([name]) => name).join('\n');
  if (list.dataset.names !== names) {
    list.dataset.names = names;
    list.replaceChildren(...rows.map(([name]) => make('div', {}, make('dt', {}, name), make('dd'))));
  }
  rows.forEach(([, value], i) => setText(/** @type {HTMLElement} */ (list.children[i].lastChild), value));
}
