/** @file What a page calls itself, so that people recognise who drives: `Chromium on Linux 3f2a`. */

/** Browsers by what their user agent says; the first that fits, for most say the names of others as well. */
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
 * @param {string[]} brands Its brands, where it tells them (NavigatorUAData).
 * @param {number} random 0 to 1: tells two tabs of one browser apart.
 * @returns {string}
 */
export function holderName(agent, brands, random) {
  // Chromium calls itself Chrome in the user agent, and only the brands know better.
  const chromium = brands.includes('Chromium') && !brands.some((b) => /Chrome$|Edge|Opera|Brave/.test(b));
  const browser = chromium ? 'Chromium' : first(BROWSERS, agent) ?? 'Browser';
  const system = first(SYSTEMS, agent);
  const mark = Math.floor(random * 0x10000).toString(16).padStart(4, '0');
  return `${browser}${system ? ` on ${system}` : ''} ${mark}`;
}

/** @param {[RegExp, string][]} names @param {string} agent */
function first(names, agent) {
  return names.find(([pattern]) => pattern.test(agent))?.[1];
}
