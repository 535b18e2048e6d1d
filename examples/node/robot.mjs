// Uses a robot from Node: node robot.mjs camera front
//                         node robot.mjs sound voice said.wav
//                         node robot.mjs serial motors
//                         node robot.mjs drive motors '{"left": 100, "right": 100}'
import { writeFile } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { connect } from 'waldo-robot';

const [what, device, argument] = process.argv.slice(2);
const robot = connect();
robot.addEventListener('state', () => console.error(`${robot.name || 'robot'}: ${robot.state} ${robot.why}`));

const commands = {
  async camera() {
    const frames = [];
    for await (const frame of robot.video(device, { format: 'bgr' })) { // goes on after a crash of the camera
      const mean = frame.reduce((sum, value) => sum + value, 0) / frame.length;
      console.log(`${frame.sequence} ${frame.width}x${frame.height} mean brightness ${mean.toFixed(1)}, `
        + `${frame.ageMs.toFixed(0)} ms old, lost ${frame.dropped}`);
      if (frames.push(frame) === 10) break;
    }
  },

  async sound() {
    const blocks = [];
    for await (const block of robot.audio(device).listen({ rate: 16_000, channels: 1, blockSamples: 320 })) {
      if (blocks.push(block) === 25) break;
    }
    const data = Buffer.concat(blocks);
    const header = Buffer.from('RIFF....WAVEfmt ....................data....');
    header.writeUInt32LE(36 + data.length, 4);
    [16, 1 + (1 << 16), 16_000, 32_000, 2 + (16 << 16)].forEach((value, i) => header.writeUInt32LE(value, 16 + 4 * i));
    header.writeUInt32LE(data.length, 40);
    await writeFile(argument, Buffer.concat([header, data]));
    console.log(`${data.length / 2} samples in ${argument}`);
  },

  async serial() {
    let count = 0;
    for await (const message of robot.stream(device, 'rx')) {
      console.log(message.json);
      if ((count += 1) === 5) break;
    }
  },

  async drive() {
    const drive = robot.drive(device);
    await drive.start(); // the lease, and a command that means standing still
    const values = JSON.parse(argument);
    let sent = 0;
    while (sent < 40 && drive.send(values)) { // false: it counts no longer
      sent += 1;
      await setTimeout(50);
    }
    console.log(`sent ${sent} times; ${drive.state} ${drive.why}`);
    drive.stop();
  },
};

try {
  if (!commands[what]) {
    throw new Error('usage: node robot.mjs camera|sound|serial|drive DEVICE, as `waldo ls` lists them');
  }
  await robot.device(device); // everything else waits for a device for as long as it takes
  await commands[what]();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  await robot.close();
}
