from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EventKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVENT_KIND_UNSPECIFIED: _ClassVar[EventKind]
    EVENT_KIND_KEY: _ClassVar[EventKind]
    EVENT_KIND_RELATIVE: _ClassVar[EventKind]
    EVENT_KIND_ABSOLUTE: _ClassVar[EventKind]
    EVENT_KIND_OTHER: _ClassVar[EventKind]
EVENT_KIND_UNSPECIFIED: EventKind
EVENT_KIND_KEY: EventKind
EVENT_KIND_RELATIVE: EventKind
EVENT_KIND_ABSOLUTE: EventKind
EVENT_KIND_OTHER: EventKind

class Report(_message.Message):
    __slots__ = ("epoch", "sequence", "event_time", "events", "resync")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    RESYNC_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    sequence: int
    event_time: _timestamp_pb2.Timestamp
    events: _containers.RepeatedCompositeFieldContainer[Event]
    resync: bool
    def __init__(self, epoch: _Optional[int] = ..., sequence: _Optional[int] = ..., event_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., events: _Optional[_Iterable[_Union[Event, _Mapping]]] = ..., resync: bool = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ("kind", "code", "name", "value", "normalized")
    KIND_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    NORMALIZED_FIELD_NUMBER: _ClassVar[int]
    kind: EventKind
    code: int
    name: str
    value: int
    normalized: float
    def __init__(self, kind: _Optional[_Union[EventKind, str]] = ..., code: _Optional[int] = ..., name: _Optional[str] = ..., value: _Optional[int] = ..., normalized: _Optional[float] = ...) -> None: ...

class State(_message.Message):
    __slots__ = ("epoch", "sequence", "keys", "axes")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    AXES_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    sequence: int
    keys: _containers.RepeatedCompositeFieldContainer[Event]
    axes: _containers.RepeatedCompositeFieldContainer[Event]
    def __init__(self, epoch: _Optional[int] = ..., sequence: _Optional[int] = ..., keys: _Optional[_Iterable[_Union[Event, _Mapping]]] = ..., axes: _Optional[_Iterable[_Union[Event, _Mapping]]] = ...) -> None: ...

class Axis(_message.Message):
    __slots__ = ("code", "name", "minimum", "maximum", "dead_zone", "centered")
    CODE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_FIELD_NUMBER: _ClassVar[int]
    MAXIMUM_FIELD_NUMBER: _ClassVar[int]
    DEAD_ZONE_FIELD_NUMBER: _ClassVar[int]
    CENTERED_FIELD_NUMBER: _ClassVar[int]
    code: int
    name: str
    minimum: int
    maximum: int
    dead_zone: int
    centered: bool
    def __init__(self, code: _Optional[int] = ..., name: _Optional[str] = ..., minimum: _Optional[int] = ..., maximum: _Optional[int] = ..., dead_zone: _Optional[int] = ..., centered: bool = ...) -> None: ...

class InputInfo(_message.Message):
    __slots__ = ("path", "name", "kind", "id")
    PATH_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    path: str
    name: str
    kind: str
    id: str
    def __init__(self, path: _Optional[str] = ..., name: _Optional[str] = ..., kind: _Optional[str] = ..., id: _Optional[str] = ...) -> None: ...
