/**
 * @file waldo.js: a robot in your own page: its cameras, its ears and its voice, its devices, and the wheel.
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
 *   const front = robot.video('front');          // may be asked for before the device is there
 *   front.attach(document.querySelector('#front'));
 *   front.addEventListener('picture', () => {    // live, stale or waiting
 *     console.log(front.picture.state, front.picture.text);
 *   });
 * </script>
 * ```
 *
 * Driving it, as the section `drive:` of its robot.yaml says:
 *
 * ```html
 * <button id="drive">Drive</button> <button id="estop">E-STOP</button> <div id="stick"></div> <output id="state"></output>
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
 *   // And besides: what a device says, a call to one, and a topic shared with programs and other pages.
 *   robot.stream('motors', 'rx').addEventListener('message', (event) => console.log(event.detail.value.json));
 *   robot.call('motors', 'waldo.serial.v1.SerialService/GetPort').then(console.log, console.warn);
 *   const chat = robot.channel('chat');
 *   chat.addEventListener('message', (event) => console.log(event.detail.value));
 *   chat.addEventListener('open', () => chat.send({ hello: 'robot' }));
 * </script>
 * ```
 *
 * Hearing what its microphone hears, and talking by its speaker:
 *
 * ```html
 * <audio id="ear"></audio> <button id="listen">Listen</button> <button id="talk">Hold to talk</button> <meter id="level" min="-60" max="0"></meter>
 * <script type="module">
 *   import * as waldo from 'http://robot.local:8080/waldo.js';
 *
 *   const $ = (selector) => document.querySelector(selector);
 *   const head = waldo.connect().audio('head');
 *   $('#listen').onclick = () => {
 *     const listening = head.listen();                 // listening.stop() ends it
 *     $('#ear').srcObject = listening.stream;          // the same object, whatever happens
 *     $('#ear').play();
 *   };
 *   let talk = null;
 *   $('#talk').onpointerdown = async () => {           // browsers give the microphone to https and localhost only
 *     const microphone = await navigator.mediaDevices.getUserMedia({ audio: true });
 *     talk = head.talk(microphone.getAudioTracks()[0]);
 *   };
 *   $('#talk').onpointerup = () => talk?.stop();
 *   head.addEventListener('state', () => console.log(head.hearing, head.talking)); // off, waiting, live or stale, and why
 *   head.levels.addEventListener('levels', ({ detail }) => {
 *     $('#level').value = detail.microphone?.rmsDb ?? -100;
 *     console.log(detail.talkers.map((t) => t.name));
 *   });
 * </script>
 * ```
 *
 * - A gamepad that the browser has no mapping for is ignored, and listed in `gamepad.doubts`, unless `drive: pads:` in robot.yaml or
 *   `new waldo.Gamepad({ pads: [{ id: 'Twin USB', controls: { axis2: 'axis3' } }] })` say which of its controls is which.
 * - Nothing is ever kept to be sent later: what cannot leave now is not sent, and whoever sends is told.
 * - The actuator decides whether a command counts. A Drive begins with everything at rest, says what is held now many times a second,
 *   and ends when the page is hidden, closed or stands still, or when another takes over. It does not begin again by itself.
 * - The e-stop is said on every way there is until all actuators have confirmed it, over reconnects as well.
 * - What is said while there is no way to the device is lost; it is never played later.
 * - One RTCPeerConnection carries all the videos, sounds and channels asked for. A camera that crashes changes nothing on it: the last picture
 *   stays, `picture` becomes `stale` within 300 ms of it, and `live` with the first new frame.
 * - A gateway that crashes makes the robot's `state` `gateway-lost`; it is looked for and everything is taken up again
 *   without a call of yours. `video.stream` stays the same object all along.
 * - Frames have an age (`video.ageMs`), on the gateway's clock, and `robot.stats()` gives the rest of the numbers.
 * - Where WebRTC finds no way, `robot.detour` has the reason; pictures, calls and driving go over WebSockets meanwhile.
 * - `robot.close()` ends everything.
 *
 * If your page is not the gateway's own, robot.yaml must allow its origin (`gateway: {origins: ["http://localhost:3000"]}`), and a gateway with a
 * token wants it: `waldo.connect(undefined, { token })`. Browsers take modules from a web server only, not from a file.
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
export { hasMicrophone, hasSpeaker, hasVideo, isActuator } from './proto/signaling.js';
export { Queue } from './channels/queue.js';
export { Robot } from './robot/robot.js';
export { Listening } from './media/listening.js';
export { Sound } from './media/sound.js';
export { Talk } from './media/talking.js';
export { TouchStick } from './inputs/touchstick.js';
export { Video } from './media/video.js';

/**
 * Connects to a robot's gateway. Returns at once, never throws for a gateway that is not there, and reconnects by itself.
 * @param {string|URL} [url] Address of the gateway, by default where this module came from. A path is kept, for gateways behind a
 *   proxy: `https://example.org/robots/7/`.
 * @param {object} [options]
 * @param {string} [options.token] The gateway's token, for pages of another origin. Whoever can read your page can read it: better ask for it.
 * @returns {Robot}
 */
export function connect(url = new URL('.', import.meta.url), { token = '' } = {}) {
  return new Robot(new URL(url, document.baseURI), browserEnv(), token);
}
