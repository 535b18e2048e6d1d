/** @file The page: connects the robot to what is visible. */

import { connect, hasVideo } from '../waldo.js';
import { measureLatency, readStamp } from '../media/stamp.js';
import { Consoles } from './console.js';
import { DeviceList } from './devicelist.js';
import { byId, setData, setText } from './dom.js';
import { DrivePanel } from './drivepanel.js';
import { showEmpty } from './empty.js';
import { EStopBar } from './estopbar.js';
import { milliseconds, since } from './format.js';
import { bindKeys } from './keys.js';
import { PlayerBar } from './playerbar.js';
import { Readings } from './readings.js';
import { RecorderPanels } from './recorderpanels.js';
import { otherKeyWords, rememberLink } from './remember.js';
import { SharePanels } from './sharepanels.js';
import { signOutButton } from './signout.js';
import { SoundPanels } from './soundpanels.js';
import { WatchPanels } from './watchpanels.js';
import { Tile } from './tile.js';
import { awayWords, onForbidden, showTrouble } from './trouble.js';
import { detourWords } from './detourwords.js';

/** How often running times on the page are updated, in ms. */
const TICK_MS = 100;
/** How often numbers are updated, in ms. */
const STATS_MS = 1000;

const trusted = rememberLink(location, history, () => localStorage);
const robot = connect(undefined, { ...trusted, playout: new URLSearchParams(location.search).get('playout') });
// For tests, and for curious people at the console.
Object.assign(window, { waldo: { robot, drive: robot.drive(), readStamp, measureLatency } });

const cameras = byId('cameras', HTMLElement);
const side = byId('side', HTMLElement);
const announcer = byId('announce', HTMLElement);
const announce = (/** @type {string} */ text) => setText(announcer, text);
const eStop = new EStopBar(robot, announce);
const showSignOut = signOutButton(byId('sign-out', HTMLButtonElement), announce);
/** @type {Map<string, Tile>} */
const tiles = new Map();
const drive = new DrivePanel(robot, announce, () => [...tiles.values()].map((tile) => tile.shown));
const sounds = new SoundPanels(robot, announce);
const recorders = new RecorderPanels(robot, announce);
const player = new PlayerBar(robot);
const shares = new SharePanels(robot, announce);
const readings = new Readings(robot);
const consoles = new Consoles(robot);
const watches = new WatchPanels(robot);
const statsButton = byId('stats', HTMLButtonElement);
const devices = new DeviceList();
let lostAt = 0;
let forbidden = '';
let openedAt = performance.now();

/** @param {Tile|null} tile Enlarges it, or none; the one that is large becomes small. */
function enlarge(tile) {
  for (const t of tiles.values()) t.setLarge(t === tile && !t.element.classList.contains('large'));
  cameras.querySelector('.large')?.scrollIntoView({ block: 'nearest' });
}

/** Makes tiles for new cameras, in order of their names; a tile stays until the robot has no such device any more. */
function showCameras() {
  for (const [name, tile] of tiles) {
    if (!robot.complete || robot.devices.some((d) => d.name === name)) continue;
    tile.remove();
    tiles.delete(name);
  }
  for (const d of robot.devices.filter(hasVideo)) {
    let tile = tiles.get(d.name);
    if (!tile) {
      tile = new Tile(robot, d.name, { enlarge, announce, changed: () => drive.look() });
      tiles.set(d.name, tile);
      const next = [...tiles.keys()].sort().find((name) => name > d.name);
      cameras.insertBefore(tile.element, (next && tiles.get(next)?.element) || null);
    }
    tile.describe(d);
  }
  cameras.dataset.count = String(tiles.size);
}

function showLink() {
  const { state } = robot;
  document.body.dataset.link = state;
  if (state === 'gateway-lost' && lostAt === 0) lostAt = performance.now();
  if (state === 'live') lostAt = 0;
  const words = { connecting: 'Connecting', live: 'Connected', 'gateway-lost': 'Gateway lost', closed: 'Closed' };
  setText(byId('link-text', HTMLElement), words[state]);
  document.title = `${state === 'gateway-lost' ? '⚠ ' : ''}${robot.name || 'Waldo'}${robot.name ? ' · Waldo' : ''}`;
  for (const tile of tiles.values()) tile.linkChanged();
}

