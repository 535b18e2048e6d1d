"""Reads a recording with the packages of PyPI, and prints a JSON object: per topic, what a reader sees.

Usage: recording.py FILE

Pictures and sound are decoded by the file's own schemas, which have to agree with those that Foxglove has published.
"""
import json
import sys
from foxglove_schemas_protobuf.CompressedAudio_pb2 import CompressedAudio
from foxglove_schemas_protobuf.CompressedImage_pb2 import CompressedImage
from foxglove_schemas_protobuf.CompressedVideo_pb2 import CompressedVideo
from mcap.reader import NonSeekingReader, make_reader
from mcap_protobuf.decoder import DecoderFactory

published = {t.DESCRIPTOR.full_name: t.DESCRIPTOR for t in (CompressedAudio, CompressedImage, CompressedVideo)}


def disagree(schema, message):
    """Returns which published fields a message does not have, or has with another type."""
    wanted = published[schema.name] if schema.name in published else None
    own = message.DESCRIPTOR.fields_by_name
    return [f.name for f in wanted.fields if f.name not in own or own[f.name].type != f.type or
            f.message_type is not None and own[f.name].message_type.full_name != f.message_type.full_name] if wanted else []


def shown(message):
    """Returns what a viewer needs of a picture or a packet; nothing of other messages."""
    if not hasattr(message, "timestamp"):
        return {}
    return {"format": message.format, "size": len(message.data), "seconds": message.timestamp.seconds,
            "frame": getattr(message, "frame_id", "")}


with open(sys.argv[1], "rb") as file:
    reader = make_reader(file, validate_crcs=True, decoder_factories=[DecoderFactory()])
    summary = reader.get_summary()
    topics = {}
    for schema, channel, message, decoded in reader.iter_decoded_messages():
        topic = topics.setdefault(channel.topic, {"schema": schema.name, "count": 0, "disagree": disagree(schema, decoded)})
        topic["count"] += 1
        topic["last"] = shown(decoded)
    attachments = [a.name for a in reader.iter_attachments()]
with open(sys.argv[1], "rb") as file:
    in_order = sum(1 for _ in NonSeekingReader(file, validate_crcs=True).iter_messages())
json.dump({"topics": topics, "attachments": attachments, "count": summary.statistics.message_count, "in_order": in_order}, sys.stdout)
