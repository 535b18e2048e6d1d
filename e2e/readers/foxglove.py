"""Compares the schemas of a robot's channels with those of Foxglove's own package, and prints what it sees, an event per
line. It ends with its orders. Its argument is {address, protocol, topics}."""

import asyncio
import base64
import json
import struct
import sys

import aiohttp
from foxglove_schemas_protobuf import CompressedAudio_pb2, CompressedImage_pb2, CompressedVideo_pb2, Log_pb2
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

OFFICIAL = {
    m.DESCRIPTOR.full_name: m
    for m in (
        CompressedAudio_pb2.CompressedAudio,
        CompressedImage_pb2.CompressedImage,
        CompressedVideo_pb2.CompressedVideo,
        Log_pb2.Log,
    )
}


def say(event, value):
    print(json.dumps({"event": event, "value": value}), flush=True)


def type_of(channel):
    """The type of a channel's messages, by its schema and nothing else."""
    files = descriptor_pb2.FileDescriptorSet.FromString(base64.b64decode(channel["schema"]))
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(channel["schemaName"]))


def differences(ours, official):
    """What the official type has and ours has not. More fields and other numbers are fine: readers go by the schema."""
    for field in official.DESCRIPTOR.fields:
        other = ours.DESCRIPTOR.fields_by_name.get(field.name)
        if other is None:
            yield f"{field.name} is missing"
        elif (other.type, other.is_repeated) != (field.type, field.is_repeated):
            yield f"{field.name} has another type"
        elif field.message_type and other.message_type.full_name != field.message_type.full_name:
            yield f"{field.name} is a {other.message_type.full_name}"
        elif field.enum_type and [v.name for v in other.enum_type.values] != [v.name for v in field.enum_type.values]:
            yield f"{field.name} has other values"


async def look(address, protocol, topics):
    subscribed = {}
    async with aiohttp.ClientSession() as session, session.ws_connect(address, protocols=[protocol], max_msg_size=0) as ws:
        say("protocol", ws.protocol)
        async for message in ws:
            if message.type is aiohttp.WSMsgType.TEXT:
                for channel in json.loads(message.data).get("channels", []):
                    name, kind = channel["schemaName"], type_of(channel)
                    if name in OFFICIAL:
                        say("schema", [channel["topic"], name, list(differences(kind, OFFICIAL[name]))])
                    if channel["topic"] in topics:
                        subscribed[channel["id"]] = channel["topic"], kind
                        wanted = [{"id": channel["id"], "channelId": channel["id"]}]
                        await ws.send_json({"op": "subscribe", "subscriptions": wanted})
            elif message.data[0] == 1:
                number, _ = struct.unpack_from("<IQ", message.data, 1)
                topic, kind = subscribed[number]
                say(topic, json_format.MessageToDict(kind.FromString(message.data[13:]), preserving_proto_field_name=True))


async def main():
    looking = asyncio.create_task(look(**json.loads(sys.argv[1])))
    orders = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await asyncio.wait([looking, orders], return_when=asyncio.FIRST_COMPLETED)
    looking.cancel()


asyncio.run(main())
