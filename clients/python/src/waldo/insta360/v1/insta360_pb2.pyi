from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PowerSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    POWER_SOURCE_UNSPECIFIED: _ClassVar[PowerSource]
    POWER_SOURCE_BATTERY: _ClassVar[PowerSource]
    POWER_SOURCE_ADAPTER: _ClassVar[PowerSource]

class CardState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CARD_STATE_UNSPECIFIED: _ClassVar[CardState]
    CARD_STATE_OK: _ClassVar[CardState]
    CARD_STATE_MISSING: _ClassVar[CardState]
    CARD_STATE_FULL: _ClassVar[CardState]
    CARD_STATE_BAD_FORMAT: _ClassVar[CardState]
    CARD_STATE_WRITE_PROTECTED: _ClassVar[CardState]
    CARD_STATE_FAILED: _ClassVar[CardState]

class CameraEventKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CAMERA_EVENT_KIND_UNSPECIFIED: _ClassVar[CameraEventKind]
    CAMERA_EVENT_KIND_CONNECTED: _ClassVar[CameraEventKind]
    CAMERA_EVENT_KIND_DISCONNECTED: _ClassVar[CameraEventKind]
    CAMERA_EVENT_KIND_ERROR: _ClassVar[CameraEventKind]
    CAMERA_EVENT_KIND_VIDEO_STREAM: _ClassVar[CameraEventKind]
    CAMERA_EVENT_KIND_BATTERY: _ClassVar[CameraEventKind]
    CAMERA_EVENT_KIND_BATTERY_LOW: _ClassVar[CameraEventKind]
    CAMERA_EVENT_KIND_SHUTDOWN: _ClassVar[CameraEventKind]
    CAMERA_EVENT_KIND_STORAGE: _ClassVar[CameraEventKind]
    CAMERA_EVENT_KIND_STORAGE_FULL: _ClassVar[CameraEventKind]
    CAMERA_EVENT_KIND_CAPTURE_STOPPED: _ClassVar[CameraEventKind]
    CAMERA_EVENT_KIND_CAPTURE_STATUS: _ClassVar[CameraEventKind]
    CAMERA_EVENT_KIND_OTHER: _ClassVar[CameraEventKind]
POWER_SOURCE_UNSPECIFIED: PowerSource
POWER_SOURCE_BATTERY: PowerSource
POWER_SOURCE_ADAPTER: PowerSource
CARD_STATE_UNSPECIFIED: CardState
CARD_STATE_OK: CardState
CARD_STATE_MISSING: CardState
CARD_STATE_FULL: CardState
CARD_STATE_BAD_FORMAT: CardState
CARD_STATE_WRITE_PROTECTED: CardState
CARD_STATE_FAILED: CardState
CAMERA_EVENT_KIND_UNSPECIFIED: CameraEventKind
CAMERA_EVENT_KIND_CONNECTED: CameraEventKind
CAMERA_EVENT_KIND_DISCONNECTED: CameraEventKind
CAMERA_EVENT_KIND_ERROR: CameraEventKind
CAMERA_EVENT_KIND_VIDEO_STREAM: CameraEventKind
CAMERA_EVENT_KIND_BATTERY: CameraEventKind
CAMERA_EVENT_KIND_BATTERY_LOW: CameraEventKind
CAMERA_EVENT_KIND_SHUTDOWN: CameraEventKind
CAMERA_EVENT_KIND_STORAGE: CameraEventKind
CAMERA_EVENT_KIND_STORAGE_FULL: CameraEventKind
CAMERA_EVENT_KIND_CAPTURE_STOPPED: CameraEventKind
CAMERA_EVENT_KIND_CAPTURE_STATUS: CameraEventKind
CAMERA_EVENT_KIND_OTHER: CameraEventKind

