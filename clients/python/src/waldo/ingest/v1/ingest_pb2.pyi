from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from waldo.access.v1 import access_pb2 as _access_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ConnectionState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONNECTION_STATE_UNSPECIFIED: _ClassVar[ConnectionState]
    CONNECTION_STATE_CONNECTING: _ClassVar[ConnectionState]
    CONNECTION_STATE_CONNECTED: _ClassVar[ConnectionState]
    CONNECTION_STATE_STALLED: _ClassVar[ConnectionState]
    CONNECTION_STATE_WAITING: _ClassVar[ConnectionState]
    CONNECTION_STATE_GAVE_UP: _ClassVar[ConnectionState]

class ConnectionEventKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONNECTION_EVENT_KIND_UNSPECIFIED: _ClassVar[ConnectionEventKind]
    CONNECTION_EVENT_KIND_CONNECTED: _ClassVar[ConnectionEventKind]
    CONNECTION_EVENT_KIND_DISCONNECTED: _ClassVar[ConnectionEventKind]
    CONNECTION_EVENT_KIND_GAVE_UP: _ClassVar[ConnectionEventKind]
CONNECTION_STATE_UNSPECIFIED: ConnectionState
CONNECTION_STATE_CONNECTING: ConnectionState
CONNECTION_STATE_CONNECTED: ConnectionState
CONNECTION_STATE_STALLED: ConnectionState
CONNECTION_STATE_WAITING: ConnectionState
CONNECTION_STATE_GAVE_UP: ConnectionState
CONNECTION_EVENT_KIND_UNSPECIFIED: ConnectionEventKind
CONNECTION_EVENT_KIND_CONNECTED: ConnectionEventKind
CONNECTION_EVENT_KIND_DISCONNECTED: ConnectionEventKind
CONNECTION_EVENT_KIND_GAVE_UP: ConnectionEventKind

class Connection(_message.Message):
    __slots__ = ("state", "state_time", "reason", "is_connected", "reconnect_count", "connect_count", "fps", "width_px", "height_px", "clock", "delay", "attributes")
    class AttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    STATE_FIELD_NUMBER: _ClassVar[int]
    STATE_TIME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    IS_CONNECTED_FIELD_NUMBER: _ClassVar[int]
    RECONNECT_COUNT_FIELD_NUMBER: _ClassVar[int]
    CONNECT_COUNT_FIELD_NUMBER: _ClassVar[int]
    FPS_FIELD_NUMBER: _ClassVar[int]
    WIDTH_PX_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_PX_FIELD_NUMBER: _ClassVar[int]
    CLOCK_FIELD_NUMBER: _ClassVar[int]
    DELAY_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    state: ConnectionState
    state_time: _timestamp_pb2.Timestamp
    reason: str
    is_connected: bool
    reconnect_count: int
    connect_count: int
    fps: float
    width_px: int
    height_px: int
    clock: str
    delay: _duration_pb2.Duration
    attributes: _containers.ScalarMap[str, str]
    def __init__(self, state: _Optional[_Union[ConnectionState, str]] = ..., state_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., reason: _Optional[str] = ..., is_connected: bool = ..., reconnect_count: _Optional[int] = ..., connect_count: _Optional[int] = ..., fps: _Optional[float] = ..., width_px: _Optional[int] = ..., height_px: _Optional[int] = ..., clock: _Optional[str] = ..., delay: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., attributes: _Optional[_Mapping[str, str]] = ...) -> None: ...

class ConnectionEvent(_message.Message):
    __slots__ = ("epoch", "sequence", "event_time", "kind", "connection")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    CONNECTION_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    sequence: int
    event_time: _timestamp_pb2.Timestamp
    kind: ConnectionEventKind
    connection: Connection
    def __init__(self, epoch: _Optional[int] = ..., sequence: _Optional[int] = ..., event_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., kind: _Optional[_Union[ConnectionEventKind, str]] = ..., connection: _Optional[_Union[Connection, _Mapping]] = ...) -> None: ...

class GetConnectionRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetConnectionResponse(_message.Message):
    __slots__ = ("connection",)
    CONNECTION_FIELD_NUMBER: _ClassVar[int]
    connection: Connection
    def __init__(self, connection: _Optional[_Union[Connection, _Mapping]] = ...) -> None: ...

class WatchConnectionRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WatchConnectionResponse(_message.Message):
    __slots__ = ("event",)
    EVENT_FIELD_NUMBER: _ClassVar[int]
    event: ConnectionEvent
    def __init__(self, event: _Optional[_Union[ConnectionEvent, _Mapping]] = ...) -> None: ...

class ReconnectRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ReconnectResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
