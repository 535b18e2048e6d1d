from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from waldo.access.v1 import access_pb2 as _access_pb2
from waldo.media.v1 import media_pb2 as _media_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AudioTap(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    AUDIO_TAP_UNSPECIFIED: _ClassVar[AudioTap]
    AUDIO_TAP_MICROPHONE: _ClassVar[AudioTap]
    AUDIO_TAP_SPEAKER: _ClassVar[AudioTap]
AUDIO_TAP_UNSPECIFIED: AudioTap
AUDIO_TAP_MICROPHONE: AudioTap
AUDIO_TAP_SPEAKER: AudioTap

class SoundDevice(_message.Message):
    __slots__ = ("name", "host", "input_channels", "output_channels", "default_sample_rate_hz", "default_input", "default_output")
    NAME_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    INPUT_CHANNELS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_CHANNELS_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_SAMPLE_RATE_HZ_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_INPUT_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_OUTPUT_FIELD_NUMBER: _ClassVar[int]
    name: str
    host: str
    input_channels: int
    output_channels: int
    default_sample_rate_hz: float
    default_input: bool
    default_output: bool
    def __init__(self, name: _Optional[str] = ..., host: _Optional[str] = ..., input_channels: _Optional[int] = ..., output_channels: _Optional[int] = ..., default_sample_rate_hz: _Optional[float] = ..., default_input: bool = ..., default_output: bool = ...) -> None: ...

class ListDevicesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListDevicesResponse(_message.Message):
    __slots__ = ("devices",)
    DEVICES_FIELD_NUMBER: _ClassVar[int]
    devices: _containers.RepeatedCompositeFieldContainer[SoundDevice]
    def __init__(self, devices: _Optional[_Iterable[_Union[SoundDevice, _Mapping]]] = ...) -> None: ...

class StreamAudioRequest(_message.Message):
    __slots__ = ("format", "block_samples", "tap")
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    BLOCK_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    TAP_FIELD_NUMBER: _ClassVar[int]
    format: _media_pb2.AudioFormat
    block_samples: int
    tap: AudioTap
    def __init__(self, format: _Optional[_Union[_media_pb2.AudioFormat, _Mapping]] = ..., block_samples: _Optional[int] = ..., tap: _Optional[_Union[AudioTap, str]] = ...) -> None: ...

class StreamAudioResponse(_message.Message):
    __slots__ = ("frame", "dropped_count")
    FRAME_FIELD_NUMBER: _ClassVar[int]
    DROPPED_COUNT_FIELD_NUMBER: _ClassVar[int]
    frame: _media_pb2.AudioFrame
    dropped_count: int
    def __init__(self, frame: _Optional[_Union[_media_pb2.AudioFrame, _Mapping]] = ..., dropped_count: _Optional[int] = ...) -> None: ...

class PlayAudioRequest(_message.Message):
    __slots__ = ("frame",)
    FRAME_FIELD_NUMBER: _ClassVar[int]
    frame: _media_pb2.AudioFrame
    def __init__(self, frame: _Optional[_Union[_media_pb2.AudioFrame, _Mapping]] = ...) -> None: ...

class PlayAudioResponse(_message.Message):
    __slots__ = ("played",)
    PLAYED_FIELD_NUMBER: _ClassVar[int]
    played: _duration_pb2.Duration
    def __init__(self, played: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class Volume(_message.Message):
    __slots__ = ("gain_db", "muted")
    GAIN_DB_FIELD_NUMBER: _ClassVar[int]
    MUTED_FIELD_NUMBER: _ClassVar[int]
    gain_db: float
    muted: bool
    def __init__(self, gain_db: _Optional[float] = ..., muted: bool = ...) -> None: ...

class GetVolumeRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetVolumeResponse(_message.Message):
    __slots__ = ("microphone", "speaker")
    MICROPHONE_FIELD_NUMBER: _ClassVar[int]
    SPEAKER_FIELD_NUMBER: _ClassVar[int]
    microphone: Volume
    speaker: Volume
    def __init__(self, microphone: _Optional[_Union[Volume, _Mapping]] = ..., speaker: _Optional[_Union[Volume, _Mapping]] = ...) -> None: ...

class SetVolumeRequest(_message.Message):
    __slots__ = ("microphone", "speaker")
    MICROPHONE_FIELD_NUMBER: _ClassVar[int]
    SPEAKER_FIELD_NUMBER: _ClassVar[int]
    microphone: Volume
    speaker: Volume
    def __init__(self, microphone: _Optional[_Union[Volume, _Mapping]] = ..., speaker: _Optional[_Union[Volume, _Mapping]] = ...) -> None: ...

class SetVolumeResponse(_message.Message):
    __slots__ = ("microphone", "speaker")
    MICROPHONE_FIELD_NUMBER: _ClassVar[int]
    SPEAKER_FIELD_NUMBER: _ClassVar[int]
    microphone: Volume
    speaker: Volume
    def __init__(self, microphone: _Optional[_Union[Volume, _Mapping]] = ..., speaker: _Optional[_Union[Volume, _Mapping]] = ...) -> None: ...

class Level(_message.Message):
    __slots__ = ("rms_dbfs", "peak_dbfs")
    RMS_DBFS_FIELD_NUMBER: _ClassVar[int]
    PEAK_DBFS_FIELD_NUMBER: _ClassVar[int]
    rms_dbfs: float
    peak_dbfs: float
    def __init__(self, rms_dbfs: _Optional[float] = ..., peak_dbfs: _Optional[float] = ...) -> None: ...

class Talker(_message.Message):
    __slots__ = ("name", "since", "level", "buffered")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    BUFFERED_FIELD_NUMBER: _ClassVar[int]
    name: str
    since: _timestamp_pb2.Timestamp
    level: Level
    buffered: _duration_pb2.Duration
    def __init__(self, name: _Optional[str] = ..., since: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., level: _Optional[_Union[Level, _Mapping]] = ..., buffered: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class StreamLevelsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StreamLevelsResponse(_message.Message):
    __slots__ = ("microphone", "speaker", "talkers")
    MICROPHONE_FIELD_NUMBER: _ClassVar[int]
    SPEAKER_FIELD_NUMBER: _ClassVar[int]
    TALKERS_FIELD_NUMBER: _ClassVar[int]
    microphone: Level
    speaker: Level
    talkers: _containers.RepeatedCompositeFieldContainer[Talker]
    def __init__(self, microphone: _Optional[_Union[Level, _Mapping]] = ..., speaker: _Optional[_Union[Level, _Mapping]] = ..., talkers: _Optional[_Iterable[_Union[Talker, _Mapping]]] = ...) -> None: ...
