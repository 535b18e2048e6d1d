"""Reads ten pictures from a camera into numpy arrays: frames.py 127.0.0.1:7101"""
import sys
import grpc
import numpy
from waldo.camera.v1 import camera_service_pb2 as camera, camera_service_pb2_grpc as service
from waldo.media.v1 import media_pb2 as media

channel = grpc.insecure_channel(sys.argv[1], [("grpc.max_receive_message_length", 64 << 20)])
wanted = camera.StreamFramesRequest(format=media.VideoFormat(media_type="video/raw", pixel_format="BGR24"))
for _, step in zip(range(10), service.CameraServiceStub(channel).StreamFrames(wanted)):
    size = step.frame.format
    picture = numpy.frombuffer(step.frame.data, numpy.uint8).reshape(size.height_px, size.width_px, 3)
    print(step.frame.sequence, picture.shape, picture.dtype, "mean brightness %.1f" % picture.mean())
