from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from waldo.access.v1 import access_pb2 as _access_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RecorderPhase(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RECORDER_PHASE_UNSPECIFIED: _ClassVar[RecorderPhase]
    RECORDER_PHASE_IDLE: _ClassVar[RecorderPhase]
    RECORDER_PHASE_RECORDING: _ClassVar[RecorderPhase]
    RECORDER_PHASE_FAILED: _ClassVar[RecorderPhase]

class TimelineEventKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TIMELINE_EVENT_KIND_UNSPECIFIED: _ClassVar[TimelineEventKind]
    TIMELINE_EVENT_KIND_MARK: _ClassVar[TimelineEventKind]
    TIMELINE_EVENT_KIND_DRIVE: _ClassVar[TimelineEventKind]
    TIMELINE_EVENT_KIND_E_STOP: _ClassVar[TimelineEventKind]
    TIMELINE_EVENT_KIND_REFUSED: _ClassVar[TimelineEventKind]
    TIMELINE_EVENT_KIND_AWAY: _ClassVar[TimelineEventKind]
    TIMELINE_EVENT_KIND_GAP: _ClassVar[TimelineEventKind]
RECORDER_PHASE_UNSPECIFIED: RecorderPhase
RECORDER_PHASE_IDLE: RecorderPhase
RECORDER_PHASE_RECORDING: RecorderPhase
RECORDER_PHASE_FAILED: RecorderPhase
TIMELINE_EVENT_KIND_UNSPECIFIED: TimelineEventKind
TIMELINE_EVENT_KIND_MARK: TimelineEventKind
TIMELINE_EVENT_KIND_DRIVE: TimelineEventKind
TIMELINE_EVENT_KIND_E_STOP: TimelineEventKind
TIMELINE_EVENT_KIND_REFUSED: TimelineEventKind
TIMELINE_EVENT_KIND_AWAY: TimelineEventKind
TIMELINE_EVENT_KIND_GAP: TimelineEventKind

class RecorderState(_message.Message):
    __slots__ = ("epoch", "phase", "problem", "recording", "started_by", "preroll", "free_bytes", "lost_count", "streams")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    RECORDING_FIELD_NUMBER: _ClassVar[int]
    STARTED_BY_FIELD_NUMBER: _ClassVar[int]
    PREROLL_FIELD_NUMBER: _ClassVar[int]
    FREE_BYTES_FIELD_NUMBER: _ClassVar[int]
    LOST_COUNT_FIELD_NUMBER: _ClassVar[int]
    STREAMS_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    phase: RecorderPhase
    problem: str
    recording: Recording
    started_by: str
    preroll: _duration_pb2.Duration
    free_bytes: int
    lost_count: int
    streams: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, epoch: _Optional[int] = ..., phase: _Optional[_Union[RecorderPhase, str]] = ..., problem: _Optional[str] = ..., recording: _Optional[_Union[Recording, _Mapping]] = ..., started_by: _Optional[str] = ..., preroll: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., free_bytes: _Optional[int] = ..., lost_count: _Optional[int] = ..., streams: _Optional[_Iterable[str]] = ...) -> None: ...

class Recording(_message.Message):
    __slots__ = ("name", "start_time", "duration", "size_bytes", "message_count", "files", "devices", "marks", "open", "problem")
    NAME_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_COUNT_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    DEVICES_FIELD_NUMBER: _ClassVar[int]
    MARKS_FIELD_NUMBER: _ClassVar[int]
    OPEN_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    name: str
    start_time: _timestamp_pb2.Timestamp
    duration: _duration_pb2.Duration
    size_bytes: int
    message_count: int
    files: _containers.RepeatedScalarFieldContainer[str]
    devices: _containers.RepeatedScalarFieldContainer[str]
    marks: _containers.RepeatedCompositeFieldContainer[Mark]
    open: bool
    problem: str
    def __init__(self, name: _Optional[str] = ..., start_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., duration: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., size_bytes: _Optional[int] = ..., message_count: _Optional[int] = ..., files: _Optional[_Iterable[str]] = ..., devices: _Optional[_Iterable[str]] = ..., marks: _Optional[_Iterable[_Union[Mark, _Mapping]]] = ..., open: bool = ..., problem: _Optional[str] = ...) -> None: ...

class Mark(_message.Message):
    __slots__ = ("time", "text", "by")
    TIME_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    time: _timestamp_pb2.Timestamp
    text: str
    by: str
    def __init__(self, time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., text: _Optional[str] = ..., by: _Optional[str] = ...) -> None: ...

class StartRecordingRequest(_message.Message):
    __slots__ = ("by",)
    BY_FIELD_NUMBER: _ClassVar[int]
    by: str
    def __init__(self, by: _Optional[str] = ...) -> None: ...

class StartRecordingResponse(_message.Message):
    __slots__ = ("state",)
    STATE_FIELD_NUMBER: _ClassVar[int]
    state: RecorderState
    def __init__(self, state: _Optional[_Union[RecorderState, _Mapping]] = ...) -> None: ...

class StopRecordingRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StopRecordingResponse(_message.Message):
    __slots__ = ("recording",)
    RECORDING_FIELD_NUMBER: _ClassVar[int]
    recording: Recording
    def __init__(self, recording: _Optional[_Union[Recording, _Mapping]] = ...) -> None: ...