function showDetour() {
  const { detour } = robot;
  setData(document.body, { detour: detour?.reason ?? '' });
  setText(byId('way', HTMLElement), detourWords(detour, isSecureContext, location.hostname));
}

/** Shows the side panel if it has content. */
function showSide() {
  recorders.describe();
  sounds.describe();
  shares.describe();
  readings.describe();
  consoles.describe();
  watches.describe();
  eStop.show();
  drive.tick();
  const empty = [...side.children].every((child) => /** @type {HTMLElement} */ (child).hidden);
  setData(document.body, { side: String(!empty) });
}

/** Updates what changes with time. */
function tick() {
  if (!document.hidden) {
    drive.tick();
    recorders.tick();
    player.tick();
    sounds.tick();
    shares.tick();
    readings.tick();
    consoles.tick();
    watches.tick();
  }
  for (const tile of tiles.values()) tile.tick();
  devices.tick(robot.gatewayNowMs);
  const { name, role } = robot.visitor ?? { name: '', role: '' };
  setText(byId('visitor', HTMLElement), name && `${name} · ${role}`);
  showSignOut(trusted.key === '' ? name : ''); // a link of a rendezvous server keeps the token in this browser
  setData(document.body, { role });
  const rtt = robot.clock.rttMs;
  const lost = robot.state === 'gateway-lost';
  const trip = rtt === null ? '' : milliseconds(rtt);
  const detail = lost ? `${since(performance.now() - lostAt)}, ${robot.refusal ? 'refused' : 'reconnecting'}` : trip;
  setText(byId('link-detail', HTMLElement), robot.state === 'connecting' ? '' : detail);
  showEmpty(robot, tiles.size, performance.now() - openedAt);
  const refusal = robot.state === 'live' ? awayWords(robot.away) : robot.refusal || forbidden;
  showTrouble(trusted.other !== '' ? otherKeyWords(trusted.other) : refusal);
}

/** @param {boolean} on */
function setStats(on) {
  statsButton.setAttribute('aria-pressed', String(on));
  try {
    localStorage.setItem('waldo.stats', on ? '1' : '');
  } catch {
    // Not remembered then.
  }
  void showStats();
}

async function showStats() {
  const on = statsButton.getAttribute('aria-pressed') === 'true';
  if (on && document.hidden) return;
  const all = on ? await robot.stats() : {};
  for (const tile of tiles.values()) tile.showStats(all[tile.device] ?? null);
}

function storedStats() {
  try {
    return localStorage.getItem('waldo.stats') === '1';
  } catch {
    return false;
  }
}

robot.addEventListener('state', () => {
  showLink();
  if (robot.state === 'live') {
    openedAt = performance.now();
    setText(byId('robot', HTMLElement), robot.name || 'Waldo');
  }
});
byId('foxglove', HTMLElement).hidden = trusted.key !== ''; // a rendezvous server does not lead there
robot.addEventListener('detour', showDetour);
robot.addEventListener('devices', () => {
  setText(byId('robot', HTMLElement), robot.name || 'Waldo');
  setText(byId('version', HTMLElement), robot.version ? `Waldo ${robot.version}` : '');
  showCameras();
  showSide();
  devices.show(robot.devices);
  showLink();
  tick();
});
statsButton.addEventListener('click', () => setStats(statsButton.getAttribute('aria-pressed') !== 'true'));
bindKeys({
  enlarge: (n) => enlarge([...tiles.keys()].sort().map((name) => tiles.get(name) ?? null)[n] ?? null),
  small: () => enlarge(null),
  fullscreen: () => {
    const find = (/** @type {string} */ selector) => cameras.querySelector(selector)?.getAttribute('data-device');
    const name = find('.large') ?? find('.tile:focus-within') ?? find('.tile:hover') ?? find('.tile');
    if (name) tiles.get(name)?.toggleFullscreen();
  },
  stats: () => statsButton.click(),
});
onForbidden((text) => (forbidden = text));
setInterval(tick, TICK_MS);
setInterval(showStats, STATS_MS);
if (storedStats()) setStats(true);
showLink();
showDetour();
tick();
