/**
 * @file waldo.js puts a robot in your own page: its cameras, its ears and its voice, its devices, and the wheel.
 *
 * ```html
 * <video id="front"></video>
 * <script type="module">
 *   import * as waldo from 'http://robot.local:8080/waldo.js';
 *
 *   const robot = waldo.connect();
 *   robot.addEventListener('state', () => console.log('link:', robot.state));
 *   robot.addEventListener('devices', () => console.log(robot.devices.map((d) => d.name)));
 *
 *   const front = robot.video('front');          // works before the device exists
 *   front.attach(document.querySelector('#front'));
 *   front.addEventListener('picture', () => {    // live, stale or waiting
 *     console.log(front.picture.state, front.picture.text);
 *   });
 * </script>
 * ```
 *
 * Driving it, as the section `drive:` of its robot.yaml describes:
 *
 * ```html
 * <button id="drive">Drive</button> <button id="estop">E-STOP</button>
 * <div id="stick"></div> <output id="state"></output>
 * <script type="module">
 *   import * as waldo from 'http://robot.local:8080/waldo.js';
 *
 *   const $ = (selector) => document.querySelector(selector);
 *   const robot = waldo.connect();
 *   const drive = robot.drive();
 *   drive.use(new waldo.Keyboard());
 *   drive.use(new waldo.Gamepad());
 *   drive.use(new waldo.TouchStick($('#stick')));
 *   drive.addEventListener('state', () => ($('#state').value = `${drive.state} ${drive.why}`));
 *   $('#drive').onclick = () => (drive.state === 'off' ? drive.start() : drive.stop());
 *   $('#estop').onclick = () => robot.eStop('because');   // robot.clearEStop() ends it
 *
 *   // Also: a device's stream, a call to a device, and a topic shared with programs and other pages.
 *   robot.stream('motors', 'rx').addEventListener('message', (event) => console.log(event.detail.value.json));
 *   robot.call('motors', 'waldo.serial.v1.SerialService/GetPort').then(console.log, console.warn);
 *   const chat = robot.channel('chat');
 *   chat.addEventListener('message', (event) => console.log(event.detail.value));
 *   chat.addEventListener('open', () => chat.send({ hello: 'robot' }));
 * </script>
 * ```
 *
 * Listening to its microphone, and talking through its speaker:
 *
 * ```html
 * <audio id="ear"></audio> <button id="listen">Listen</button> <button id="talk">Hold to talk</button>
 * <meter id="level" min="-60" max="0"></meter>
 * <script type="module">
 *   import * as waldo from 'http://robot.local:8080/waldo.js';
 *
 *   const $ = (selector) => document.querySelector(selector);
 *   const head = waldo.connect().audio('head');
 *   $('#listen').onclick = () => {
 *     const listening = head.listen();                 // listening.stop() ends it
 *     $('#ear').srcObject = listening.stream;          // always the same object
 *     $('#ear').play();
 *   };
 *   let talk = null;
 *   $('#talk').onpointerdown = async () => {           // browsers allow microphones on https and localhost only
 *     const microphone = await navigator.mediaDevices.getUserMedia({ audio: true });
 *     talk = head.talk(microphone.getAudioTracks()[0]);
 *   };
 *   $('#talk').onpointerup = () => talk?.stop();
 *   // Each is off, waiting, live, or stale, and says why.
 *   head.addEventListener('state', () => console.log(head.hearing, head.talking));
 *   head.levels.addEventListener('levels', ({ detail }) => {
 *     $('#level').value = detail.microphone?.rmsDb ?? -100;
 *     console.log(detail.talkers.map((t) => t.name));
 *   });
 * </script>
 * ```
 *
 * Sending this page's own camera to a device of the kind `peer`, where programs and other viewers get it like that of
 * any other camera:
 *
 * ```html
 * <button id="share">Share camera</button> <output id="sender"></output>
 * <script type="module">
 *   import * as waldo from 'http://robot.local:8080/waldo.js';
 *
 *   const $ = (selector) => document.querySelector(selector);
 *   const guest = waldo.connect().sharing('guest');
 *   guest.addEventListener('state', () => ($('#sender').value = `${guest.publisher} ${guest.state.text}`));
 *   $('#share').onclick = async () => {                // browsers allow cameras on https and localhost only
 *     guest.share(await navigator.mediaDevices.getUserMedia({ video: true, audio: true }));  // .stop() ends it
 *   };
 * </script>
 * ```
 *
 * - A gamepad that the browser has no mapping for is ignored and listed in `gamepad.doubts`, unless `drive: pads:` in
 *   robot.yaml or `new waldo.Gamepad({ pads: [{ id: 'Twin USB', controls: { axis2: 'axis3' } }] })` map its controls.
 * - Nothing is ever queued for later: what cannot leave now is not sent, and the sender is told.
 * - The actuator decides whether a command counts. A Drive begins with everything at rest, sends what is held now many
 *   times a second, and ends when the page is hidden, closed, or frozen, or when somebody else takes over. It does not
 *   begin again without a new `start()`.
 * - An actuator may demand that its driver sees a camera (`drive: {see: front}` in robot.yaml). Each command then says
 *   when the picture was captured that the page shows of it: the newest frame in an attached element that is on the
 *   screen. As that gets old the robot is slowed, then stands still (`robot.control(device).state.sight`,
 *   `drive.refusal` is `BLIND`), and goes on with a new picture; `drive.state` stays `driving`. A page that shows
 *   pictures otherwise, such as in a headset, calls `video.saw(frame)` with what requestVideoFrameCallback says of each.
 * - The e-stop is sent on every path until all actuators have confirmed it, across reconnects as well.
 * - Speech without a path to the device is lost; it is never played later.
 * - One RTCPeerConnection carries all the videos, sounds, and channels you ask for. A camera crash does not touch it:
 *   the last picture stays, `picture` becomes `stale` within 300 ms of it, and `live` with the first new frame.
 * - When a gateway crashes, the robot's `state` is `gateway-lost`; the page keeps looking for it and resumes
 *   everything without a call of yours. `video.stream` stays the same object throughout.
 * - Frames have an age (`video.ageMs`), on the gateway's clock; `robot.stats()` returns the other numbers, also what
 *   the gateway knows of the path to the page: round trip, what it carries, the playout delay, what was sent again. Once
 *   a second the gateway is told how old the frames were that were shown, for its metrics.
 * - Where WebRTC finds no path, `robot.detour` has the reason; pictures, calls, and driving go over WebSockets
 *   meanwhile.
 * - A robot behind a NAT is reached through a rendezvous server: `waldo.connect(link)` with the link that `waldo link
 *   --token` prints, from a page of any origin. The server cannot listen in or pose as the robot, unless it serves the
 *   page itself. There are no pictures over WebSockets then.
 * - `robot.close()` ends everything.
 *
 * If your page is not the gateway's own, robot.yaml must allow its origin
 * (`gateway: {origins: ["http://localhost:3000"]}`), and a gateway with a token requires it:
 * `waldo.connect(undefined, { token })`. Browsers load modules only from a web server, not from a file.
 */

