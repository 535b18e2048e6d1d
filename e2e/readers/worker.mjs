// A worker of a track in Node, by the protocol alone: node worker.mjs NATS ROBOT CAMERA TRACK NAME
// Its result is the size of the picture's JPEG in bytes.
import { randomUUID } from 'node:crypto';
import { connect, headers } from '@nats-io/transport-node';
import protobuf from 'protobufjs';

const [servers, robot, camera, track, name] = process.argv.slice(2);
const root = new protobuf.Root();
const place = (file) =>
  file === 'google/protobuf/descriptor.proto' ? `node_modules/protobufjs/${file}` : `../../api/proto/${file}`;
root.resolvePath = (_, file) => (protobuf.common.get(file) ? file : new URL(place(file), import.meta.url).pathname);
await root.load(['waldo/device/v1/device_service.proto', 'waldo/work/v1/work.proto']);
const HoldStreamRequest = root.lookupType('waldo.device.v1.HoldStreamRequest');
const VideoFrame = root.lookupType('waldo.media.v1.VideoFrame');
const Result = root.lookupType('waldo.work.v1.Result');

const typed = (Type) => {
  const h = headers();
  h.set('Waldo-Type', Type.fullName.slice(1));
  return { headers: h };
};
const bus = await connect({ servers, maxReconnectAttempts: -1, pingInterval: 2000 });
const subject = `waldo.v1.${robot}.${camera}`;

// The camera makes frames while somebody holds the stream: for 3 s, renewed every second.
const holder = `worker ${randomUUID()}`;
const hold = (seconds) => {
  const request = HoldStreamRequest.encode({ stream: 'video-jpeg', holder, ttl: { seconds } }).finish();
  const method = `${subject}.rpc.waldo.device.v1.DeviceService.HoldStream`;
  return bus.request(method, request, { timeout: 500, ...typed(HoldStreamRequest) })
    .catch(() => {}); // the camera may be away; the next one may find it
};
await hold(3);
const renewal = setInterval(() => hold(3), 1000);

const frames = bus.subscribe(`${subject}.out.video-jpeg`, { queue: `track.${track}` });
process.on('SIGTERM', () => frames.drain());
for await (const m of frames) {
  if (m.headers?.get('Waldo-Part')) continue; // a frame that is too large for one message
  const { epoch, sequence, captureTime, data } = VideoFrame.decode(m.data);
  const result = { epoch, sequence, captureTime, worker: name, outcome: 1, value: { numberValue: data.length } };
  bus.publish(`${subject}.work.${track}`, Result.encode(result).finish(), typed(Result));
}
clearInterval(renewal);
await hold(0);
await bus.drain();
