/** @file The page of a fleet: the list of its robots. */

import { byId, setData, setText } from './dom.js';
import { ListLink } from './listlink.js';
import { RobotRow } from './robotrow.js';
import { showTrouble } from './trouble.js';

const rows = byId('robots', HTMLElement);
const filter = byId('filter', HTMLInputElement);
/** @type {Map<string, RobotRow>} */
const known = new Map();
/** @type {Map<string, boolean>} Whether each is away. */
const away = new Map();

/** @param {import('../proto/fleet.js').FleetRobot[]} robots @param {boolean} all */
function show(robots, all) {
  if (all) {
    const names = new Set(robots.map((r) => r.name));
    for (const [name, row] of known) if (!names.has(name)) drop(name, row);
  }
  for (const robot of robots) {
    let row = known.get(robot.name);
    if (!row) {
      row = new RobotRow(robot.name);
      known.set(robot.name, row);
      const next = [...known.keys()].sort().find((name) => name > robot.name);
      rows.insertBefore(row.element, (next && known.get(next)?.element) || null);
      row.filter(filter.value.trim().toLowerCase());
    }
    row.show(robot);
    away.set(robot.name, robot.away);
  }
  showCount();
}

/** @param {string} name @param {RobotRow} row */
function drop(name, row) {
  row.remove();
  known.delete(name);
  away.delete(name);
}

function showCount() {
  const gone = [...away.values()].filter(Boolean).length;
  const words = known.size === 0 ? '' : `${known.size - gone} connected${gone ? `, ${gone} away` : ''}`;
  setText(byId('count', HTMLElement), words);
  byId('empty', HTMLElement).hidden = known.size > 0;
}

/** @param {boolean} live @param {string} refusal */
function showState(live, refusal) {
  setData(document.body, { link: live ? 'live' : 'gateway-lost' });
  setText(byId('link-text', HTMLElement), live ? 'Connected' : 'Gateway lost');
  showTrouble(refusal);
}

filter.addEventListener('input', () => {
  for (const row of known.values()) row.filter(filter.value.trim().toLowerCase());
});
Object.assign(window, { waldo: {} }); // the scripts have loaded
showTrouble('');
new ListLink({ robots: show, state: showState });
