"""Drives a robot's board for two seconds: drive.py 127.0.0.1:7102 '{"left": 100, "right": 100}'"""
import sys, time
import grpc
from waldo.control.v1 import control_pb2 as control, control_service_pb2 as lease, control_service_pb2_grpc as control_service
from waldo.serial.v1 import serial_service_pb2 as serial, serial_service_pb2_grpc as serial_service

channel = grpc.insecure_channel(sys.argv[1])
arbiter, board = control_service.ControlServiceStub(channel), serial_service.SerialServiceStub(channel)
granted = arbiter.Acquire(lease.AcquireRequest(holder="drive.py"))
heard = granted.state.clock
for number in range(1, 41):
    message = granted.state.safe_json if number == 1 else sys.argv[2]  # the first command has to mean standing still
    header = control.CommandHeader(lease_epoch=granted.lease.epoch, sequence=number, heard=heard)
    report = board.WriteMessage(serial.WriteMessageRequest(json=message, control=header)).report
    heard = report.clock  # each command repeats the newest clock received from the board
    time.sleep(0.05)  # five commands a second are enough to keep the board from stopping
arbiter.Release(lease.ReleaseRequest(lease_epoch=granted.lease.epoch))
print("sent", report.sequence, "commands, the last one judged", report.age.nanos // 1000, "µs after the clock it repeats")
