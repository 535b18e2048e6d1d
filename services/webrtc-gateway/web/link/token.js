/** @file The credentials a page sends to the gateway besides its cookie. */

/**
 * Scripts cannot set the headers of a WebSocket, and URLs end up in the logs of proxies, so the token travels as the
 * name of a subprotocol.
 * @param {string} token For a page of another origin, which has no cookie of the gateway; empty otherwise.
 * @param {string} ticket Issued to this page by the gateway, which cannot tell behind a proxy that the page is its
 *   own. Empty without one.
 * @returns {string[]} Subprotocols to request.
 */
export function protocolsFor(token, ticket) {
  const shown = [];
  if (token !== '') shown.push(`waldo-token.${btoa(token).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')}`);
  if (ticket !== '') shown.push(`waldo-ticket.${ticket}`);
  return shown.length === 0 ? [] : ['waldo', ...shown];
}

/**
 * @param {string} token
 * @returns {Record<string, string>} Headers of a request.
 */
export function headersFor(token) {
  return token === '' ? {} : { Authorization: `Bearer ${token}` };
}
