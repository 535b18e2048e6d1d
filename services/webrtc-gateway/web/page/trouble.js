/** @file What the page says at its head when the gateway takes no session, or a policy forbids one. Before the modules run, index.html speaks there. */

import { byId, setData, setText } from './dom.js';

/** @param {string} text What is wrong and what to do; empty if nothing. */
export function showTrouble(text) {
  const trouble = byId('trouble', HTMLElement);
  trouble.hidden = text === '';
  if (trouble.hidden) return;
  setData(trouble, { said: 'page' });
  setText(byId('trouble-text', HTMLElement), text);
}

/** @param {(text: string) => void} run Called with what a content security policy forbids that is not the gateway's. */
export function onForbidden(run) {
  addEventListener('securitypolicyviolation', (event) => {
    if (event.effectiveDirective !== 'connect-src') return;
    run(`A content security policy forbids connections to ${event.blockedURI}. A proxy must not add one to the gateway's own.`);
  });
}
