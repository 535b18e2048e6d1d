// What a program in TypeScript for Node may write, and what it may not.
import { AudioBlock, CallError, Frame, Robot, connect, isActuator } from 'waldo-robot';

const robot: Robot = connect('nats://127.0.0.1:4222', { token: 'secret', robot: 'rover' });
const state: 'connecting' | 'live' | 'bus-lost' | 'device-lost' | 'closed' = robot.state;

async function main(): Promise<void> {
  for await (const frame of robot.video('front', { format: 'bgr', width: 640, fps: 5 })) {
    const bytes: Uint8Array = frame;
    const picture: Frame = frame;
    const times: [number, number, string, number] = [
      picture.captureTime, picture.ageMs, picture.epoch, picture.sequence,
    ];
    console.log(bytes.length, times, state);
  }
  for await (const block of robot.audio('voice').listen({ format: 'f32', rate: 16_000 })) {
    const samples: Int16Array | Float32Array = (block satisfies AudioBlock).samples;
    console.log(samples.length);
  }
  const drive = robot.drive('motors');
  await drive.start({ take: true });
  const counts: boolean = drive.send({ left: 100, right: 100 });
  const end: string = drive.reason;
  const moving: string[] = robot.devices.filter(isActuator).map((d) => d.name);
  const heard: boolean = robot.channel('chat').send({ counts, end, moving });
  const played: number = await robot.audio('voice').talk([new Int16Array(960)], { rate: 48_000 }).done;
  console.log(heard, played, (await robot.call('front', 'waldo.device.v1.DeviceService/GetDevice')).device);
  // @ts-expect-error There is no such format.
  robot.video('front', { format: 'png' });
  // @ts-expect-error Values are numbers.
  drive.send({ left: 'fast' });
}

main().catch((error: CallError) => console.log(error.code, error.message)).finally(() => robot.close());