class AddMarkRequest(_message.Message):
    __slots__ = ("text", "by")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    text: str
    by: str
    def __init__(self, text: _Optional[str] = ..., by: _Optional[str] = ...) -> None: ...

class AddMarkResponse(_message.Message):
    __slots__ = ("mark",)
    MARK_FIELD_NUMBER: _ClassVar[int]
    mark: Mark
    def __init__(self, mark: _Optional[_Union[Mark, _Mapping]] = ...) -> None: ...

class GetRecorderRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetRecorderResponse(_message.Message):
    __slots__ = ("state",)
    STATE_FIELD_NUMBER: _ClassVar[int]
    state: RecorderState
    def __init__(self, state: _Optional[_Union[RecorderState, _Mapping]] = ...) -> None: ...

class WatchRecorderRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WatchRecorderResponse(_message.Message):
    __slots__ = ("state",)
    STATE_FIELD_NUMBER: _ClassVar[int]
    state: RecorderState
    def __init__(self, state: _Optional[_Union[RecorderState, _Mapping]] = ...) -> None: ...

class ListRecordingsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListRecordingsResponse(_message.Message):
    __slots__ = ("recordings", "next_page_token")
    RECORDINGS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    recordings: _containers.RepeatedCompositeFieldContainer[Recording]
    next_page_token: str
    def __init__(self, recordings: _Optional[_Iterable[_Union[Recording, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetTimelineRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetTimelineResponse(_message.Message):
    __slots__ = ("recording", "streams", "events", "left_out_count")
    RECORDING_FIELD_NUMBER: _ClassVar[int]
    STREAMS_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    LEFT_OUT_COUNT_FIELD_NUMBER: _ClassVar[int]
    recording: Recording
    streams: _containers.RepeatedCompositeFieldContainer[RecordedStream]
    events: _containers.RepeatedCompositeFieldContainer[TimelineEvent]
    left_out_count: int
    def __init__(self, recording: _Optional[_Union[Recording, _Mapping]] = ..., streams: _Optional[_Iterable[_Union[RecordedStream, _Mapping]]] = ..., events: _Optional[_Iterable[_Union[TimelineEvent, _Mapping]]] = ..., left_out_count: _Optional[int] = ...) -> None: ...

class RecordedStream(_message.Message):
    __slots__ = ("device", "kind", "stream", "message_type", "media_type", "message_count", "codec")
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    STREAM_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_TYPE_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_COUNT_FIELD_NUMBER: _ClassVar[int]
    CODEC_FIELD_NUMBER: _ClassVar[int]
    device: str
    kind: str
    stream: str
    message_type: str
    media_type: str
    message_count: int
    codec: str
    def __init__(self, device: _Optional[str] = ..., kind: _Optional[str] = ..., stream: _Optional[str] = ..., message_type: _Optional[str] = ..., media_type: _Optional[str] = ..., message_count: _Optional[int] = ..., codec: _Optional[str] = ...) -> None: ...

class TimelineEvent(_message.Message):
    __slots__ = ("offset", "end", "kind", "device", "text", "count")
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    offset: _duration_pb2.Duration
    end: _duration_pb2.Duration
    kind: TimelineEventKind
    device: str
    text: str
    count: int
    def __init__(self, offset: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., end: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., kind: _Optional[_Union[TimelineEventKind, str]] = ..., device: _Optional[str] = ..., text: _Optional[str] = ..., count: _Optional[int] = ...) -> None: ...

class GetSegmentRequest(_message.Message):
    __slots__ = ("name", "device", "stream", "offset", "initialization")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    STREAM_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    INITIALIZATION_FIELD_NUMBER: _ClassVar[int]
    name: str
    device: str
    stream: str
    offset: _duration_pb2.Duration
    initialization: bool
    def __init__(self, name: _Optional[str] = ..., device: _Optional[str] = ..., stream: _Optional[str] = ..., offset: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., initialization: bool = ...) -> None: ...

class GetSegmentResponse(_message.Message):
    __slots__ = ("initialization", "media", "offset", "next", "codec")
    INITIALIZATION_FIELD_NUMBER: _ClassVar[int]
    MEDIA_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    CODEC_FIELD_NUMBER: _ClassVar[int]
    initialization: bytes
    media: bytes
    offset: _duration_pb2.Duration
    next: _duration_pb2.Duration
    codec: str
    def __init__(self, initialization: _Optional[bytes] = ..., media: _Optional[bytes] = ..., offset: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., next: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., codec: _Optional[str] = ...) -> None: ...

class ReadFileRequest(_message.Message):
    __slots__ = ("file", "offset", "max_bytes")
    FILE_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    MAX_BYTES_FIELD_NUMBER: _ClassVar[int]
    file: str
    offset: int
    max_bytes: int
    def __init__(self, file: _Optional[str] = ..., offset: _Optional[int] = ..., max_bytes: _Optional[int] = ...) -> None: ...

class ReadFileResponse(_message.Message):
    __slots__ = ("data", "size_bytes")
    DATA_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    size_bytes: int
    def __init__(self, data: _Optional[bytes] = ..., size_bytes: _Optional[int] = ...) -> None: ...

class DeleteRecordingRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class DeleteRecordingResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
