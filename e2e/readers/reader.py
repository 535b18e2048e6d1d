"""Reads a stream in the simplest way, and prints the age of each message and how many were lost.

Usage: reader.py ADDRESS STREAM SECONDS_EACH
"""
import sys
import time
import grpc
from waldo.audio.v1 import audio_pb2 as audio, audio_pb2_grpc as audio_service
from waldo.camera.v1 import camera_service_pb2 as camera, camera_service_pb2_grpc as camera_service
from waldo.media.v1 import media_pb2 as media
from waldo.serial.v1 import serial_service_pb2 as serial, serial_service_pb2_grpc as serial_service

channel = grpc.insecure_channel(sys.argv[1])


def pictures(media_type):
    wanted = camera.StreamFramesRequest(format=media.VideoFormat(media_type=media_type))
    for step in camera_service.CameraServiceStub(channel).StreamFrames(wanted):
        yield step.frame.capture_time, step.dropped_count


def sound():
    for step in audio_service.AudioServiceStub(channel).StreamAudio(audio.StreamAudioRequest()):
        yield step.frame.capture_time, step.dropped_count


def messages():
    for step in serial_service.SerialServiceStub(channel).StreamMessages(serial.StreamMessagesRequest()):
        yield step.message.read_time, step.dropped_count


def connection():
    for step in serial_service.SerialServiceStub(channel).Connect(iter([])):
        yield step.message.read_time, step.dropped_count


streams = {"jpeg": lambda: pictures("image/jpeg"), "h264": lambda: pictures("video/H264"), "audio": sound, "serial": messages,
           "connect": connection}
for at, dropped in streams[sys.argv[2]]():
    print("%.3f %d" % (time.time() - at.ToNanoseconds() / 1e9, dropped), flush=True)
    time.sleep(float(sys.argv[3]))