import { browserEnv } from './base/env.js';
import { Robot } from './robot/robot.js';

export { CallError } from './channels/calls.js';
export { Stream } from './channels/stream.js';
export { Channel } from './channels/topic.js';
export { Control } from './control/control.js';
export { Drive } from './control/drive.js';
export { Gamepad } from './inputs/gamepad.js';
export { Keyboard } from './inputs/keyboard.js';
export { Levels } from './media/levels.js';
export { hasMicrophone, hasSpeaker, hasVideo, isActuator, takesCamera } from './proto/signaling.js';
export { Queue } from './channels/queue.js';
export { Robot } from './robot/robot.js';
export { Listening } from './media/listening.js';
export { Share, Sharing } from './media/sharing.js';
export { Sound } from './media/sound.js';
export { Talk } from './media/talking.js';
export { TouchStick } from './inputs/touchstick.js';
export { Video } from './media/video.js';

/**
 * Connects to a robot's gateway. Returns at once, does not throw if the gateway is down, and reconnects by itself.
 * @param {string|URL} [url] Address of the gateway, by default where this module came from. A path is kept, for
 *   gateways behind a proxy: `https://example.org/robots/7/`.
 * @param {object} [options]
 * @param {string} [options.token] The gateway's token, for pages of another origin. Everybody who can read your page
 *   can read a token in it: better ask the user for it.
 * @param {string} [options.key] The fingerprint of the robot's key, if it is reached through a rendezvous server. The
 *   token is not sent then; both may also be in the address, as `waldo link --token` prints it:
 *   `https://example.org/r/rover/#key=…&token=…`.
 * @param {string|null} [options.playout] How long to hold pictures back, for measurements: `0`, or the least and the
 *   greatest delay in ms, `100-1000`. By default the gateway decides it by the path. Not through a rendezvous server.
 * @returns {Robot}
 */
export function connect(url = new URL('.', import.meta.url), { token = '', key = '', playout = null } = {}) {
  const base = new URL(url, document.baseURI);
  if (playout !== null) base.searchParams.set('playout', playout);
  const linked = new URLSearchParams(base.hash.slice(1));
  base.hash = '';
  return new Robot(base, browserEnv(), token || linked.get('token') || '', key || linked.get('key') || '');
}
