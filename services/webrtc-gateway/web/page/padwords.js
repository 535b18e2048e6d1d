/** @file The texts about gamepads. Pure. */

/** @typedef {import('../inputs/gamepad.js').PadDoubt} PadDoubt */

/** Controls of the standard gamepad that have a better name than their number. */
const NAMES = new Map([
  ['axis0', 'left stick, sideways'], ['axis1', 'left stick, up and down'],
  ['axis2', 'right stick, sideways'], ['axis3', 'right stick, up and down'],
  ['button6', 'left trigger'], ['button7', 'right trigger'],
]);

/** @type {Record<PadDoubt['reason'], (controls: string) => string>} */
const REASONS = {
  'no-mapping': () => ' is ignored: this browser has no mapping for it. Describe it in robot.yaml under drive: pads:, or use another pad or browser.',
  held: (controls) => `: release ${controls}. A control that nobody holds does not rest where it should, and is ignored.`,
  unproven: (controls) => `: move fully, then release for a second: ${controls}.`,
  'no-rest': (controls) => ` reports a control that is neither a stick nor a trigger, which is ignored: ${controls}.`,
  missing: (controls) => ` lacks controls that drive the robot: ${controls}.`,
};

/**
 * The name of a pad as people know it, without the browser's additions.
 * @param {string} id
 */
export function padName(id) {
  return id.replace(/\s*\((?:STANDARD GAMEPAD|Vendor)[^)]*\)?.*$/i, '') || 'Gamepad';
}

/**
 * One sentence for each pad and reason.
 * @param {PadDoubt[]} doubts
 * @returns {string[]}
 */
export function padNotes(doubts) {
  const kinds = new Set(doubts.map(({ pad, reason }) => JSON.stringify([pad, reason])));
  return [...kinds].map((kind) => {
    const [pad, reason] = JSON.parse(kind);
    const controls = doubts.filter((d) => d.pad === pad && d.reason === reason).map(({ control }) => NAMES.get(control) ?? control);
    return `${padName(pad)}${REASONS[/** @type {PadDoubt['reason']} */ (reason)]([...new Set(controls)].join('; '))}`;
  });
}
