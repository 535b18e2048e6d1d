/** @file The page of the recordings: the list of them, or the one that the address names. */

import { connect } from '../waldo.js';
import { findTime, nearestTime, writeSpot } from '../playback/spot.js';
import { inField } from '../inputs/keyboard.js';
import { readStamp } from '../media/stamp.js';
import { Address } from './address.js';
import { byId, setData, setText } from './dom.js';
import { RecordingList } from './recordinglist.js';
import { RecordingView } from './recordingview.js';
import { notThenWords } from './recordingwords.js';
import { otherKeyWords, rememberLink } from './remember.js';
import { signOutButton } from './signout.js';
import { awayWords, onForbidden, showTrouble } from './trouble.js';

/** How often what changes with time is updated, in ms. */
const TICK_MS = 200;

const trusted = rememberLink(location, history, () => localStorage);
const robot = connect(undefined, trusted);
const announce = (/** @type {string} */ text) => setText(byId('announce', HTMLElement), text);
const showSignOut = signOutButton(byId('sign-out', HTMLButtonElement), announce);
const address = new Address(location, history);
const list = new RecordingList(robot);
const place = byId('view', HTMLElement);
/** @type {RecordingView|null} What is open. */
let view = null;
/** What the address named when it was opened. */
let opened = '';
let forbidden = '';

/** Shows what the address names. */
function follow() {
  const { spot } = address;
  if (spot.name === '' && spot.atMs !== null) {
    const found = findTime(list.recordings, spot.atMs);
    if (found) {
      history.replaceState(null, '', writeSpot(found));
      follow();
      return;
    }
  }
  showNotThen(spot);
  const recorder = spot.recorder || list.recordings.find((r) => r.name === spot.name)?.recorder || list.recorders[0] || '';
  const name = recorder === '' ? '' : spot.name;
  const wanted = name === '' ? '' : `${recorder}/${name}`;
  list.show(name === '');
  place.hidden = name === '';
  byId('view-keys', HTMLElement).hidden = name === '';
  setText(byId('up', HTMLElement), name === '' ? 'Recordings' : '‹ All recordings');
  if (wanted === opened) {
    if (view?.stage && spot.place !== null && Math.abs(view.stage.place - spot.place) > 0.001) view.stage.seek(spot.place);
    return;
  }
  view?.close();
  view = null;
  opened = wanted;
  if (name !== '') open(recorder, name, spot.place ?? 0);
}

/** Says that nothing was recorded at the time that the address names. @param {import('../playback/spot.js').Spot} spot */
function showNotThen({ name, atMs }) {
  if (name !== '' || !/[#&]at=/.test(location.hash)) list.note('');
  else if (atMs === null) list.note(notThenWords(null, false));
  else if (list.reaches(atMs)) list.note(notThenWords(atMs, list.recordings.length > 0), nearestTime(list.recordings, atMs));
}

/** @param {string} recorder @param {string} name @param {number} at In s. */
function open(recorder, name, at) {
  const shown = new RecordingView(robot, { recorder, name }, trusted.key !== '', {
    gone: () => {
      list.drop(recorder, name);
      address.leave();
    },
    moved: (to) => address.note({ recorder: list.recorders.length > 1 ? recorder : '', name, place: to }),
    announce,
  });
  view = shown;
  place.replaceChildren(shown.element);
  Object.assign(window, { waldo: { robot, view: shown, readStamp } }); // for tests, and for curious people
  void shown.open(at);
}

function showLink() {
  const { state } = robot;
  setData(document.body, { link: state });
  const words = { connecting: 'Connecting', live: 'Connected', 'gateway-lost': 'Gateway lost', closed: 'Closed' };
  setText(byId('link-text', HTMLElement), words[state]);
  setText(byId('robot', HTMLElement), robot.name || 'Waldo');
  document.title = `Recordings${robot.name ? ` of ${robot.name}` : ''} · Waldo`;
  setText(byId('version', HTMLElement), robot.version ? `Waldo ${robot.version}` : '');
}

function tick() {
  list.tick();
  address.put();
  const { name, role } = robot.visitor ?? { name: '', role: '' };
  setText(byId('visitor', HTMLElement), name && `${name} · ${role}`);
  showSignOut(trusted.key === '' ? name : ''); // a link of a rendezvous server keeps the token in this browser
  const refusal = robot.state === 'live' ? awayWords(robot.away) : robot.refusal || forbidden;
  showTrouble(trusted.other !== '' ? otherKeyWords(trusted.other) : refusal);
  // It waits for the devices, and for the list if only a time is known.
  if (opened === '' && robot.state === 'live' && /(name|at)=/.test(location.hash)) follow();
}

/** @type {Record<string, () => void>} */
const KEYS = {
  k: () => view?.toggle(), j: () => view?.skip(-10), l: () => view?.skip(10), '[': () => view?.step(-1), ']': () => view?.step(1),
  Escape: () => address.leave(),
};

document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || inField(event) || !view) return;
  const run = KEYS[event.key];
  if (!run) return;
  event.preventDefault();
  run();
});
robot.addEventListener('state', showLink);
robot.addEventListener('devices', () => {
  showLink();
  void list.refresh();
});
addEventListener('hashchange', follow);
onForbidden((text) => (forbidden = text));
Object.assign(window, { waldo: { robot } }); // the scripts have loaded
setInterval(tick, TICK_MS);
showLink();
follow();
tick();
