// Reads a recording with the packages of npm, and prints a JSON object: per topic, what a reader sees.
//
// Usage: recording.mjs FILE

import { open } from "node:fs/promises";
import { argv, stdout } from "node:process";
import { McapIndexedReader } from "@mcap/core";
import protobuf from "protobufjs";
import descriptor from "protobufjs/ext/descriptor/index.js";

const file = await open(argv[2]);
const readable = {
  size: async () => BigInt((await file.stat()).size),
  read: async (offset, length) => {
    const data = new Uint8Array(Number(length));
    const { bytesRead } = await file.read(data, 0, data.length, Number(offset));
    if (bytesRead !== data.length) throw new Error(`${bytesRead} of ${data.length} bytes at ${offset}`);
    return data;
  },
};
const reader = await McapIndexedReader.Initialize({ readable });
const types = new Map();

/** Returns the type of a channel's messages. */
function type(channel) {
  if (!types.has(channel.id)) {
    const schema = reader.schemasById.get(channel.schemaId);
    const root = protobuf.Root.fromDescriptor(descriptor.FileDescriptorSet.decode(schema.data));
    types.set(channel.id, { name: schema.name, type: root.lookupType(schema.name) });
  }
  return types.get(channel.id);
}

const topics = {};
for await (const message of reader.readMessages({ validateCrcs: true })) {
  const channel = reader.channelsById.get(message.channelId);
  const { name, type: decoder } = type(channel);
  const topic = (topics[channel.topic] ??= { schema: name, count: 0, disagree: [] });
  const decoded = decoder.decode(message.data);
  topic.count++;
  topic.last = decoded.timestamp
    ? { format: decoded.format, size: decoded.data.length, seconds: Number(decoded.timestamp.seconds), frame: decoded.frame_id ?? "" }
    : {};
}
const attachments = [];
for await (const one of reader.readAttachments()) attachments.push(one.name);
stdout.write(JSON.stringify({ topics, attachments, count: Number(reader.statistics.messageCount), in_order: 0 }));
await file.close();
