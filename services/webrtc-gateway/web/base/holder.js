/** @file The name of a page, so that people recognise who drives: `Chromium on Linux 3f2a`. */

/** Browsers by their user agent. The first match counts, because most user agents also name other browsers. */
const BROWSERS = /** @type {[RegExp, string][]} */ ([
  [/\bEdgA?\//, 'Edge'], [/\bOPR\//, 'Opera'], [/\bSamsungBrowser\//, 'Samsung Internet'], [/\b(Firefox|FxiOS)\//, 'Firefox'],
  [/\bCriOS\//, 'Chrome'], [/\bChromium\//, 'Chromium'], [/\b(HeadlessChrome|Chrome)\//, 'Chrome'], [/\bSafari\//, 'Safari'],
]);
/** Systems, likewise. */
const SYSTEMS = /** @type {[RegExp, string][]} */ ([
  [/\bAndroid\b/, 'Android'], [/\biPhone\b/, 'iPhone'], [/\biPad\b/, 'iPad'], [/\bCrOS\b/, 'ChromeOS'], [/\bWindows\b/, 'Windows'],
  [/\bMac OS X\b/, 'Mac'], [/\bLinux\b/, 'Linux'],
]);

/**
 * @param {string} agent The browser's user agent.
 * @param {string[]} brands Its brands, if it reports them (NavigatorUAData).
 * @param {number} random 0 to 1: distinguishes two tabs of one browser.
 * @returns {string}
 */
export function holderName(agent, brands, random) {
  // Chromium calls itself Chrome in the user agent; only the brands distinguish them.
  const chromium = brands.includes('Chromium') && !brands.some((b) => /Chrome$|Edge|Opera|Brave/.test(b));
  const browser = chromium ? 'Chromium' : first(BROWSERS, agent) ?? 'Browser';
  const system = first(SYSTEMS, agent);
  const mark = Math.floor(random * 0x10000).toString(16).padStart(4, '0');
  return `${browser}${system ? ` on ${system}` : ''} ${mark}`;
}

/**
 * Whether a name that somebody acts under is this page's. Actuators put the name of a token before that of the page:
 * `anna (Chromium on Linux 3f2a)`.
 * @param {string} shown
 * @param {string} own The name of this page.
 */
export function isOwn(shown, own) {
  return shown === own || shown.endsWith(` (${own})`);
}

/** @param {[RegExp, string][]} names @param {string} agent */
function first(names, agent) {
  return names.find(([pattern]) => pattern.test(agent))?.[1];
}
