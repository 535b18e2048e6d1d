from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from waldo.access.v1 import access_pb2 as _access_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PlayerState(_message.Message):
    __slots__ = ("epoch", "jump", "playing", "offset", "clock", "speed", "loop", "ended", "duration", "start_time", "name")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    JUMP_FIELD_NUMBER: _ClassVar[int]
    PLAYING_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    CLOCK_FIELD_NUMBER: _ClassVar[int]
    SPEED_FIELD_NUMBER: _ClassVar[int]
    LOOP_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    jump: int
    playing: bool
    offset: _duration_pb2.Duration
    clock: _duration_pb2.Duration
    speed: float
    loop: bool
    ended: bool
    duration: _duration_pb2.Duration
    start_time: _timestamp_pb2.Timestamp
    name: str
    def __init__(self, epoch: _Optional[int] = ..., jump: _Optional[int] = ..., playing: bool = ..., offset: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., clock: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., speed: _Optional[float] = ..., loop: bool = ..., ended: bool = ..., duration: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., start_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., name: _Optional[str] = ...) -> None: ...

class PlayRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PlayResponse(_message.Message):
    __slots__ = ("state",)
    STATE_FIELD_NUMBER: _ClassVar[int]
    state: PlayerState
    def __init__(self, state: _Optional[_Union[PlayerState, _Mapping]] = ...) -> None: ...

class PauseRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PauseResponse(_message.Message):
    __slots__ = ("state",)
    STATE_FIELD_NUMBER: _ClassVar[int]
    state: PlayerState
    def __init__(self, state: _Optional[_Union[PlayerState, _Mapping]] = ...) -> None: ...

class SeekRequest(_message.Message):
    __slots__ = ("offset",)
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    offset: _duration_pb2.Duration
    def __init__(self, offset: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class SeekResponse(_message.Message):
    __slots__ = ("state",)
    STATE_FIELD_NUMBER: _ClassVar[int]
    state: PlayerState
    def __init__(self, state: _Optional[_Union[PlayerState, _Mapping]] = ...) -> None: ...

class SetSpeedRequest(_message.Message):
    __slots__ = ("speed",)
    SPEED_FIELD_NUMBER: _ClassVar[int]
    speed: float
    def __init__(self, speed: _Optional[float] = ...) -> None: ...

class SetSpeedResponse(_message.Message):
    __slots__ = ("state",)
    STATE_FIELD_NUMBER: _ClassVar[int]
    state: PlayerState
    def __init__(self, state: _Optional[_Union[PlayerState, _Mapping]] = ...) -> None: ...

class SetLoopRequest(_message.Message):
    __slots__ = ("loop",)
    LOOP_FIELD_NUMBER: _ClassVar[int]
    loop: bool
    def __init__(self, loop: bool = ...) -> None: ...

class SetLoopResponse(_message.Message):
    __slots__ = ("state",)
    STATE_FIELD_NUMBER: _ClassVar[int]
    state: PlayerState
    def __init__(self, state: _Optional[_Union[PlayerState, _Mapping]] = ...) -> None: ...

class GetPlayerRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetPlayerResponse(_message.Message):
    __slots__ = ("state",)
    STATE_FIELD_NUMBER: _ClassVar[int]
    state: PlayerState
    def __init__(self, state: _Optional[_Union[PlayerState, _Mapping]] = ...) -> None: ...

class WatchPlayerRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WatchPlayerResponse(_message.Message):
    __slots__ = ("state",)
    STATE_FIELD_NUMBER: _ClassVar[int]
    state: PlayerState
    def __init__(self, state: _Optional[_Union[PlayerState, _Mapping]] = ...) -> None: ...
