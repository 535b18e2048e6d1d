"""Reads raw pictures for some seconds, and prints as JSON how many came per second, how many were lost, and the CPU
time that each took in this process.

Arguments: how, address, seconds, bytes of a picture. How is `bare` (grpcio alone, of raw_server.py), `plain` (grpcio
alone, of a camera), `package` or `shared` (waldo, without and with shared memory).
"""

import json
import sys
import time

import numpy


def messages(address, method, request=b""):
    """Yields the bytes of messages, which nobody looks into."""
    import grpc

    channel = grpc.insecure_channel(address, [("grpc.max_receive_message_length", 64 << 20)])
    for data in channel.unary_stream(method)(request):
        yield numpy.frombuffer(data, numpy.uint8), 0


def bare(address):
    return messages(address, "/bench.Bare/Stream")


def plain(address):
    from waldo.camera.v1 import camera_service_pb2
    from waldo.media.v1 import media_pb2

    wanted = media_pb2.VideoFormat(media_type="video/raw", pixel_format="BGR24")
    request = camera_service_pb2.StreamFramesRequest(format=wanted)
    return messages(address, "/waldo.camera.v1.CameraService/StreamFrames", request.SerializeToString())


def package(address, shared_memory=False):
    import waldo

    for frame in waldo.Robot(address).camera("front", shared_memory=shared_memory):
        yield frame, frame.dropped


def shared(address):
    return package(address, shared_memory=True)


def main():
    how, address, seconds, size = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
    pictures = globals()[how](address)
    for _ in range(10):
        first = next(pictures)
    begin, used, count = time.monotonic(), time.process_time(), 0
    while (now := time.monotonic()) < begin + seconds:
        picture, lost = next(pictures)
        count += 1
        assert picture.size >= size, picture.size
    used = time.process_time() - used
    rate, cpu = count / (now - begin), 1000 * used / count
    print(json.dumps({"fps": rate, "cpu_ms": cpu, "lost": lost - first[1]}), flush=True)


main()
