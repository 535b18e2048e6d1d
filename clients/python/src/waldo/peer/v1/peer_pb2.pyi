from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from waldo.access.v1 import access_pb2 as _access_pb2
from waldo.media.v1 import media_pb2 as _media_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Publisher(_message.Message):
    __slots__ = ("id", "name", "program", "address", "via", "begin_time")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PROGRAM_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    VIA_FIELD_NUMBER: _ClassVar[int]
    BEGIN_TIME_FIELD_NUMBER: _ClassVar[int]
    id: int
    name: str
    program: str
    address: str
    via: str
    begin_time: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[int] = ..., name: _Optional[str] = ..., program: _Optional[str] = ..., address: _Optional[str] = ..., via: _Optional[str] = ..., begin_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class BeginRequest(_message.Message):
    __slots__ = ("publisher", "take")
    PUBLISHER_FIELD_NUMBER: _ClassVar[int]
    TAKE_FIELD_NUMBER: _ClassVar[int]
    publisher: Publisher
    take: bool
    def __init__(self, publisher: _Optional[_Union[Publisher, _Mapping]] = ..., take: bool = ...) -> None: ...

class BeginResponse(_message.Message):
    __slots__ = ("publisher", "epoch", "max_bitrate_bps")
    PUBLISHER_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    MAX_BITRATE_BPS_FIELD_NUMBER: _ClassVar[int]
    publisher: Publisher
    epoch: int
    max_bitrate_bps: int
    def __init__(self, publisher: _Optional[_Union[Publisher, _Mapping]] = ..., epoch: _Optional[int] = ..., max_bitrate_bps: _Optional[int] = ...) -> None: ...

class EndRequest(_message.Message):
    __slots__ = ("epoch",)
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    def __init__(self, epoch: _Optional[int] = ...) -> None: ...

class EndResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetPublisherRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetPublisherResponse(_message.Message):
    __slots__ = ("publisher", "age")
    PUBLISHER_FIELD_NUMBER: _ClassVar[int]
    AGE_FIELD_NUMBER: _ClassVar[int]
    publisher: Publisher
    age: _duration_pb2.Duration
    def __init__(self, publisher: _Optional[_Union[Publisher, _Mapping]] = ..., age: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class Wish(_message.Message):
    __slots__ = ("publication_id", "key_frame", "ended")
    PUBLICATION_ID_FIELD_NUMBER: _ClassVar[int]
    KEY_FRAME_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    publication_id: int
    key_frame: KeyFrame
    ended: str
    def __init__(self, publication_id: _Optional[int] = ..., key_frame: _Optional[_Union[KeyFrame, _Mapping]] = ..., ended: _Optional[str] = ...) -> None: ...

class KeyFrame(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Message(_message.Message):
    __slots__ = ("epoch", "sequence", "time", "value")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    sequence: int
    time: _timestamp_pb2.Timestamp
    value: _struct_pb2.Value
    def __init__(self, epoch: _Optional[int] = ..., sequence: _Optional[int] = ..., time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., value: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ...) -> None: ...

class PublishRequest(_message.Message):
    __slots__ = ("begin", "video", "audio", "message", "idle", "end")
    BEGIN_FIELD_NUMBER: _ClassVar[int]
    VIDEO_FIELD_NUMBER: _ClassVar[int]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    IDLE_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    begin: BeginRequest
    video: _media_pb2.VideoFrame
    audio: _media_pb2.AudioFrame
    message: Message
    idle: Idle
    end: End
    def __init__(self, begin: _Optional[_Union[BeginRequest, _Mapping]] = ..., video: _Optional[_Union[_media_pb2.VideoFrame, _Mapping]] = ..., audio: _Optional[_Union[_media_pb2.AudioFrame, _Mapping]] = ..., message: _Optional[_Union[Message, _Mapping]] = ..., idle: _Optional[_Union[Idle, _Mapping]] = ..., end: _Optional[_Union[End, _Mapping]] = ...) -> None: ...

class Idle(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class End(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class PublishResponse(_message.Message):
    __slots__ = ("begun", "wish", "demand")
    BEGUN_FIELD_NUMBER: _ClassVar[int]
    WISH_FIELD_NUMBER: _ClassVar[int]
    DEMAND_FIELD_NUMBER: _ClassVar[int]
    begun: BeginResponse
    wish: Wish
    demand: Demand
    def __init__(self, begun: _Optional[_Union[BeginResponse, _Mapping]] = ..., wish: _Optional[_Union[Wish, _Mapping]] = ..., demand: _Optional[_Union[Demand, _Mapping]] = ...) -> None: ...

class Demand(_message.Message):
    __slots__ = ("wanted",)
    WANTED_FIELD_NUMBER: _ClassVar[int]
    wanted: bool
    def __init__(self, wanted: bool = ...) -> None: ...

class StreamMessagesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StreamMessagesResponse(_message.Message):
    __slots__ = ("message", "dropped_count")
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    DROPPED_COUNT_FIELD_NUMBER: _ClassVar[int]
    message: Message
    dropped_count: int
    def __init__(self, message: _Optional[_Union[Message, _Mapping]] = ..., dropped_count: _Optional[int] = ...) -> None: ...
