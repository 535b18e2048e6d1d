/**
 * @file waldo.js: a robot's cameras in your own page.
 *
 * ```html
 * <video id="front"></video>
 * <script type="module">
 *   import * as waldo from 'http://robot.local:8080/waldo.js';
 *
 *   const robot = waldo.connect('http://robot.local:8080/');
 *   robot.addEventListener('state', () => console.log('link:', robot.state));
 *   robot.addEventListener('devices', () => console.log(robot.devices.map((d) => d.name)));
 *
 *   const front = robot.video('front');          // may be asked for before the device is there
 *   front.attach(document.querySelector('#front'));
 *   front.addEventListener('picture', () => {    // live, stale or waiting
 *     console.log(front.picture.state, front.picture.text);
 *   });
 * </script>
 * ```
 *
 * - One RTCPeerConnection carries all the videos asked for. A camera that crashes changes nothing on it: the last picture
 *   stays, `picture` becomes `stale` within 300 ms of it, and `live` with the first new frame.
 * - A gateway that crashes makes the robot's `state` `gateway-lost`; it is looked for and everything is taken up again
 *   without a call of yours. `video.stream` stays the same object all along.
 * - Frames have an age (`video.ageMs`), on the gateway's clock, and `robot.stats()` gives the rest of the numbers.
 * - `robot.close()` ends everything.
 *
 * The gateway must allow the origin of your page if that is not its own.
 */

import { browserEnv } from './env.js';
import { Robot } from './robot.js';

export { Robot } from './robot.js';
export { Video } from './video.js';
export { hasVideo } from './protocol.js';

/**
 * Connects to a robot's gateway. Returns at once, never throws for a gateway that is not there, and reconnects by itself.
 * @param {string|URL} [url] Address of the gateway, by default that of the page. A path is kept, for gateways behind a
 *   proxy: `https://example.org/robots/7/`.
 * @returns {Robot}
 */
export function connect(url = '.') {
  return new Robot(new URL(url, document.baseURI), browserEnv());
}
