from google.protobuf import descriptor_pb2 as _descriptor_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from waldo.access.v1 import access_pb2 as _access_pb2
from waldo.device.v1 import device_pb2 as _device_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RestartObstacleKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RESTART_OBSTACLE_KIND_UNSPECIFIED: _ClassVar[RestartObstacleKind]
    RESTART_OBSTACLE_KIND_LEASE: _ClassVar[RestartObstacleKind]
    RESTART_OBSTACLE_KIND_TALKER: _ClassVar[RestartObstacleKind]
    RESTART_OBSTACLE_KIND_PUBLISHER: _ClassVar[RestartObstacleKind]
    RESTART_OBSTACLE_KIND_READER: _ClassVar[RestartObstacleKind]
RESTART_OBSTACLE_KIND_UNSPECIFIED: RestartObstacleKind
RESTART_OBSTACLE_KIND_LEASE: RestartObstacleKind
RESTART_OBSTACLE_KIND_TALKER: RestartObstacleKind
RESTART_OBSTACLE_KIND_PUBLISHER: RestartObstacleKind
RESTART_OBSTACLE_KIND_READER: RestartObstacleKind

class GetDeviceRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetDeviceResponse(_message.Message):
    __slots__ = ("device",)
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    device: _device_pb2.Device
    def __init__(self, device: _Optional[_Union[_device_pb2.Device, _Mapping]] = ...) -> None: ...

class WatchDeviceRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WatchDeviceResponse(_message.Message):
    __slots__ = ("device",)
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    device: _device_pb2.Device
    def __init__(self, device: _Optional[_Union[_device_pb2.Device, _Mapping]] = ...) -> None: ...

class HoldStreamRequest(_message.Message):
    __slots__ = ("stream", "holder", "ttl")
    STREAM_FIELD_NUMBER: _ClassVar[int]
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    stream: str
    holder: str
    ttl: _duration_pb2.Duration
    def __init__(self, stream: _Optional[str] = ..., holder: _Optional[str] = ..., ttl: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class HoldStreamResponse(_message.Message):
    __slots__ = ("epoch", "subject")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    subject: str
    def __init__(self, epoch: _Optional[int] = ..., subject: _Optional[str] = ...) -> None: ...

class AcknowledgeRequest(_message.Message):
    __slots__ = ("call", "messages")
    CALL_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    call: str
    messages: int
    def __init__(self, call: _Optional[str] = ..., messages: _Optional[int] = ...) -> None: ...

class AcknowledgeResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetDescriptorsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetDescriptorsResponse(_message.Message):
    __slots__ = ("epoch", "services", "files")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    services: _containers.RepeatedScalarFieldContainer[str]
    files: _descriptor_pb2.FileDescriptorSet
    def __init__(self, epoch: _Optional[int] = ..., services: _Optional[_Iterable[str]] = ..., files: _Optional[_Union[_descriptor_pb2.FileDescriptorSet, _Mapping]] = ...) -> None: ...

class GetRestartSafetyRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetRestartSafetyResponse(_message.Message):
    __slots__ = ("safe", "obstacles", "without_gap")
    SAFE_FIELD_NUMBER: _ClassVar[int]
    OBSTACLES_FIELD_NUMBER: _ClassVar[int]
    WITHOUT_GAP_FIELD_NUMBER: _ClassVar[int]
    safe: bool
    obstacles: _containers.RepeatedCompositeFieldContainer[RestartObstacle]
    without_gap: bool
    def __init__(self, safe: bool = ..., obstacles: _Optional[_Iterable[_Union[RestartObstacle, _Mapping]]] = ..., without_gap: bool = ...) -> None: ...

class RestartObstacle(_message.Message):
    __slots__ = ("kind", "text")
    KIND_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    kind: RestartObstacleKind
    text: str
    def __init__(self, kind: _Optional[_Union[RestartObstacleKind, str]] = ..., text: _Optional[str] = ...) -> None: ...
