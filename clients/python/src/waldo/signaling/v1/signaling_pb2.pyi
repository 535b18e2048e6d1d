from google.protobuf import any_pb2 as _any_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from waldo.access.v1 import access_pb2 as _access_pb2
from waldo.device.v1 import device_pb2 as _device_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PeerMessage(_message.Message):
    __slots__ = ("offer", "candidate", "ping", "call", "hang_up", "shown", "applied")
    OFFER_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_FIELD_NUMBER: _ClassVar[int]
    PING_FIELD_NUMBER: _ClassVar[int]
    CALL_FIELD_NUMBER: _ClassVar[int]
    HANG_UP_FIELD_NUMBER: _ClassVar[int]
    SHOWN_FIELD_NUMBER: _ClassVar[int]
    APPLIED_FIELD_NUMBER: _ClassVar[int]
    offer: Offer
    candidate: Candidate
    ping: Ping
    call: Call
    hang_up: HangUp
    shown: Shown
    applied: Applied
    def __init__(self, offer: _Optional[_Union[Offer, _Mapping]] = ..., candidate: _Optional[_Union[Candidate, _Mapping]] = ..., ping: _Optional[_Union[Ping, _Mapping]] = ..., call: _Optional[_Union[Call, _Mapping]] = ..., hang_up: _Optional[_Union[HangUp, _Mapping]] = ..., shown: _Optional[_Union[Shown, _Mapping]] = ..., applied: _Optional[_Union[Applied, _Mapping]] = ...) -> None: ...

class GatewayMessage(_message.Message):
    __slots__ = ("welcome", "answer", "candidate", "pong", "devices", "error", "result", "ice_servers", "path")
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_FIELD_NUMBER: _ClassVar[int]
    PONG_FIELD_NUMBER: _ClassVar[int]
    DEVICES_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    ICE_SERVERS_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    welcome: Welcome
    answer: Answer
    candidate: Candidate
    pong: Pong
    devices: DeviceList
    error: Error
    result: CallResult
    ice_servers: IceServerList
    path: Path
    def __init__(self, welcome: _Optional[_Union[Welcome, _Mapping]] = ..., answer: _Optional[_Union[Answer, _Mapping]] = ..., candidate: _Optional[_Union[Candidate, _Mapping]] = ..., pong: _Optional[_Union[Pong, _Mapping]] = ..., devices: _Optional[_Union[DeviceList, _Mapping]] = ..., error: _Optional[_Union[Error, _Mapping]] = ..., result: _Optional[_Union[CallResult, _Mapping]] = ..., ice_servers: _Optional[_Union[IceServerList, _Mapping]] = ..., path: _Optional[_Union[Path, _Mapping]] = ...) -> None: ...

class Welcome(_message.Message):
    __slots__ = ("robot", "version", "epoch", "ice_servers", "drive", "remote", "visitor")
    ROBOT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    ICE_SERVERS_FIELD_NUMBER: _ClassVar[int]
    DRIVE_FIELD_NUMBER: _ClassVar[int]
    REMOTE_FIELD_NUMBER: _ClassVar[int]
    VISITOR_FIELD_NUMBER: _ClassVar[int]
    robot: str
    version: str
    epoch: int
    ice_servers: _containers.RepeatedCompositeFieldContainer[IceServer]
    drive: Drive
    remote: Remote
    visitor: Visitor
    def __init__(self, robot: _Optional[str] = ..., version: _Optional[str] = ..., epoch: _Optional[int] = ..., ice_servers: _Optional[_Iterable[_Union[IceServer, _Mapping]]] = ..., drive: _Optional[_Union[Drive, _Mapping]] = ..., remote: _Optional[_Union[Remote, _Mapping]] = ..., visitor: _Optional[_Union[Visitor, _Mapping]] = ...) -> None: ...

class Visitor(_message.Message):
    __slots__ = ("name", "role")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    name: str
    role: _access_pb2.Role
    def __init__(self, name: _Optional[str] = ..., role: _Optional[_Union[_access_pb2.Role, str]] = ...) -> None: ...

class Remote(_message.Message):
    __slots__ = ("key", "challenge")
    KEY_FIELD_NUMBER: _ClassVar[int]
    CHALLENGE_FIELD_NUMBER: _ClassVar[int]
    key: bytes
    challenge: bytes
    def __init__(self, key: _Optional[bytes] = ..., challenge: _Optional[bytes] = ...) -> None: ...

