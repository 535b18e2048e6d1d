/** @file What a page shows the gateway besides its cookie. */

/**
 * Scripts cannot set headers of a WebSocket, and an address ends up in the logs of proxies; so the token is the name of a protocol.
 * @param {string} token Of a page of another origin, which has no cookie of the gateway; empty otherwise.
 * @param {string} ticket That the gateway has given this page: behind a proxy it does not see that the page is its own. Empty if none.
 * @returns {string[]} Protocols to ask for.
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
