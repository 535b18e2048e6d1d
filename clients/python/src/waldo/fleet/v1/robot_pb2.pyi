from google.protobuf import timestamp_pb2 as _timestamp_pb2
from waldo.access.v1 import access_pb2 as _access_pb2
from waldo.device.v1 import device_pb2 as _device_pb2
from waldo.signaling.v1 import signaling_pb2 as _signaling_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetRobotRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetRobotResponse(_message.Message):
    __slots__ = ("state", "drive")
    STATE_FIELD_NUMBER: _ClassVar[int]
    DRIVE_FIELD_NUMBER: _ClassVar[int]
    state: RobotState
    drive: _signaling_pb2.Drive
    def __init__(self, state: _Optional[_Union[RobotState, _Mapping]] = ..., drive: _Optional[_Union[_signaling_pb2.Drive, _Mapping]] = ...) -> None: ...

class Ask(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RobotState(_message.Message):
    __slots__ = ("robot", "epoch", "version", "start_time", "devices", "leaving")
    ROBOT_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    DEVICES_FIELD_NUMBER: _ClassVar[int]
    LEAVING_FIELD_NUMBER: _ClassVar[int]
    robot: str
    epoch: int
    version: str
    start_time: _timestamp_pb2.Timestamp
    devices: _containers.RepeatedCompositeFieldContainer[RobotDevice]
    leaving: bool
    def __init__(self, robot: _Optional[str] = ..., epoch: _Optional[int] = ..., version: _Optional[str] = ..., start_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., devices: _Optional[_Iterable[_Union[RobotDevice, _Mapping]]] = ..., leaving: bool = ...) -> None: ...

class RobotDevice(_message.Message):
    __slots__ = ("name", "kind", "state", "state_reason", "gone")
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    STATE_REASON_FIELD_NUMBER: _ClassVar[int]
    GONE_FIELD_NUMBER: _ClassVar[int]
    name: str
    kind: str
    state: _device_pb2.DeviceState
    state_reason: str
    gone: bool
    def __init__(self, name: _Optional[str] = ..., kind: _Optional[str] = ..., state: _Optional[_Union[_device_pb2.DeviceState, str]] = ..., state_reason: _Optional[str] = ..., gone: bool = ...) -> None: ...

class RobotList(_message.Message):
    __slots__ = ("robots",)
    ROBOTS_FIELD_NUMBER: _ClassVar[int]
    robots: _containers.RepeatedCompositeFieldContainer[RobotStatus]
    def __init__(self, robots: _Optional[_Iterable[_Union[RobotStatus, _Mapping]]] = ...) -> None: ...

class RobotStatus(_message.Message):
    __slots__ = ("state", "away", "reason", "since")
    STATE_FIELD_NUMBER: _ClassVar[int]
    AWAY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    state: RobotState
    away: bool
    reason: str
    since: _timestamp_pb2.Timestamp
    def __init__(self, state: _Optional[_Union[RobotState, _Mapping]] = ..., away: bool = ..., reason: _Optional[str] = ..., since: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
