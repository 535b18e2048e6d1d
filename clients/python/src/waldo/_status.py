"""google.rpc.Status, in which gRPC and the bus carry the details of an error. The message is defined here, with the
field numbers of the original, because the package that has it bounds the versions of protobuf."""

from __future__ import annotations

from typing import Any, TypeVar

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message

M = TypeVar("M", bound=Message)


def _status_type() -> Any:
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="waldo/python/status.proto",
        package="waldo.python",
        syntax="proto3",
        dependency=[any_pb2.DESCRIPTOR.name],
        message_type=[
            descriptor_pb2.DescriptorProto(
                name="Status",
                field=[
                    field(name="code", number=1, type=field.TYPE_INT32, label=field.LABEL_OPTIONAL),
                    field(name="message", number=2, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL),
                    field(
                        name="details",
                        number=3,
                        type=field.TYPE_MESSAGE,
                        type_name=".google.protobuf.Any",
                        label=field.LABEL_REPEATED,
                    ),
                ],
            )
        ],
    )
    pool: Any = descriptor_pool.Default()  # type: ignore[no-untyped-call]
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("waldo.python.Status"))


_Status = _status_type()


def parse(data: bytes) -> tuple[int, str] | None:
    """Returns the code and the text of a status, or None if it is none, or no error."""
    try:
        status = _Status.FromString(data)
    except DecodeError:
        return None
    return (status.code, status.message) if status.code else None


def detail(data: bytes, kind: type[M]) -> M | None:
    """Returns the first detail of a kind in a status, or None."""
    try:
        for packed in _Status.FromString(data).details:
            found = kind()
            if packed.Unpack(found):
                return found
    except DecodeError:
        pass
    return None
