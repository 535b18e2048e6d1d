// Calls a device and asks the bus who is there, by TLS: node trust.mjs CA GRPC NATS
import { readFileSync } from 'node:fs';
import grpc from '@grpc/grpc-js';
import { connect } from '@nats-io/transport-node';

const [ca, address, servers] = process.argv.slice(2);
const raw = (bytes) => Buffer.from(bytes);
const client = new grpc.Client(address, grpc.credentials.createSsl(readFileSync(ca)));
const path = '/waldo.device.v1.DeviceService/GetDevice';
const device = await new Promise((resolve, reject) => {
  const deadline = { deadline: Date.now() + 30_000 };
  client.makeUnaryRequest(path, raw, raw, Buffer.alloc(0), deadline, (error, answer) => (error ? reject(error) : resolve(answer)));
});
client.close();
if (!device.includes('front')) throw new Error('another device answers');

const bus = await connect({ servers, tls: { caFile: ca } });
for await (const answer of await bus.requestMany('$SRV.INFO', '', { strategy: 'stall', maxWait: 20_000 })) {
  if (answer.string().includes('front')) console.log('front is on the bus');
}
await bus.close();
