/** @file One recording: its pictures and sounds, the timeline, the events, and what can be done with it. */

import { RECORDER, timeline } from '../proto/recorder.js';
import { choose } from '../playback/choice.js';
import { overCalls, overHttp } from '../playback/pieces.js';
import { neighbour } from '../playback/lanes.js';
import { SPEEDS, Stage } from '../playback/stage.js';
import { mediaSources } from '../playback/track.js';
import { AuditPanel } from './auditpanel.js';
import { commandLine } from './commandline.js';
import { ConfirmButton } from './confirm.js';
import { make, setData, setText } from './dom.js';
import { EventList } from './eventlist.js';
import { Reel } from './reel.js';
import { placeWords, replayCommand, sizeWords, startWords } from './recordingwords.js';
import { Timeline } from './timeline.js';

/** How often everything is moved on, in ms. */
const TICK_MS = 40;
/** How long a recorder may take to look through a recording, in ms. */
const TIMELINE_MS = 15_000;

/**
 * @typedef {import('../robot/robot.js').Robot} Robot
 * @typedef {object} ViewHandlers
 * @property {() => void} gone Called when the recording was deleted.
 * @property {(place: number) => void} moved Called when somebody has gone to a place.
 * @property {(text: string) => void} announce
 */

/** The view. It is empty until {@link RecordingView.open} has asked the recorder. */
export class RecordingView {
  element = make('div', { class: 'recording' });
  /** @type {Stage|null} Null until the recording is there. */
  stage = null;

  #robot;
  #of;
  #remote;
  #handlers;
  /** @type {Reel[]} */
  #reels = [];
  /** @type {Timeline|null} */
  #line = null;
  /** @type {EventList|null} */
  #list = null;
  /** @type {AuditPanel|null} */
  #audit = null;
  /** @type {import('../proto/recorder.js').TimelineEvent[]} */
  #events = [];
  #timer = 0;
  #closed = false;
  #play = make('button', { class: 'button play', type: 'button', 'aria-keyshortcuts': 'k' }, 'Play');
  #place = make('output', { class: 'place' });
  #problem = make('p', { class: 'problem', role: 'status', hidden: '' });

