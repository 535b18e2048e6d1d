/** @file The page's keyboard shortcuts. */

import { inField } from '../inputs/keyboard.js';

/**
 * @typedef {object} Commands
 * @property {(index: number) => void} enlarge Enlarges the camera of this index, counted from 0.
 * @property {() => void} small
 * @property {() => void} fullscreen
 * @property {() => void} stats
 */

/** @param {Commands} commands */
export function bindKeys(commands) {
  document.addEventListener('keydown', (event) => {
    // Keys with modifiers belong to the browser, and keys typed into a field belong to the field.
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (inField(event)) return;
    const key = event.key.toLowerCase();
    if (key >= '1' && key <= '9' && key.length === 1) commands.enlarge(Number(key) - 1);
    else if (key === 'f') commands.fullscreen();
    else if (key === 'i') commands.stats();
    else if (key === 'escape') commands.small();
  });
}
