from google.protobuf import duration_pb2 as _duration_pb2
from waldo.access.v1 import access_pb2 as _access_pb2
from waldo.media.v1 import media_pb2 as _media_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ControlType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONTROL_TYPE_UNSPECIFIED: _ClassVar[ControlType]
    CONTROL_TYPE_INTEGER: _ClassVar[ControlType]
    CONTROL_TYPE_BOOLEAN: _ClassVar[ControlType]
    CONTROL_TYPE_MENU: _ClassVar[ControlType]
CONTROL_TYPE_UNSPECIFIED: ControlType
CONTROL_TYPE_INTEGER: ControlType
CONTROL_TYPE_BOOLEAN: ControlType
CONTROL_TYPE_MENU: ControlType

class ListFormatsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListFormatsResponse(_message.Message):
    __slots__ = ("native_formats", "current_format", "offered_formats")
    NATIVE_FORMATS_FIELD_NUMBER: _ClassVar[int]
    CURRENT_FORMAT_FIELD_NUMBER: _ClassVar[int]
    OFFERED_FORMATS_FIELD_NUMBER: _ClassVar[int]
    native_formats: _containers.RepeatedCompositeFieldContainer[_media_pb2.VideoFormat]
    current_format: _media_pb2.VideoFormat
    offered_formats: _containers.RepeatedCompositeFieldContainer[_media_pb2.VideoFormat]
    def __init__(self, native_formats: _Optional[_Iterable[_Union[_media_pb2.VideoFormat, _Mapping]]] = ..., current_format: _Optional[_Union[_media_pb2.VideoFormat, _Mapping]] = ..., offered_formats: _Optional[_Iterable[_Union[_media_pb2.VideoFormat, _Mapping]]] = ...) -> None: ...

class CaptureFrameRequest(_message.Message):
    __slots__ = ("format",)
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    format: _media_pb2.VideoFormat
    def __init__(self, format: _Optional[_Union[_media_pb2.VideoFormat, _Mapping]] = ...) -> None: ...

class CaptureFrameResponse(_message.Message):
    __slots__ = ("frame",)
    FRAME_FIELD_NUMBER: _ClassVar[int]
    frame: _media_pb2.VideoFrame
    def __init__(self, frame: _Optional[_Union[_media_pb2.VideoFrame, _Mapping]] = ...) -> None: ...

class StreamFramesRequest(_message.Message):
    __slots__ = ("format", "shared_memory")
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    SHARED_MEMORY_FIELD_NUMBER: _ClassVar[int]
    format: _media_pb2.VideoFormat
    shared_memory: bool
    def __init__(self, format: _Optional[_Union[_media_pb2.VideoFormat, _Mapping]] = ..., shared_memory: bool = ...) -> None: ...

class StreamFramesResponse(_message.Message):
    __slots__ = ("frame", "dropped_count", "shared")
    FRAME_FIELD_NUMBER: _ClassVar[int]
    DROPPED_COUNT_FIELD_NUMBER: _ClassVar[int]
    SHARED_FIELD_NUMBER: _ClassVar[int]
    frame: _media_pb2.VideoFrame
    dropped_count: int
    shared: SharedPicture
    def __init__(self, frame: _Optional[_Union[_media_pb2.VideoFrame, _Mapping]] = ..., dropped_count: _Optional[int] = ..., shared: _Optional[_Union[SharedPicture, _Mapping]] = ...) -> None: ...

class SharedPicture(_message.Message):
    __slots__ = ("path", "length", "version_offset", "version", "data_offset", "data_length")
    PATH_FIELD_NUMBER: _ClassVar[int]
    LENGTH_FIELD_NUMBER: _ClassVar[int]
    VERSION_OFFSET_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DATA_OFFSET_FIELD_NUMBER: _ClassVar[int]
    DATA_LENGTH_FIELD_NUMBER: _ClassVar[int]
    path: str
    length: int
    version_offset: int
    version: int
    data_offset: int
    data_length: int
    def __init__(self, path: _Optional[str] = ..., length: _Optional[int] = ..., version_offset: _Optional[int] = ..., version: _Optional[int] = ..., data_offset: _Optional[int] = ..., data_length: _Optional[int] = ...) -> None: ...

