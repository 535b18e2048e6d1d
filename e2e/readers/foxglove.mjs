// Looks at a robot with the client of Foxglove's own package, and prints what it sees, an event per line. It ends with its
// orders. Its argument is {address, protocol, topics}.
import Client from '@foxglove/ws-protocol';
import protobuf from 'protobufjs';
import descriptor from 'protobufjs/ext/descriptor/index.js';
import WebSocket from 'ws';

const { address, protocol, topics } = JSON.parse(process.argv[2]);
const plain = (_, value) => (typeof value === 'bigint' ? String(value) : value);
const say = (event, value) => console.log(JSON.stringify({ event, value }, plain));
process.stdin.resume().on('end', () => process.exit(0));

// The type of a channel's messages, by its schema and nothing else.
function typeOf({ schema, schemaName }) {
  const files = descriptor.FileDescriptorSet.decode(Buffer.from(schema, 'base64'));
  return protobuf.Root.fromDescriptor(files).lookupType(schemaName);
}

const client = new Client.FoxgloveClient({ ws: new WebSocket(address, [protocol]) });
const subscriptions = new Map();
client.on('error', (error) => say('error', String(error)));
client.on('close', ({ code, reason }) => {
  say('closed', { code, reason });
  process.exit(0);
});
client.on('serverInfo', (info) => {
  say('info', info);
  client.getParameters([], 'all');
});
client.on('status', (status) => say('status', status));
client.on('parameterValues', ({ parameters, id }) => {
  say('parameters', { id, ...Object.fromEntries(parameters.map(({ name, value }) => [name, value])) });
});
client.on('advertise', (channels) => {
  for (const channel of channels) {
    say('channel', channel.topic);
    if (topics.includes(channel.topic)) {
      subscriptions.set(client.subscribe(channel.id), { channel, type: typeOf(channel) });
    }
  }
});
client.on('time', ({ timestamp }) => say('time', timestamp));
client.on('message', ({ subscriptionId, timestamp, data }) => {
  const { channel, type } = subscriptions.get(subscriptionId);
  const message = type.decode(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  const { data: bytes, ...fields } = type.toObject(message, { longs: String, enums: String, defaults: true });
  const age = Date.now() / 1000 - Number(timestamp) / 1e9;
  const start = Buffer.from(bytes ?? '').subarray(0, 5).toString('hex');
  say(channel.topic, { schema: channel.schemaName, age, start, ...fields });
});