class IceServerList(_message.Message):
    __slots__ = ("ice_servers",)
    ICE_SERVERS_FIELD_NUMBER: _ClassVar[int]
    ice_servers: _containers.RepeatedCompositeFieldContainer[IceServer]
    def __init__(self, ice_servers: _Optional[_Iterable[_Union[IceServer, _Mapping]]] = ...) -> None: ...

class IceServer(_message.Message):
    __slots__ = ("urls", "username", "credential")
    URLS_FIELD_NUMBER: _ClassVar[int]
    USERNAME_FIELD_NUMBER: _ClassVar[int]
    CREDENTIAL_FIELD_NUMBER: _ClassVar[int]
    urls: _containers.RepeatedScalarFieldContainer[str]
    username: str
    credential: str
    def __init__(self, urls: _Optional[_Iterable[str]] = ..., username: _Optional[str] = ..., credential: _Optional[str] = ...) -> None: ...

class Offer(_message.Message):
    __slots__ = ("id", "sdp", "tracks", "proof", "connection", "confirms")
    ID_FIELD_NUMBER: _ClassVar[int]
    SDP_FIELD_NUMBER: _ClassVar[int]
    TRACKS_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    CONNECTION_FIELD_NUMBER: _ClassVar[int]
    CONFIRMS_FIELD_NUMBER: _ClassVar[int]
    id: int
    sdp: str
    tracks: _containers.RepeatedCompositeFieldContainer[Track]
    proof: bytes
    connection: bytes
    confirms: bool
    def __init__(self, id: _Optional[int] = ..., sdp: _Optional[str] = ..., tracks: _Optional[_Iterable[_Union[Track, _Mapping]]] = ..., proof: _Optional[bytes] = ..., connection: _Optional[bytes] = ..., confirms: bool = ...) -> None: ...

