"""Writes a recording as other programs do, with the packages of PyPI: foreign.py FILE CLIP

It holds pictures and sound by Foxglove's schemas, 4 s from 2026-11-30 07:00 UTC on: /camera/front has the pictures of CLIP,
an H.264 file, 25 a second and again and again; of them one is empty and one is cut off. /mic is silent. /camera/raw has
what Waldo does not replay.
"""
import re
import sys
from foxglove_schemas_protobuf.CompressedAudio_pb2 import CompressedAudio
from foxglove_schemas_protobuf.CompressedVideo_pb2 import CompressedVideo
from foxglove_schemas_protobuf.RawImage_pb2 import RawImage
from mcap_protobuf.writer import Writer

BEGIN = 1_796_022_000 * 10**9
SILENCE = b"\xf8\xff\xfe"  # 20 ms of Opus

clip = open(sys.argv[2], "rb").read()
units = [u for u in re.split(b"\x00*\x00\x00\x01", clip) if u]
pictures, sliced = [], True
for unit in units:
    is_slice = unit[0] & 31 in (1, 5)
    if sliced and not (is_slice and unit[1] < 128):  # the first slice of a picture begins with a 1
        pictures.append(b"")
        sliced = False
    pictures[-1] += b"\x00\x00\x00\x01" + unit
    sliced = sliced or is_slice

with open(sys.argv[1], "wb") as file, Writer(file) as writer:
    def write(topic, message, at):
        message.timestamp.FromNanoseconds(at)
        writer.write_message(topic=topic, message=message, log_time=at + 5_000_000, publish_time=at)

    for n in range(200):
        at = BEGIN + n * 20_000_000
        write("/mic", CompressedAudio(data=SILENCE, format="opus"), at)
        if n % 2:
            continue
        data = pictures[n // 2 % len(pictures)]
        data = {30: b"", 33: data[: len(data) // 2]}.get(n // 2, data)
        write("/camera/front", CompressedVideo(data=data, format="h264", frame_id="front"), at)
        if n % 50 == 0:
            write("/camera/raw", RawImage(width=2, height=2, encoding="mono8", step=2, data=b"1234"), at)
print(len(pictures))
