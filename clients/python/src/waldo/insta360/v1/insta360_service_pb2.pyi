from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from waldo.access.v1 import access_pb2 as _access_pb2
from waldo.insta360.v1 import insta360_pb2 as _insta360_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetCameraInfoRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetCameraInfoResponse(_message.Message):
    __slots__ = ("info",)
    INFO_FIELD_NUMBER: _ClassVar[int]
    info: _insta360_pb2.CameraInfo
    def __init__(self, info: _Optional[_Union[_insta360_pb2.CameraInfo, _Mapping]] = ...) -> None: ...

class SyncTimeRequest(_message.Message):
    __slots__ = ("time", "utc_offset")
    TIME_FIELD_NUMBER: _ClassVar[int]
    UTC_OFFSET_FIELD_NUMBER: _ClassVar[int]
    time: _timestamp_pb2.Timestamp
    utc_offset: _duration_pb2.Duration
    def __init__(self, time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., utc_offset: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class SyncTimeResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class TakePictureRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class TakePictureResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StartCaptureRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StartCaptureResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StopCaptureRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StopCaptureResponse(_message.Message):
    __slots__ = ("file",)
    FILE_FIELD_NUMBER: _ClassVar[int]
    file: _insta360_pb2.MediaFile
    def __init__(self, file: _Optional[_Union[_insta360_pb2.MediaFile, _Mapping]] = ...) -> None: ...

class GetCaptureStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetCaptureStatusResponse(_message.Message):
    __slots__ = ("status",)
    STATUS_FIELD_NUMBER: _ClassVar[int]
    status: _insta360_pb2.CaptureStatus
    def __init__(self, status: _Optional[_Union[_insta360_pb2.CaptureStatus, _Mapping]] = ...) -> None: ...

class ListFilesRequest(_message.Message):
    __slots__ = ("start", "limit")
    START_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    start: int
    limit: int
    def __init__(self, start: _Optional[int] = ..., limit: _Optional[int] = ...) -> None: ...

class ListFilesResponse(_message.Message):
    __slots__ = ("files", "total_count")
    FILES_FIELD_NUMBER: _ClassVar[int]
    TOTAL_COUNT_FIELD_NUMBER: _ClassVar[int]
    files: _containers.RepeatedCompositeFieldContainer[_insta360_pb2.MediaFile]
    total_count: int
    def __init__(self, files: _Optional[_Iterable[_Union[_insta360_pb2.MediaFile, _Mapping]]] = ..., total_count: _Optional[int] = ...) -> None: ...

class WatchEventsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WatchEventsResponse(_message.Message):
    __slots__ = ("event",)
    EVENT_FIELD_NUMBER: _ClassVar[int]
    event: _insta360_pb2.CameraEvent
    def __init__(self, event: _Optional[_Union[_insta360_pb2.CameraEvent, _Mapping]] = ...) -> None: ...

class StreamImuRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StreamImuResponse(_message.Message):
    __slots__ = ("batch",)
    BATCH_FIELD_NUMBER: _ClassVar[int]
    batch: _insta360_pb2.ImuBatch
    def __init__(self, batch: _Optional[_Union[_insta360_pb2.ImuBatch, _Mapping]] = ...) -> None: ...
