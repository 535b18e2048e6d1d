/** @file One recording: its pictures and sounds, the timeline, the events, and what can be done with it. */

import { RECORDER, timeline } from '../proto/recorder.js';
import { choose } from '../playback/choice.js';
import { overCalls, overHttp } from '../playback/pieces.js';
import { neighbour } from '../playback/lanes.js';
import { EDGE_S, SPEEDS, Stage } from '../playback/stage.js';
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
/** How often a recorder is asked what has come since, in ms; if that takes it long, a tenth of the time is enough. */
const EVERY_MS = 3000;
const REST = 10;
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
  /** @type {Map<string, Reel>} By what is in it. */
  #reels = new Map();
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
  #head = make('div', { class: 'view-head' });
  #facts = make('p', { class: 'hint' });
  #pictures = make('section', { class: 'reels', 'aria-label': 'Pictures' });
  #sounds = make('span', { class: 'steps' });
  #files = make('section', { class: 'panel files', 'aria-label': 'Files' });
  /** What the panel of files was made of. */
  #filed = '';
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
      const answer = await this.#ask();
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
    for (const reel of this.#reels.values()) reel.close();
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
  #show(of, place) {
    const { recording, streams, events } = of;
    const duration = recording.durationMs / 1000;
    const stage = this.stage = new Stage(duration, () => performance.now(), recording.open);
    const go = (/** @type {number} */ to) => this.go(to);
    this.#line = new Timeline({ streams, events, duration }, go);
    this.#list = new EventList(go);
    this.#audit = new AuditPanel(recording.startMs, this.#handlers.announce);
    this.#head.replaceChildren(make('h2', {}, startWords(recording.startMs)), this.#facts);
    if (recording.open) this.#head.append(make('span', { class: 'tag', 'data-tag': 'open' }, 'recording'));
    this.element.replaceChildren(this.#head, this.#problem,
      make('div', { class: 'watch-part' }, this.#pictures, this.#bar(recording.open), this.#line.element),
      make('aside', { class: 'side-part', 'aria-label': 'Events and files' }, this.#list.element, this.#audit.element, this.#files));
    this.#fill(of);
    setData(this.element, { state: 'shown' });
    stage.addEventListener('change', () => this.#changed());
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    stage.seek(place);
    if (recording.open) void this.#follow();
  }

  /** Fills in what becomes more while it is recorded. @param {import('../proto/recorder.js').Timeline} of */
  #fill({ recording, streams, events, leftOut }) {
    this.#events = events.sort((a, b) => a.startS - b.startS);
    this.#list?.update(this.#events, leftOut);
    this.#audit?.update(this.#events);
    this.#addReels(streams, { duration: recording.durationMs / 1000, growing: recording.open });
    const { durationMs, bytes, devices, files, open } = recording;
    setText(this.#facts, [placeWords(durationMs / 1000, false), sizeWords(bytes), devices.join(', ')].filter(Boolean).join(' · '));
    const filed = JSON.stringify([files, open]);
    if (filed !== this.#filed) this.#showFiles(recording);
    this.#filed = filed;
    this.#say(recording.problem);
    if (open) return;
    for (const element of this.element.querySelectorAll('[data-tag="open"], .live-edge')) element.remove();
  }

  /** Takes in what has come since, until the recording is complete. */
  async #follow() {
    for (let [took, open] = [0, true]; open;) {
      await new Promise((done) => setTimeout(done, Math.max(EVERY_MS, REST * took)));
      if (this.#closed) return;
      if (document.hidden) continue;
      const began = performance.now();
      try {
        const of = timeline(await this.#ask());
        if (this.#closed) return;
        const duration = of.recording.durationMs / 1000;
        open = of.recording.open;
        this.#fill(of);
        this.#line?.grow({ streams: of.streams, events: of.events, duration });
        this.stage?.grow(duration, open);
        this.#draw();
      } catch (error) {
        if (this.#closed) return;
        this.#say(`What has been recorded since cannot be shown: ${/** @type {Error} */ (error).message}`);
      }
      took = performance.now() - began;
    }
  }

  #ask() {
    return this.#robot.call(this.#of.recorder, RECORDER.timeline, { name: this.#of.name }, { timeoutMs: TIMELINE_MS });
  }

  /** @param {import('../proto/recorder.js').RecordedStream[]} streams @param {{duration: number, growing: boolean}} of */
  #addReels(streams, of) {
    const supported = (/** @type {string} */ type) => mediaSources()?.isTypeSupported(type) ?? false;
    for (const choice of choose(streams, supported)) {
      const { device, kind, plays, stream: { stream } } = choice;
      const key = JSON.stringify(kind === 'video' ? [kind, device] : [kind, device, stream]);
      const before = this.#reels.get(key);
      if (before && (before.track || !plays)) continue;
      const address = { ...this.#of, device, stream };
      const source = this.#remote ? overCalls(address, this.#robot.call) : overHttp(address, (...args) => fetch(...args));
      const reel = new Reel(choice, source, of);
      this.#reels.set(key, reel);
      if (before) before.element.replaceWith(reel.element);
      else (kind === 'video' ? this.#pictures : this.#sounds).append(reel.element);
      if (reel.track) this.stage?.add(reel.track, kind === 'audio');
    }
    const pictures = this.#pictures.querySelectorAll('figure').length;
    setData(this.#pictures, { count: String(pictures) });
    const none = this.#pictures.querySelector('.hint');
    if (pictures > 0) none?.remove();
    else if (!none) this.#pictures.append(make('p', { class: 'hint' }, 'No picture was recorded.'));
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
    for (const reel of this.#reels.values()) reel.show(place, waiting || !playing);
    this.#line?.show(place);
    this.#list?.show(place);
    this.#audit?.show(place);
  }

  /** @param {boolean} growing */
  #bar(growing) {
    this.#play.onclick = () => this.toggle();
    const button = (/** @type {string} */ words, /** @type {string} */ label, /** @type {() => void} */ run) => {
      const made = make('button', { class: 'button', type: 'button', title: label, 'aria-label': label }, words);
      made.addEventListener('click', run);
      return made;
    };
    const speed = make('select', { class: 'field', 'aria-label': 'Speed' },
      ...SPEEDS.map((s) => make('option', s === 1 ? { value: '1', selected: '' } : { value: String(s) }, `${s}×`)));
    speed.addEventListener('change', () => this.stage && (this.stage.speed = Number(speed.value)));
    const edge = button('Live', 'Play what was recorded last, and go on', () => this.#goLive());
    edge.classList.add('live-edge');
    return make('div', { class: 'transport', role: 'group', 'aria-label': 'Playing' },
      this.#play, this.#place, ...growing ? [edge] : [],
      make('span', { class: 'steps' },
        button('−10 s', '10 seconds back', () => this.skip(-10)), button('+10 s', '10 seconds on', () => this.skip(10)),
        button('‹ event', 'Previous event', () => this.step(-1)), button('event ›', 'Next event', () => this.step(1))),
      speed, this.#sounds);
  }

  /** Plays near the end of what is still being recorded. */
  #goLive() {
    if (!this.stage) return;
    this.go(this.stage.duration - EDGE_S);
    this.stage.play();
  }

  /** @param {import('../proto/recorder.js').Recording} r */
  #showFiles(r) {
    const files = r.files.length > 0 ? r.files : [r.name];
    const part = this.#files;
    part.replaceChildren(make('h2', {}, files.length > 1 ? `Files (${files.length})` : 'File'));
    if (this.#remote) {
      part.append(make('p', { class: 'hint' }, ...files.flatMap((f) => [make('code', {}, f), ' ']),
        'Files are downloaded in the robot’s own network, not through a rendezvous server.'));
    } else {
      part.append(make('ul', {}, ...files.map((f) => make('li', {}, this.#download(f)))));
    }
    part.append(make('p', { class: 'hint' }, 'To look at it again as if it were live, with all devices:'), commandLine(replayCommand(files), this.#handlers.announce));
    part.append(this.#remove(r));
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