  /**
   * @param {Robot} robot
   * @param {{recorder: string, name: string}} of
   * @param {boolean} remote Whether the robot is reached through a rendezvous server.
   * @param {ViewHandlers} handlers
   */
  constructor(robot, of, remote, handlers) {
    this.#robot = robot;
    this.#of = of;
    this.#remote = remote;
    this.#handlers = handlers;
    this.element.append(this.#problem);
  }

  /** Asks for the recording, and shows it from a place on. @param {number} place In s. */
  async open(place) {
    setText(this.#problem, '');
    setData(this.element, { state: 'loading' });
    try {
      const answer = await this.#robot.call(this.#of.recorder, RECORDER.timeline, { name: this.#of.name }, { timeoutMs: TIMELINE_MS });
      if (this.#closed) return;
      this.#show(timeline(answer), place);
    } catch (error) {
      if (this.#closed) return;
      setData(this.element, { state: 'failed' });
      this.#say(`This recording cannot be shown: ${/** @type {Error} */ (error).message}`);
    }
  }

  close() {
    this.#closed = true;
    clearInterval(this.#timer);
    this.stage?.close();
    for (const reel of this.#reels) reel.close();
    this.#line?.close();
    this.element.remove();
  }

  /** Plays or pauses. */
  toggle() {
    if (this.stage?.playing) this.stage.pause();
    else this.stage?.play();
  }

  /** @param {number} place In s. */
  go(place) {
    this.stage?.seek(place);
    this.#handlers.moved(this.stage?.place ?? 0);
  }

  /** @param {number} by In s. */
  skip(by) {
    if (this.stage) this.go(this.stage.place + by);
  }

  /** Goes to the next event, or the one before. @param {1|-1} direction */
  step(direction) {
    const event = this.stage && neighbour(this.#events, this.stage.place, direction);
    if (event) this.go(event.startS);
  }

  /** @param {string} problem */
  #say(problem) {
    setText(this.#problem, problem);
    this.#problem.hidden = problem === '';
  }

  /** @param {import('../proto/recorder.js').Timeline} of @param {number} place */
  #show({ recording, streams, events, leftOut }, place) {
    const duration = recording.durationMs / 1000;
    this.#events = events.sort((a, b) => a.startS - b.startS);
    const stage = this.stage = new Stage(duration, () => performance.now());
    const supported = (/** @type {string} */ type) => mediaSources()?.isTypeSupported(type) ?? false;
    for (const choice of choose(streams, supported)) {
      const address = { ...this.#of, device: choice.device, stream: choice.stream.stream };
      const source = this.#remote ? overCalls(address, this.#robot.call) : overHttp(address, (...args) => fetch(...args));
      const reel = new Reel(choice, source, duration);
      this.#reels.push(reel);
      if (reel.track) stage.add(reel.track, choice.kind === 'audio');
    }
    const go = (/** @type {number} */ to) => this.go(to);
    this.#line = new Timeline({ streams, events, duration }, go);
    this.#list = new EventList(events, leftOut, go);
    this.#audit = new AuditPanel(events, recording.startMs, this.#handlers.announce);
    const pictures = this.#reels.filter((r) => r.element.tagName === 'FIGURE').map((r) => r.element);
    const stagePart = make('section', { class: 'reels', 'aria-label': 'Pictures', 'data-count': String(pictures.length) }, ...pictures);
    if (pictures.length === 0) stagePart.append(make('p', { class: 'hint' }, 'No picture was recorded.'));
    this.element.replaceChildren(this.#head(recording), this.#problem,
      make('div', { class: 'watch-part' }, stagePart, this.#bar(), this.#line.element),
      make('aside', { class: 'side-part', 'aria-label': 'Events and files' }, this.#list.element, this.#audit.element,
        this.#files(recording)));
    this.#say(recording.problem);
    setData(this.element, { state: 'shown' });
    stage.addEventListener('change', () => this.#changed());
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    stage.seek(place);
  }

  #tick() {
    this.stage?.tick();
    this.#draw();
  }

  #changed() {
    if (!this.stage?.playing) this.#handlers.moved(this.stage?.place ?? 0);
    this.#draw();
  }

  #draw() {
    const { stage } = this;
    if (!stage) return;
    const { place, playing, waiting } = stage;
    setText(this.#play, playing ? 'Pause' : 'Play');
    setData(this.element, { playing: String(playing), waiting: String(waiting) });
    setText(this.#place, `${placeWords(place)} / ${placeWords(stage.duration)}`);
    for (const reel of this.#reels) reel.show(place, waiting || !playing);
    this.#line?.show(place);
    this.#list?.show(place);
    this.#audit?.show(place);
  }

  /** @param {import('../proto/recorder.js').Recording} r */
  #head(r) {
    const facts = [placeWords(r.durationMs / 1000, false), sizeWords(r.bytes), r.devices.join(', ')].filter(Boolean).join(' · ');
    const head = make('div', { class: 'view-head' }, make('h2', {}, startWords(r.startMs)), make('p', { class: 'hint' }, facts));
    if (!r.open) return head;
    const again = make('button', { class: 'button', type: 'button' }, 'Show what has come since');
    again.addEventListener('click', () => this.#reopen());
    head.append(make('span', { class: 'tag', 'data-tag': 'open' }, 'recording'), again);
    return head;
  }

  /** Asks again for the recording, which has grown. */
  #reopen() {
    const place = this.stage?.place ?? 0;
    clearInterval(this.#timer);
    this.stage?.close();
    this.#line?.close();
    this.#reels = [];
    void this.open(place);
  }

  #bar() {
    this.#play.onclick = () => this.toggle();
    const button = (/** @type {string} */ words, /** @type {string} */ label, /** @type {() => void} */ run) => {
      const made = make('button', { class: 'button', type: 'button', title: label, 'aria-label': label }, words);
      made.addEventListener('click', run);
      return made;
    };
    const speed = make('select', { class: 'field', 'aria-label': 'Speed' },
      ...SPEEDS.map((s) => make('option', s === 1 ? { value: '1', selected: '' } : { value: String(s) }, `${s}×`)));
    speed.addEventListener('change', () => this.stage && (this.stage.speed = Number(speed.value)));
    const sounds = this.#reels.filter((r) => r.element.tagName === 'BUTTON').map((r) => r.element);
    return make('div', { class: 'transport', role: 'group', 'aria-label': 'Playing' },
      this.#play, this.#place,
      make('span', { class: 'steps' },
        button('−10 s', '10 seconds back', () => this.skip(-10)), button('+10 s', '10 seconds on', () => this.skip(10)),
        button('‹ event', 'Previous event', () => this.step(-1)), button('event ›', 'Next event', () => this.step(1))),
      speed, ...sounds);
  }

  /** @param {import('../proto/recorder.js').Recording} r */
  #files(r) {
    const files = r.files.length > 0 ? r.files : [r.name];
    const part = make('section', { class: 'panel files', 'aria-label': 'Files' }, make('h2', {}, files.length > 1 ? `Files (${files.length})` : 'File'));
    if (this.#remote) {
      part.append(make('p', { class: 'hint' }, ...files.flatMap((f) => [make('code', {}, f), ' ']),
        'Files are downloaded in the robot’s own network, not through a rendezvous server.'));
    } else {
      part.append(make('ul', {}, ...files.map((f) => make('li', {}, this.#download(f)))));
    }
    part.append(make('p', { class: 'hint' }, 'To look at it again as if it were live, with all devices:'), commandLine(replayCommand(files), this.#handlers.announce));
    part.append(this.#remove(r));
    return part;
  }

  /** @param {string} file */
  #download(file) {
    const href = `recordings/file/${encodeURIComponent(this.#of.recorder)}/${encodeURIComponent(file)}`;
    return make('a', { href, download: file }, file);
  }

  /** @param {import('../proto/recorder.js').Recording} r */
  #remove(r) {
    const button = make('button', { class: 'button', type: 'button' });
    const confirm = new ConfirmButton(button, async () => {
      try {
        await this.#robot.call(this.#of.recorder, RECORDER.remove, { name: this.#of.name });
      } catch (error) {
        const { code, message } = /** @type {import('../channels/calls.js').CallError} */ (error);
        if (code !== 'NOT_FOUND') { // somebody else did it, or the answer to an earlier press was lost
          this.#say(`It was not deleted: ${message}`);
          return;
        }
      }
      this.#handlers.announce('Deleted');
      this.#handlers.gone();
    });
    confirm.show('Delete', 'Really delete it, for good?');
    confirm.forbid(r.open ? 'It is being recorded: stop that first' : this.#robot.lacks('admin', 'Deleting'));
    return button;
  }
}