class CameraInfo(_message.Message):
    __slots__ = ("camera_type", "serial_number", "uuid", "firmware_version", "battery", "storage", "local_time", "utc_offset")
    CAMERA_TYPE_FIELD_NUMBER: _ClassVar[int]
    SERIAL_NUMBER_FIELD_NUMBER: _ClassVar[int]
    UUID_FIELD_NUMBER: _ClassVar[int]
    FIRMWARE_VERSION_FIELD_NUMBER: _ClassVar[int]
    BATTERY_FIELD_NUMBER: _ClassVar[int]
    STORAGE_FIELD_NUMBER: _ClassVar[int]
    LOCAL_TIME_FIELD_NUMBER: _ClassVar[int]
    UTC_OFFSET_FIELD_NUMBER: _ClassVar[int]
    camera_type: str
    serial_number: str
    uuid: str
    firmware_version: str
    battery: Battery
    storage: Storage
    local_time: _timestamp_pb2.Timestamp
    utc_offset: _duration_pb2.Duration
    def __init__(self, camera_type: _Optional[str] = ..., serial_number: _Optional[str] = ..., uuid: _Optional[str] = ..., firmware_version: _Optional[str] = ..., battery: _Optional[_Union[Battery, _Mapping]] = ..., storage: _Optional[_Union[Storage, _Mapping]] = ..., local_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., utc_offset: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class Battery(_message.Message):
    __slots__ = ("source", "level", "scale")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    SCALE_FIELD_NUMBER: _ClassVar[int]
    source: PowerSource
    level: int
    scale: int
    def __init__(self, source: _Optional[_Union[PowerSource, str]] = ..., level: _Optional[int] = ..., scale: _Optional[int] = ...) -> None: ...

class Storage(_message.Message):
    __slots__ = ("state", "free_bytes", "total_bytes")
    STATE_FIELD_NUMBER: _ClassVar[int]
    FREE_BYTES_FIELD_NUMBER: _ClassVar[int]
    TOTAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    state: CardState
    free_bytes: int
    total_bytes: int
    def __init__(self, state: _Optional[_Union[CardState, str]] = ..., free_bytes: _Optional[int] = ..., total_bytes: _Optional[int] = ...) -> None: ...

class CaptureStatus(_message.Message):
    __slots__ = ("capturing", "state", "capture_duration", "picture_count")
    CAPTURING_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CAPTURE_DURATION_FIELD_NUMBER: _ClassVar[int]
    PICTURE_COUNT_FIELD_NUMBER: _ClassVar[int]
    capturing: bool
    state: int
    capture_duration: _duration_pb2.Duration
    picture_count: int
    def __init__(self, capturing: bool = ..., state: _Optional[int] = ..., capture_duration: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., picture_count: _Optional[int] = ...) -> None: ...

class MediaFile(_message.Message):
    __slots__ = ("uri", "size_bytes", "duration")
    URI_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    uri: str
    size_bytes: int
    duration: _duration_pb2.Duration
    def __init__(self, uri: _Optional[str] = ..., size_bytes: _Optional[int] = ..., duration: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class ImuSample(_message.Message):
    __slots__ = ("camera_time_ms", "acceleration_x", "acceleration_y", "acceleration_z", "rotation_x", "rotation_y", "rotation_z")
    CAMERA_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    ACCELERATION_X_FIELD_NUMBER: _ClassVar[int]
    ACCELERATION_Y_FIELD_NUMBER: _ClassVar[int]
    ACCELERATION_Z_FIELD_NUMBER: _ClassVar[int]
    ROTATION_X_FIELD_NUMBER: _ClassVar[int]
    ROTATION_Y_FIELD_NUMBER: _ClassVar[int]
    ROTATION_Z_FIELD_NUMBER: _ClassVar[int]
    camera_time_ms: int
    acceleration_x: float
    acceleration_y: float
    acceleration_z: float
    rotation_x: float
    rotation_y: float
    rotation_z: float
    def __init__(self, camera_time_ms: _Optional[int] = ..., acceleration_x: _Optional[float] = ..., acceleration_y: _Optional[float] = ..., acceleration_z: _Optional[float] = ..., rotation_x: _Optional[float] = ..., rotation_y: _Optional[float] = ..., rotation_z: _Optional[float] = ...) -> None: ...

class ImuBatch(_message.Message):
    __slots__ = ("epoch", "sequence", "event_time", "samples")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    sequence: int
    event_time: _timestamp_pb2.Timestamp
    samples: _containers.RepeatedCompositeFieldContainer[ImuSample]
    def __init__(self, epoch: _Optional[int] = ..., sequence: _Optional[int] = ..., event_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., samples: _Optional[_Iterable[_Union[ImuSample, _Mapping]]] = ...) -> None: ...

class CameraEvent(_message.Message):
    __slots__ = ("epoch", "sequence", "event_time", "kind", "reason", "error", "media_type", "battery", "storage", "capture", "notification")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    BATTERY_FIELD_NUMBER: _ClassVar[int]
    STORAGE_FIELD_NUMBER: _ClassVar[int]
    CAPTURE_FIELD_NUMBER: _ClassVar[int]
    NOTIFICATION_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    sequence: int
    event_time: _timestamp_pb2.Timestamp
    kind: CameraEventKind
    reason: str
    error: CommandError
    media_type: str
    battery: Battery
    storage: Storage
    capture: CaptureStatus
    notification: Notification
    def __init__(self, epoch: _Optional[int] = ..., sequence: _Optional[int] = ..., event_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., kind: _Optional[_Union[CameraEventKind, str]] = ..., reason: _Optional[str] = ..., error: _Optional[_Union[CommandError, _Mapping]] = ..., media_type: _Optional[str] = ..., battery: _Optional[_Union[Battery, _Mapping]] = ..., storage: _Optional[_Union[Storage, _Mapping]] = ..., capture: _Optional[_Union[CaptureStatus, _Mapping]] = ..., notification: _Optional[_Union[Notification, _Mapping]] = ...) -> None: ...

class CommandError(_message.Message):
    __slots__ = ("command", "status", "code", "message")
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    command: str
    status: int
    code: int
    message: str
    def __init__(self, command: _Optional[str] = ..., status: _Optional[int] = ..., code: _Optional[int] = ..., message: _Optional[str] = ...) -> None: ...

class Notification(_message.Message):
    __slots__ = ("code", "body")
    CODE_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    code: int
    body: bytes
    def __init__(self, code: _Optional[int] = ..., body: _Optional[bytes] = ...) -> None: ...
