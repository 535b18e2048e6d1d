// Lets a test use Firefox: firefox.mjs PROGRAM. Each line on standard input is a JSON object with one operation, each
// line on standard output its answer: {"value": …} or {"error": "…"}. The program ends with its input.
import readline from 'node:readline';
import puppeteer from 'puppeteer-core';

const browser = await puppeteer.launch({
  browser: 'firefox',
  executablePath: process.argv[2],
  extraPrefsFirefox: {
    'media.gmp-manager.updateEnabled': false, // do not download a plugin for H.264
    'media.autoplay.default': 0,
  },
});
const page = await browser.newPage();
await page.setViewport({ width: 1280, height: 800 });
// Records each RTCPeerConnection in the order of creation.
await page.evaluateOnNewDocument(() => {
  const peers = (window.peers = []);
  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...args) { super(...args); peers.push(this); }
  };
});

const operations = {
  open: (url) => page.goto(url).then(() => null),
  eval: (js) => page.evaluate(js),
  press: (key) => page.keyboard.down(key),
  release: (key) => page.keyboard.up(key),
  click: (selector) => page.click(selector),
  screenshot: (path) => page.screenshot({ path, fullPage: true }).then(() => null),
};

for await (const line of readline.createInterface({ input: process.stdin })) {
  const answer = {};
  try {
    const [[operation, argument]] = Object.entries(JSON.parse(line));
    answer.value = await operations[operation](argument);
  } catch (e) {
    answer.error = String(e);
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await browser.close();