class Control(_message.Message):
    __slots__ = ("name", "type", "minimum", "maximum", "step", "default_value", "value", "menu_items", "read_only")
    class MenuItemsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: int
        value: str
        def __init__(self, key: _Optional[int] = ..., value: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_FIELD_NUMBER: _ClassVar[int]
    MAXIMUM_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_VALUE_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    MENU_ITEMS_FIELD_NUMBER: _ClassVar[int]
    READ_ONLY_FIELD_NUMBER: _ClassVar[int]
    name: str
    type: ControlType
    minimum: int
    maximum: int
    step: int
    default_value: int
    value: int
    menu_items: _containers.ScalarMap[int, str]
    read_only: bool
    def __init__(self, name: _Optional[str] = ..., type: _Optional[_Union[ControlType, str]] = ..., minimum: _Optional[int] = ..., maximum: _Optional[int] = ..., step: _Optional[int] = ..., default_value: _Optional[int] = ..., value: _Optional[int] = ..., menu_items: _Optional[_Mapping[int, str]] = ..., read_only: bool = ...) -> None: ...

class GetControlsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetControlsResponse(_message.Message):
    __slots__ = ("controls",)
    CONTROLS_FIELD_NUMBER: _ClassVar[int]
    controls: _containers.RepeatedCompositeFieldContainer[Control]
    def __init__(self, controls: _Optional[_Iterable[_Union[Control, _Mapping]]] = ...) -> None: ...

class SetControlsRequest(_message.Message):
    __slots__ = ("values",)
    class ValuesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.ScalarMap[str, int]
    def __init__(self, values: _Optional[_Mapping[str, int]] = ...) -> None: ...

class SetControlsResponse(_message.Message):
    __slots__ = ("controls",)
    CONTROLS_FIELD_NUMBER: _ClassVar[int]
    controls: _containers.RepeatedCompositeFieldContainer[Control]
    def __init__(self, controls: _Optional[_Iterable[_Union[Control, _Mapping]]] = ...) -> None: ...

class RequestKeyFrameRequest(_message.Message):
    __slots__ = ("stream",)
    STREAM_FIELD_NUMBER: _ClassVar[int]
    stream: str
    def __init__(self, stream: _Optional[str] = ...) -> None: ...

class RequestKeyFrameResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class LimitBitrateRequest(_message.Message):
    __slots__ = ("stream", "holder", "bitrate_bps", "ttl")
    STREAM_FIELD_NUMBER: _ClassVar[int]
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    BITRATE_BPS_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    stream: str
    holder: str
    bitrate_bps: int
    ttl: _duration_pb2.Duration
    def __init__(self, stream: _Optional[str] = ..., holder: _Optional[str] = ..., bitrate_bps: _Optional[int] = ..., ttl: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class LimitBitrateResponse(_message.Message):
    __slots__ = ("bitrate_bps", "configured_bps")
    BITRATE_BPS_FIELD_NUMBER: _ClassVar[int]
    CONFIGURED_BPS_FIELD_NUMBER: _ClassVar[int]
    bitrate_bps: int
    configured_bps: int
    def __init__(self, bitrate_bps: _Optional[int] = ..., configured_bps: _Optional[int] = ...) -> None: ...

class SetBitrateRequest(_message.Message):
    __slots__ = ("bitrate_bps",)
    BITRATE_BPS_FIELD_NUMBER: _ClassVar[int]
    bitrate_bps: int
    def __init__(self, bitrate_bps: _Optional[int] = ...) -> None: ...

class SetBitrateResponse(_message.Message):
    __slots__ = ("bitrate_bps",)
    BITRATE_BPS_FIELD_NUMBER: _ClassVar[int]
    bitrate_bps: int
    def __init__(self, bitrate_bps: _Optional[int] = ...) -> None: ...
