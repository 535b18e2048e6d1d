from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class VideoFormat(_message.Message):
    __slots__ = ("media_type", "pixel_format", "width_px", "height_px", "frame_rate_hz")
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    PIXEL_FORMAT_FIELD_NUMBER: _ClassVar[int]
    WIDTH_PX_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_PX_FIELD_NUMBER: _ClassVar[int]
    FRAME_RATE_HZ_FIELD_NUMBER: _ClassVar[int]
    media_type: str
    pixel_format: str
    width_px: int
    height_px: int
    frame_rate_hz: float
    def __init__(self, media_type: _Optional[str] = ..., pixel_format: _Optional[str] = ..., width_px: _Optional[int] = ..., height_px: _Optional[int] = ..., frame_rate_hz: _Optional[float] = ...) -> None: ...

class VideoFrame(_message.Message):
    __slots__ = ("epoch", "sequence", "capture_time", "format", "key_frame", "data", "metadata", "replay_time")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    CAPTURE_TIME_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    KEY_FRAME_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    REPLAY_TIME_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    sequence: int
    capture_time: _timestamp_pb2.Timestamp
    format: VideoFormat
    key_frame: bool
    data: bytes
    metadata: _containers.ScalarMap[str, str]
    replay_time: _timestamp_pb2.Timestamp
    def __init__(self, epoch: _Optional[int] = ..., sequence: _Optional[int] = ..., capture_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., format: _Optional[_Union[VideoFormat, _Mapping]] = ..., key_frame: bool = ..., data: _Optional[bytes] = ..., metadata: _Optional[_Mapping[str, str]] = ..., replay_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Capture(_message.Message):
    __slots__ = ("epoch", "capture_time", "age")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    CAPTURE_TIME_FIELD_NUMBER: _ClassVar[int]
    AGE_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    capture_time: _timestamp_pb2.Timestamp
    age: _duration_pb2.Duration
    def __init__(self, epoch: _Optional[int] = ..., capture_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., age: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class AudioFormat(_message.Message):
    __slots__ = ("media_type", "sample_format", "sample_rate_hz", "channels")
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_FORMAT_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_RATE_HZ_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    media_type: str
    sample_format: str
    sample_rate_hz: int
    channels: int
    def __init__(self, media_type: _Optional[str] = ..., sample_format: _Optional[str] = ..., sample_rate_hz: _Optional[int] = ..., channels: _Optional[int] = ...) -> None: ...

class AudioFrame(_message.Message):
    __slots__ = ("epoch", "sequence", "capture_time", "format", "sample_index", "sample_count", "data", "talker", "replay_time")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    CAPTURE_TIME_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_INDEX_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_COUNT_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    TALKER_FIELD_NUMBER: _ClassVar[int]
    REPLAY_TIME_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    sequence: int
    capture_time: _timestamp_pb2.Timestamp
    format: AudioFormat
    sample_index: int
    sample_count: int
    data: bytes
    talker: str
    replay_time: _timestamp_pb2.Timestamp
    def __init__(self, epoch: _Optional[int] = ..., sequence: _Optional[int] = ..., capture_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., format: _Optional[_Union[AudioFormat, _Mapping]] = ..., sample_index: _Optional[int] = ..., sample_count: _Optional[int] = ..., data: _Optional[bytes] = ..., talker: _Optional[str] = ..., replay_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
