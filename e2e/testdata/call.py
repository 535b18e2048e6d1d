"""Calls unary gRPC methods for a test: call.py ADDRESS.

Each input line is JSON with the method and the request, each output line JSON with the answer or the error.
"""
import json, re, sys

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory
from waldo.control.v1 import control_service_pb2
from waldo.serial.v1 import serial_service_pb2


def call(channel, method, request):
    service, name = method.split("/")
    described = descriptor_pool.Default().FindServiceByName(service).FindMethodByName(name)
    answer = message_factory.GetMessageClass(described.output_type)
    unary = channel.unary_unary("/" + method, response_deserializer=answer.FromString)
    message = json_format.Parse(request, message_factory.GetMessageClass(described.input_type)())
    try:
        return {"answer": json_format.MessageToDict(unary(message.SerializeToString(), timeout=10))}
    except grpc.RpcError as e:
        details = dict(e.trailing_metadata()).get("grpc-status-details-bin", b"")
        reason = re.search(rb"([A-Z_]+)\x12.waldo\.control", details)  # of an ErrorInfo, which is a protobuf message
        return {"code": e.code().name, "message": e.details(), "reason": reason.group(1).decode() if reason else ""}


with grpc.insecure_channel(sys.argv[1]) as channel:
    for line in sys.stdin:
        step = json.loads(line)
        print(json.dumps(call(channel, step["method"], step["request"])), flush=True)
