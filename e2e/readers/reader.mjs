// Reads a stream, acknowledges what it has read, and prints the age of each message and how many were lost:
// node reader.mjs ADDRESS STREAM SECONDS_EACH
import { setTimeout as sleep } from 'node:timers/promises';
import grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

const [address, stream, each] = process.argv.slice(2);
const files = ['audio/v1/audio', 'camera/v1/camera_service', 'device/v1/device_service', 'serial/v1/serial_service'];
const { waldo } = grpc.loadPackageDefinition(loadSync(files.map((f) => `waldo/${f}.proto`), {
  includeDirs: [new URL('../../api/proto', import.meta.url).pathname],
  defaults: true,
}));
const here = (Service) => new Service(address, grpc.credentials.createInsecure(), { 'grpc.max_receive_message_length': -1 });
const device = here(waldo.device.v1.DeviceService);

const window = new grpc.Metadata();
window.set('waldo-window', '1');
const open = {
  jpeg: () => here(waldo.camera.v1.CameraService).StreamFrames({ format: { mediaType: 'image/jpeg' } }, window),
  h264: () => here(waldo.camera.v1.CameraService).StreamFrames({ format: { mediaType: 'video/H264' } }, window),
  audio: () => here(waldo.audio.v1.AudioService).StreamAudio({}, window),
  serial: () => here(waldo.serial.v1.SerialService).StreamMessages({}, window),
};

const call = open[stream]();
let id;
call.on('metadata', (m) => { [id] = m.get('waldo-call'); });
let messages = 0;
for await (const step of call) {
  const { seconds, nanos } = step.frame?.captureTime ?? step.message.readTime;
  console.log((Date.now() / 1000 - Number(seconds) - nanos / 1e9).toFixed(3), String(step.droppedCount));
  await sleep(1000 * Number(each));
  messages += 1;
  device.Acknowledge({ call: id, messages }, () => {});
}
