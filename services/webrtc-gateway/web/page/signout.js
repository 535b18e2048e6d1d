/** @file The button that ends the login of this browser. */

/**
 * Shows the button to who has shown a token, and ends the login when it is pressed, with all pages that it has opened.
 * @param {HTMLButtonElement} button
 * @param {(text: string) => void} announce
 * @param {{fetch: typeof fetch, reload: () => void}} [env]
 * @returns {(name: string) => void} To be called with the name of the token; empty while there is none to sign out of.
 */
export function signOutButton(button, announce, env = { fetch: (...of) => fetch(...of), reload: () => location.reload() }) {
  button.addEventListener('click', async () => {
    button.disabled = true;
    try {
      const answer = await env.fetch('logout', { method: 'POST', cache: 'no-store' });
      if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
      env.reload(); // the gateway asks for a token now
    } catch (error) {
      announce(`Signing out failed: ${error instanceof Error ? error.message : error}`);
      button.disabled = false;
    }
  });
  return (name) => {
    button.hidden = name === '';
  };
}
