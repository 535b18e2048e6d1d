/** @file The message at the top of the page when the gateway refuses the session, or a policy forbids it. Until the modules run, index.html writes it. */

import { byId, setData, setText } from './dom.js';

/** @param {string} text The problem and the remedy; empty if there is none. */
export function showTrouble(text) {
  const trouble = byId('trouble', HTMLElement);
  trouble.hidden = text === '';
  if (trouble.hidden) return;
  setData(trouble, { said: 'page' });
  setText(byId('trouble-text', HTMLElement), text);
}

/** @param {(text: string) => void} run Called when a content security policy other than the gateway's forbids a connection. */
export function onForbidden(run) {
  addEventListener('securitypolicyviolation', (event) => {
    if (event.effectiveDirective !== 'connect-src') return;
    run(`A content security policy forbids connections to ${event.blockedURI}. A proxy must not add one to the gateway's own.`);
  });
}

/** @param {string} away Why the robot cannot be reached; empty if it can. @returns {string} */
export function awayWords(away) {
  return away && `${away[0].toUpperCase()}${away.slice(1)}. This page goes on by itself when it is back.`;
}
