/**
 * @file The library for programs in Node: the robot of waldo.js, reached without a browser.
 *
 * ```js
 * import { connect } from 'waldo-robot';
 *
 * const robot = connect();                                     // $WALDO_NATS, or nats://127.0.0.1:4222
 * robot.addEventListener('state', () => console.log(robot.state, robot.why));
 *
 * for await (const frame of robot.video('front', { format: 'jpeg' })) {
 *   console.log(frame.sequence, frame.ageMs, frame.length);    // a frame is a Uint8Array
 * }
 * ```
 *
 * Driving, under the same rules as a page:
 *
 * ```js
 * const drive = robot.drive('motors');
 * await drive.start();                                         // the lease, and a neutral command
 * while (drive.send({ left: 100, right: 100 })) await setTimeout(50);
 * console.log(drive.state, drive.why);                         // why it counts no longer
 * ```
 *
 * - What a device sends comes over gRPC, from the device itself; the bus only tells where it is. So nothing that runs
 *   ends when the bus does.
 * - Everything reconnects by itself, for ever, and says so: `robot.state`, `video.picture`, `sound.hearing`,
 *   `drive.state`, each with an event and a reason.
 * - Nothing is old: a slow reader loses frames in place of getting late ones. At most two are on their way to it, and
 *   each frame knows its age. What is lost is counted.
 * - Nothing is kept for later: what cannot be sent now is not sent, and the sender is told.
 * - A value that {@link Drive.send} was given counts for 200 ms. A program that hangs or ends stops the robot.
 */

import { Robot } from './robot.js';
import { readOptions } from './options.js';

export { CallError } from '#web/channels/calls.js';
export { Control } from '#web/control/control.js';
export { Queue } from '#web/channels/queue.js';
export { Levels } from '#web/media/levels.js';
export { hasMicrophone, hasSpeaker, hasVideo, isActuator, takesCamera } from '#web/proto/signaling.js';
export { Channel } from './topic.js';
export { Drive } from './drive.js';
export { AudioBlock, Frame } from './frame.js';
export { Listening, Sound, Talk } from './sound.js';
export { Robot } from './robot.js';
export { Stream } from './stream.js';
export { Video } from './video.js';

/**
 * Connects to a robot. Returns at once, does not throw if nothing runs there yet, and reconnects by itself.
 * @param {string|URL} [address] The bus, `nats://host:4222`, also several with commas between; or the gRPC address of
 *   one device, `host:port`, as `waldo ls` prints it. Default: `$WALDO_NATS`, or `nats://127.0.0.1:4222`.
 * @param {import('./options.js').Options} [options]
 * @returns {Robot}
 */
export function connect(address, options = {}) {
  return new Robot(readOptions(address, options, process.env));
}