class Applied(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: int
    def __init__(self, id: _Optional[int] = ...) -> None: ...

class Track(_message.Message):
    __slots__ = ("mid", "device", "stream", "talker", "take")
    MID_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    STREAM_FIELD_NUMBER: _ClassVar[int]
    TALKER_FIELD_NUMBER: _ClassVar[int]
    TAKE_FIELD_NUMBER: _ClassVar[int]
    mid: str
    device: str
    stream: str
    talker: str
    take: bool
    def __init__(self, mid: _Optional[str] = ..., device: _Optional[str] = ..., stream: _Optional[str] = ..., talker: _Optional[str] = ..., take: bool = ...) -> None: ...

class Answer(_message.Message):
    __slots__ = ("id", "sdp", "signature", "connection", "confirm")
    ID_FIELD_NUMBER: _ClassVar[int]
    SDP_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    CONNECTION_FIELD_NUMBER: _ClassVar[int]
    CONFIRM_FIELD_NUMBER: _ClassVar[int]
    id: int
    sdp: str
    signature: bytes
    connection: bytes
    confirm: bool
    def __init__(self, id: _Optional[int] = ..., sdp: _Optional[str] = ..., signature: _Optional[bytes] = ..., connection: _Optional[bytes] = ..., confirm: bool = ...) -> None: ...

class Candidate(_message.Message):
    __slots__ = ("candidate", "sdp_mid", "sdp_mline_index")
    CANDIDATE_FIELD_NUMBER: _ClassVar[int]
    SDP_MID_FIELD_NUMBER: _ClassVar[int]
    SDP_MLINE_INDEX_FIELD_NUMBER: _ClassVar[int]
    candidate: str
    sdp_mid: str
    sdp_mline_index: int
    def __init__(self, candidate: _Optional[str] = ..., sdp_mid: _Optional[str] = ..., sdp_mline_index: _Optional[int] = ...) -> None: ...

class HangUp(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Ping(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: int
    def __init__(self, id: _Optional[int] = ...) -> None: ...

class Pong(_message.Message):
    __slots__ = ("id", "gateway_time")
    ID_FIELD_NUMBER: _ClassVar[int]
    GATEWAY_TIME_FIELD_NUMBER: _ClassVar[int]
    id: int
    gateway_time: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[int] = ..., gateway_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Shown(_message.Message):
    __slots__ = ("videos",)
    VIDEOS_FIELD_NUMBER: _ClassVar[int]
    videos: _containers.RepeatedCompositeFieldContainer[ShownVideo]
    def __init__(self, videos: _Optional[_Iterable[_Union[ShownVideo, _Mapping]]] = ...) -> None: ...

class ShownVideo(_message.Message):
    __slots__ = ("device", "ages_ms", "count", "freezes", "frozen_ms")
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    AGES_MS_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    FREEZES_FIELD_NUMBER: _ClassVar[int]
    FROZEN_MS_FIELD_NUMBER: _ClassVar[int]
    device: str
    ages_ms: _containers.RepeatedScalarFieldContainer[float]
    count: int
    freezes: int
    frozen_ms: float
    def __init__(self, device: _Optional[str] = ..., ages_ms: _Optional[_Iterable[float]] = ..., count: _Optional[int] = ..., freezes: _Optional[int] = ..., frozen_ms: _Optional[float] = ...) -> None: ...

class Path(_message.Message):
    __slots__ = ("round_trip_ms", "available_bps", "queue_ms", "videos")
    ROUND_TRIP_MS_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_BPS_FIELD_NUMBER: _ClassVar[int]
    QUEUE_MS_FIELD_NUMBER: _ClassVar[int]
    VIDEOS_FIELD_NUMBER: _ClassVar[int]
    round_trip_ms: float
    available_bps: int
    queue_ms: float
    videos: _containers.RepeatedCompositeFieldContainer[PathVideo]
    def __init__(self, round_trip_ms: _Optional[float] = ..., available_bps: _Optional[int] = ..., queue_ms: _Optional[float] = ..., videos: _Optional[_Iterable[_Union[PathVideo, _Mapping]]] = ...) -> None: ...

class PathVideo(_message.Message):
    __slots__ = ("mid", "device", "stream", "bitrate_bps", "min_playout_ms", "max_playout_ms", "repaired", "capture_time", "rtp_timestamp")
    MID_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    STREAM_FIELD_NUMBER: _ClassVar[int]
    BITRATE_BPS_FIELD_NUMBER: _ClassVar[int]
    MIN_PLAYOUT_MS_FIELD_NUMBER: _ClassVar[int]
    MAX_PLAYOUT_MS_FIELD_NUMBER: _ClassVar[int]
    REPAIRED_FIELD_NUMBER: _ClassVar[int]
    CAPTURE_TIME_FIELD_NUMBER: _ClassVar[int]
    RTP_TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    mid: str
    device: str
    stream: str
    bitrate_bps: int
    min_playout_ms: int
    max_playout_ms: int
    repaired: float
    capture_time: _timestamp_pb2.Timestamp
    rtp_timestamp: int
    def __init__(self, mid: _Optional[str] = ..., device: _Optional[str] = ..., stream: _Optional[str] = ..., bitrate_bps: _Optional[int] = ..., min_playout_ms: _Optional[int] = ..., max_playout_ms: _Optional[int] = ..., repaired: _Optional[float] = ..., capture_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., rtp_timestamp: _Optional[int] = ...) -> None: ...

class DeviceList(_message.Message):
    __slots__ = ("devices", "robot_away")
    DEVICES_FIELD_NUMBER: _ClassVar[int]
    ROBOT_AWAY_FIELD_NUMBER: _ClassVar[int]
    devices: _containers.RepeatedCompositeFieldContainer[DeviceStatus]
    robot_away: str
    def __init__(self, devices: _Optional[_Iterable[_Union[DeviceStatus, _Mapping]]] = ..., robot_away: _Optional[str] = ...) -> None: ...

class DeviceStatus(_message.Message):
    __slots__ = ("device", "gone")
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    GONE_FIELD_NUMBER: _ClassVar[int]
    device: _device_pb2.Device
    gone: bool
    def __init__(self, device: _Optional[_Union[_device_pb2.Device, _Mapping]] = ..., gone: bool = ...) -> None: ...

class Error(_message.Message):
    __slots__ = ("id", "code", "message", "details")
    ID_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    id: int
    code: str
    message: str
    details: _containers.RepeatedCompositeFieldContainer[_any_pb2.Any]
    def __init__(self, id: _Optional[int] = ..., code: _Optional[str] = ..., message: _Optional[str] = ..., details: _Optional[_Iterable[_Union[_any_pb2.Any, _Mapping]]] = ...) -> None: ...

class Call(_message.Message):
    __slots__ = ("id", "device", "method", "request")
    ID_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    id: int
    device: str
    method: str
    request: _struct_pb2.Struct
    def __init__(self, id: _Optional[int] = ..., device: _Optional[str] = ..., method: _Optional[str] = ..., request: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class CallResult(_message.Message):
    __slots__ = ("id", "response", "error", "value")
    ID_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    id: int
    response: _struct_pb2.Struct
    error: Error
    value: _struct_pb2.Value
    def __init__(self, id: _Optional[int] = ..., response: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., error: _Optional[_Union[Error, _Mapping]] = ..., value: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ...) -> None: ...

class StreamFrame(_message.Message):
    __slots__ = ("message", "error", "value", "dropped_count")
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    DROPPED_COUNT_FIELD_NUMBER: _ClassVar[int]
    message: _struct_pb2.Struct
    error: Error
    value: _struct_pb2.Value
    dropped_count: int
    def __init__(self, message: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., error: _Optional[_Union[Error, _Mapping]] = ..., value: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., dropped_count: _Optional[int] = ...) -> None: ...

class Drive(_message.Message):
    __slots__ = ("device", "rate_hz", "axes", "values", "pads", "method", "see")
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    RATE_HZ_FIELD_NUMBER: _ClassVar[int]
    AXES_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    PADS_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    SEE_FIELD_NUMBER: _ClassVar[int]
    device: str
    rate_hz: float
    axes: _containers.RepeatedCompositeFieldContainer[DriveAxis]
    values: _containers.RepeatedCompositeFieldContainer[DriveValue]
    pads: _containers.RepeatedCompositeFieldContainer[DrivePad]
    method: str
    see: str
    def __init__(self, device: _Optional[str] = ..., rate_hz: _Optional[float] = ..., axes: _Optional[_Iterable[_Union[DriveAxis, _Mapping]]] = ..., values: _Optional[_Iterable[_Union[DriveValue, _Mapping]]] = ..., pads: _Optional[_Iterable[_Union[DrivePad, _Mapping]]] = ..., method: _Optional[str] = ..., see: _Optional[str] = ...) -> None: ...

class DrivePad(_message.Message):
    __slots__ = ("id", "controls")
    class ControlsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    CONTROLS_FIELD_NUMBER: _ClassVar[int]
    id: str
    controls: _containers.ScalarMap[str, str]
    def __init__(self, id: _Optional[str] = ..., controls: _Optional[_Mapping[str, str]] = ...) -> None: ...

class DriveAxis(_message.Message):
    __slots__ = ("name", "plus_keys", "minus_keys", "gamepad", "touch")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PLUS_KEYS_FIELD_NUMBER: _ClassVar[int]
    MINUS_KEYS_FIELD_NUMBER: _ClassVar[int]
    GAMEPAD_FIELD_NUMBER: _ClassVar[int]
    TOUCH_FIELD_NUMBER: _ClassVar[int]
    name: str
    plus_keys: _containers.RepeatedScalarFieldContainer[str]
    minus_keys: _containers.RepeatedScalarFieldContainer[str]
    gamepad: str
    touch: str
    def __init__(self, name: _Optional[str] = ..., plus_keys: _Optional[_Iterable[str]] = ..., minus_keys: _Optional[_Iterable[str]] = ..., gamepad: _Optional[str] = ..., touch: _Optional[str] = ...) -> None: ...

class DriveValue(_message.Message):
    __slots__ = ("key", "terms", "offset")
    KEY_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    key: str
    terms: _containers.RepeatedCompositeFieldContainer[DriveTerm]
    offset: float
    def __init__(self, key: _Optional[str] = ..., terms: _Optional[_Iterable[_Union[DriveTerm, _Mapping]]] = ..., offset: _Optional[float] = ...) -> None: ...

class DriveTerm(_message.Message):
    __slots__ = ("axis", "gain")
    AXIS_FIELD_NUMBER: _ClassVar[int]
    GAIN_FIELD_NUMBER: _ClassVar[int]
    axis: str
    gain: float
    def __init__(self, axis: _Optional[str] = ..., gain: _Optional[float] = ...) -> None: ...
