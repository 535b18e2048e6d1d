/** @file A command for a shell, with a button that copies it. */

import { make } from './dom.js';

/**
 * @param {string} command
 * @param {(text: string) => void} announce
 */
export function commandLine(command, announce) {
  const copy = make('button', { class: 'button', type: 'button' }, 'Copy');
  // Browsers give pages the clipboard only over https and on the same machine.
  copy.hidden = !navigator.clipboard;
  copy.addEventListener('click', async () => {
    await navigator.clipboard.writeText(command);
    announce('Copied');
  });
  return make('div', { class: 'command' }, make('pre', {}, make('code', {}, command)), copy);
}
