/** @file How robot.yaml describes that an actuator is driven, by the service that it serves. Pure. */

/**
 * @typedef {object} Recipe
 * @property {string} ask A method that changes nothing, and that only devices with this service have.
 * @property {string} method How the device is commanded; empty for a board, which is sent messages.
 * @property {Record<string, string>} keys What each value of a command is made of.
 */

/** @type {Recipe[]} */
const RECIPES = [
  {
    ask: 'waldo.ptz.v1.PtzService/GetPtz',
    method: 'waldo.ptz.v1.PtzService/Move',
    keys: { pan: '{turn: 1}', tilt: '{forward: 1}', zoom: '{lift: 1}' },
  },
  {
    ask: 'waldo.serial.v1.SerialService/GetPort',
    method: '',
    keys: { left: '{forward: 200, turn: 60}', right: '{forward: 200, turn: -60}' },
  },
];

/** For devices of other kinds: one value, by a method that the reader has to find. @type {Recipe} */
const OTHER = { ask: '', method: 'package.Service/Method', keys: { speed: '{forward: 1}' } };

/** What a device answers if it does not have a method. */
const LACKS = ['INVALID_ARGUMENT', 'NOT_FOUND', 'UNIMPLEMENTED'];

/**
 * Asks a device which service it has.
 * @param {(device: string, method: string) => Promise<unknown>} call
 * @param {string} device
 * @returns {Promise<string>} Lines for robot.yaml; empty if the device could not be asked.
 */
export async function driveRecipe(call, device) {
  for (const recipe of RECIPES) {
    try {
      await call(device, recipe.ask);
      return written(device, recipe);
    } catch (error) {
      if (!LACKS.includes(/** @type {{code?: string}} */ (error)?.code ?? '')) return '';
    }
  }
  return written(device, OTHER);
}

/** @param {string} device @param {Recipe} recipe */
function written(device, { method, keys }) {
  const width = Math.max(...Object.keys(keys).map((key) => key.length)) + 1;
  const note = method === OTHER.method ? `  # waldo call ${device} lists its methods` : '';
  return [
    'drive:',
    `  device: ${device}`,
    ...(method ? [`  method: ${method}${note}`] : []),
    '  keys:',
    ...Object.entries(keys).map(([key, terms]) => `    ${`${key}:`.padEnd(width)} ${terms}`),
  ].join('\n');
}
