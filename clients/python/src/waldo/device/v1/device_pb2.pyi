from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StreamDirection(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STREAM_DIRECTION_UNSPECIFIED: _ClassVar[StreamDirection]
    STREAM_DIRECTION_OUT: _ClassVar[StreamDirection]
    STREAM_DIRECTION_IN: _ClassVar[StreamDirection]

class DeviceState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DEVICE_STATE_UNSPECIFIED: _ClassVar[DeviceState]
    DEVICE_STATE_STARTING: _ClassVar[DeviceState]
    DEVICE_STATE_READY: _ClassVar[DeviceState]
    DEVICE_STATE_AWAY: _ClassVar[DeviceState]
    DEVICE_STATE_STOPPING: _ClassVar[DeviceState]
STREAM_DIRECTION_UNSPECIFIED: StreamDirection
STREAM_DIRECTION_OUT: StreamDirection
STREAM_DIRECTION_IN: StreamDirection
DEVICE_STATE_UNSPECIFIED: DeviceState
DEVICE_STATE_STARTING: DeviceState
DEVICE_STATE_READY: DeviceState
DEVICE_STATE_AWAY: DeviceState
DEVICE_STATE_STOPPING: DeviceState

class Device(_message.Message):
    __slots__ = ("robot", "name", "kind", "version", "epoch", "state", "state_reason", "pid", "grpc_address", "metrics_address", "start_time", "streams", "attributes", "audit_head")
    class AttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ROBOT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    STATE_REASON_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    GRPC_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    METRICS_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    STREAMS_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    AUDIT_HEAD_FIELD_NUMBER: _ClassVar[int]
    robot: str
    name: str
    kind: str
    version: str
    epoch: int
    state: DeviceState
    state_reason: str
    pid: int
    grpc_address: str
    metrics_address: str
    start_time: _timestamp_pb2.Timestamp
    streams: _containers.RepeatedCompositeFieldContainer[StreamInfo]
    attributes: _containers.ScalarMap[str, str]
    audit_head: str
    def __init__(self, robot: _Optional[str] = ..., name: _Optional[str] = ..., kind: _Optional[str] = ..., version: _Optional[str] = ..., epoch: _Optional[int] = ..., state: _Optional[_Union[DeviceState, str]] = ..., state_reason: _Optional[str] = ..., pid: _Optional[int] = ..., grpc_address: _Optional[str] = ..., metrics_address: _Optional[str] = ..., start_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., streams: _Optional[_Iterable[_Union[StreamInfo, _Mapping]]] = ..., attributes: _Optional[_Mapping[str, str]] = ..., audit_head: _Optional[str] = ...) -> None: ...

class StreamInfo(_message.Message):
    __slots__ = ("name", "direction", "message_type", "holder_count", "key_frame_on_request", "media_types", "alternative_to", "passed_through", "small")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DIRECTION_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_TYPE_FIELD_NUMBER: _ClassVar[int]
    HOLDER_COUNT_FIELD_NUMBER: _ClassVar[int]
    KEY_FRAME_ON_REQUEST_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPES_FIELD_NUMBER: _ClassVar[int]
    ALTERNATIVE_TO_FIELD_NUMBER: _ClassVar[int]
    PASSED_THROUGH_FIELD_NUMBER: _ClassVar[int]
    SMALL_FIELD_NUMBER: _ClassVar[int]
    name: str
    direction: StreamDirection
    message_type: str
    holder_count: int
    key_frame_on_request: bool
    media_types: _containers.RepeatedScalarFieldContainer[str]
    alternative_to: str
    passed_through: bool
    small: bool
    def __init__(self, name: _Optional[str] = ..., direction: _Optional[_Union[StreamDirection, str]] = ..., message_type: _Optional[str] = ..., holder_count: _Optional[int] = ..., key_frame_on_request: bool = ..., media_types: _Optional[_Iterable[str]] = ..., alternative_to: _Optional[str] = ..., passed_through: bool = ..., small: bool = ...) -> None: ...
