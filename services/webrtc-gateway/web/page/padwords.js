/** @file What to say about gamepads. Pure. */

/** @typedef {import('../inputs/gamepad.js').PadDoubt} PadDoubt */

/** Controls of the standard gamepad that have a better name than their number. */
const NAMES = new Map([
  ['axis0', 'left stick, sideways'], ['axis1', 'left stick, up and down'],
  ['axis2', 'right stick, sideways'], ['axis3', 'right stick, up and down'],
  ['button6', 'left trigger'], ['button7', 'right trigger'],
]);

/** @type {Record<PadDoubt['reason'], (controls: string) => string>} */
const REASONS = {
  'no-mapping': () => ' does not count: this browser has no mapping for it. Describe it in robot.yaml under drive: pads:, or use another pad or browser.',
  held: (controls) => `: let go of it: ${controls}. If nobody holds it, it does not rest where it should and does not count.`,
  unproven: (controls) => `: move it fully and let go for a second: ${controls}.`,
  'no-rest': (controls) => ` is neither a stick nor a trigger, and does not count: ${controls}.`,
  missing: (controls) => ` does not have what the robot is driven with: ${controls}.`,
};

/**
 * The name of a pad as people know it, without what browsers add.
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
