from google.protobuf import duration_pb2 as _duration_pb2
from waldo.access.v1 import access_pb2 as _access_pb2
from waldo.control.v1 import control_pb2 as _control_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Ptz(_message.Message):
    __slots__ = ("is_ready", "reason", "can_pan_tilt", "can_zoom", "reports_motion", "stops_within")
    IS_READY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    CAN_PAN_TILT_FIELD_NUMBER: _ClassVar[int]
    CAN_ZOOM_FIELD_NUMBER: _ClassVar[int]
    REPORTS_MOTION_FIELD_NUMBER: _ClassVar[int]
    STOPS_WITHIN_FIELD_NUMBER: _ClassVar[int]
    is_ready: bool
    reason: str
    can_pan_tilt: bool
    can_zoom: bool
    reports_motion: bool
    stops_within: _duration_pb2.Duration
    def __init__(self, is_ready: bool = ..., reason: _Optional[str] = ..., can_pan_tilt: bool = ..., can_zoom: bool = ..., reports_motion: bool = ..., stops_within: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class MoveRequest(_message.Message):
    __slots__ = ("control", "pan", "tilt", "zoom")
    CONTROL_FIELD_NUMBER: _ClassVar[int]
    PAN_FIELD_NUMBER: _ClassVar[int]
    TILT_FIELD_NUMBER: _ClassVar[int]
    ZOOM_FIELD_NUMBER: _ClassVar[int]
    control: _control_pb2.CommandHeader
    pan: float
    tilt: float
    zoom: float
    def __init__(self, control: _Optional[_Union[_control_pb2.CommandHeader, _Mapping]] = ..., pan: _Optional[float] = ..., tilt: _Optional[float] = ..., zoom: _Optional[float] = ...) -> None: ...

class MoveResponse(_message.Message):
    __slots__ = ("report",)
    REPORT_FIELD_NUMBER: _ClassVar[int]
    report: _control_pb2.CommandReport
    def __init__(self, report: _Optional[_Union[_control_pb2.CommandReport, _Mapping]] = ...) -> None: ...

class GetPtzRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetPtzResponse(_message.Message):
    __slots__ = ("ptz",)
    PTZ_FIELD_NUMBER: _ClassVar[int]
    ptz: Ptz
    def __init__(self, ptz: _Optional[_Union[Ptz, _Mapping]] = ...) -> None: ...
