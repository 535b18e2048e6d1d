"""Calls a device and asks the bus who is there, by TLS: trust.py CA GRPC NATS"""
import asyncio
import ssl
import sys

import grpc
import nats

ca, address, servers = sys.argv[1:]
with open(ca, "rb") as file:
    credentials = grpc.ssl_channel_credentials(file.read())
with grpc.secure_channel(address, credentials) as channel:
    if b"front" not in channel.unary_unary("/waldo.device.v1.DeviceService/GetDevice")(b"", timeout=30):
        raise SystemExit("another device answers")


async def ask():
    bus = await nats.connect(servers, tls=ssl.create_default_context(cafile=ca))
    answers = await bus.subscribe("answers." + bus.new_inbox())
    await bus.publish("$SRV.INFO", reply=answers.subject)
    while b"front" not in (await answers.next_msg(20)).data:
        pass
    print("front is on the bus")
    await bus.close()


asyncio.run(ask())
