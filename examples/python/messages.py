"""Prints five messages of a board: messages.py 127.0.0.1:7102"""
import sys
import grpc
from waldo.serial.v1 import serial_service_pb2 as serial, serial_service_pb2_grpc as service

board = service.SerialServiceStub(grpc.insecure_channel(sys.argv[1]))
for _, step in zip(range(5), board.StreamMessages(serial.StreamMessagesRequest())):
    print(step.message.json)
