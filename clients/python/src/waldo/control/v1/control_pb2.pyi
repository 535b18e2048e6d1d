from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CommandVerdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    COMMAND_VERDICT_UNSPECIFIED: _ClassVar[CommandVerdict]
    COMMAND_VERDICT_ACCEPTED: _ClassVar[CommandVerdict]
    COMMAND_VERDICT_NO_LEASE: _ClassVar[CommandVerdict]
    COMMAND_VERDICT_OUT_OF_ORDER: _ClassVar[CommandVerdict]
    COMMAND_VERDICT_EXPIRED: _ClassVar[CommandVerdict]
    COMMAND_VERDICT_UNKNOWN_CLOCK: _ClassVar[CommandVerdict]
    COMMAND_VERDICT_BEFORE_STOP: _ClassVar[CommandVerdict]
    COMMAND_VERDICT_E_STOPPED: _ClassVar[CommandVerdict]
    COMMAND_VERDICT_NOT_NEUTRAL: _ClassVar[CommandVerdict]
    COMMAND_VERDICT_AWAY: _ClassVar[CommandVerdict]
    COMMAND_VERDICT_BLIND: _ClassVar[CommandVerdict]

class ControlPhase(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONTROL_PHASE_UNSPECIFIED: _ClassVar[ControlPhase]
    CONTROL_PHASE_FREE: _ClassVar[ControlPhase]
    CONTROL_PHASE_SAFE: _ClassVar[ControlPhase]
    CONTROL_PHASE_DRIVING: _ClassVar[ControlPhase]
    CONTROL_PHASE_E_STOPPED: _ClassVar[ControlPhase]

class SafeCause(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SAFE_CAUSE_UNSPECIFIED: _ClassVar[SafeCause]
    SAFE_CAUSE_START: _ClassVar[SafeCause]
    SAFE_CAUSE_DEADMAN: _ClassVar[SafeCause]
    SAFE_CAUSE_LEASE_LAPSED: _ClassVar[SafeCause]
    SAFE_CAUSE_LEASE_RELEASED: _ClassVar[SafeCause]
    SAFE_CAUSE_LEASE_TAKEN: _ClassVar[SafeCause]
    SAFE_CAUSE_E_STOP: _ClassVar[SafeCause]
    SAFE_CAUSE_AWAY: _ClassVar[SafeCause]
    SAFE_CAUSE_BLIND: _ClassVar[SafeCause]
COMMAND_VERDICT_UNSPECIFIED: CommandVerdict
COMMAND_VERDICT_ACCEPTED: CommandVerdict
COMMAND_VERDICT_NO_LEASE: CommandVerdict
COMMAND_VERDICT_OUT_OF_ORDER: CommandVerdict
COMMAND_VERDICT_EXPIRED: CommandVerdict
COMMAND_VERDICT_UNKNOWN_CLOCK: CommandVerdict
COMMAND_VERDICT_BEFORE_STOP: CommandVerdict
COMMAND_VERDICT_E_STOPPED: CommandVerdict
COMMAND_VERDICT_NOT_NEUTRAL: CommandVerdict
COMMAND_VERDICT_AWAY: CommandVerdict
COMMAND_VERDICT_BLIND: CommandVerdict
CONTROL_PHASE_UNSPECIFIED: ControlPhase
CONTROL_PHASE_FREE: ControlPhase
CONTROL_PHASE_SAFE: ControlPhase
CONTROL_PHASE_DRIVING: ControlPhase
CONTROL_PHASE_E_STOPPED: ControlPhase
SAFE_CAUSE_UNSPECIFIED: SafeCause
SAFE_CAUSE_START: SafeCause
SAFE_CAUSE_DEADMAN: SafeCause
SAFE_CAUSE_LEASE_LAPSED: SafeCause
SAFE_CAUSE_LEASE_RELEASED: SafeCause
SAFE_CAUSE_LEASE_TAKEN: SafeCause
SAFE_CAUSE_E_STOP: SafeCause
SAFE_CAUSE_AWAY: SafeCause
SAFE_CAUSE_BLIND: SafeCause

class Lease(_message.Message):
    __slots__ = ("epoch", "ttl", "life", "max_life")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    LIFE_FIELD_NUMBER: _ClassVar[int]
    MAX_LIFE_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    ttl: _duration_pb2.Duration
    life: _duration_pb2.Duration
    max_life: _duration_pb2.Duration
    def __init__(self, epoch: _Optional[int] = ..., ttl: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., life: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., max_life: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class CommandHeader(_message.Message):
    __slots__ = ("lease_epoch", "sequence", "heard", "life", "seen")
    LEASE_EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    HEARD_FIELD_NUMBER: _ClassVar[int]
    LIFE_FIELD_NUMBER: _ClassVar[int]
    SEEN_FIELD_NUMBER: _ClassVar[int]
    lease_epoch: int
    sequence: int
    heard: _duration_pb2.Duration
    life: _duration_pb2.Duration
    seen: _timestamp_pb2.Timestamp
    def __init__(self, lease_epoch: _Optional[int] = ..., sequence: _Optional[int] = ..., heard: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., life: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., seen: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class CommandReport(_message.Message):
    __slots__ = ("sequence", "verdict", "clock", "age", "sight")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    CLOCK_FIELD_NUMBER: _ClassVar[int]
    AGE_FIELD_NUMBER: _ClassVar[int]
    SIGHT_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    verdict: CommandVerdict
    clock: _duration_pb2.Duration
    age: _duration_pb2.Duration
    sight: Sight
    def __init__(self, sequence: _Optional[int] = ..., verdict: _Optional[_Union[CommandVerdict, str]] = ..., clock: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., age: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., sight: _Optional[_Union[Sight, _Mapping]] = ...) -> None: ...

class Sight(_message.Message):
    __slots__ = ("camera", "age", "speed", "slow", "stop")
    CAMERA_FIELD_NUMBER: _ClassVar[int]
    AGE_FIELD_NUMBER: _ClassVar[int]
    SPEED_FIELD_NUMBER: _ClassVar[int]
    SLOW_FIELD_NUMBER: _ClassVar[int]
    STOP_FIELD_NUMBER: _ClassVar[int]
    camera: str
    age: _duration_pb2.Duration
    speed: float
    slow: _duration_pb2.Duration
    stop: _duration_pb2.Duration
    def __init__(self, camera: _Optional[str] = ..., age: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., speed: _Optional[float] = ..., slow: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., stop: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class ControlState(_message.Message):
    __slots__ = ("epoch", "clock", "phase", "cause", "holder", "holder_since", "e_stop", "safe_json", "sight")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    CLOCK_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    HOLDER_SINCE_FIELD_NUMBER: _ClassVar[int]
    E_STOP_FIELD_NUMBER: _ClassVar[int]
    SAFE_JSON_FIELD_NUMBER: _ClassVar[int]
    SIGHT_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    clock: _duration_pb2.Duration
    phase: ControlPhase
    cause: SafeCause
    holder: str
    holder_since: _timestamp_pb2.Timestamp
    e_stop: EStop
    safe_json: str
    sight: Sight
    def __init__(self, epoch: _Optional[int] = ..., clock: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., phase: _Optional[_Union[ControlPhase, str]] = ..., cause: _Optional[_Union[SafeCause, str]] = ..., holder: _Optional[str] = ..., holder_since: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., e_stop: _Optional[_Union[EStop, _Mapping]] = ..., safe_json: _Optional[str] = ..., sight: _Optional[_Union[Sight, _Mapping]] = ...) -> None: ...

class EStop(_message.Message):
    __slots__ = ("by", "reason", "press_time", "persisted", "id")
    BY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    PRESS_TIME_FIELD_NUMBER: _ClassVar[int]
    PERSISTED_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    by: str
    reason: str
    press_time: _timestamp_pb2.Timestamp
    persisted: bool
    id: int
    def __init__(self, by: _Optional[str] = ..., reason: _Optional[str] = ..., press_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., persisted: bool = ..., id: _Optional[int] = ...) -> None: ...

class CommandRecord(_message.Message):
    __slots__ = ("epoch", "sequence", "judge_time", "report", "lease", "holder", "caller", "caller_token", "caller_address", "heard", "life", "seen", "message_json", "factor", "error")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    JUDGE_TIME_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    CALLER_FIELD_NUMBER: _ClassVar[int]
    CALLER_TOKEN_FIELD_NUMBER: _ClassVar[int]
    CALLER_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    HEARD_FIELD_NUMBER: _ClassVar[int]
    LIFE_FIELD_NUMBER: _ClassVar[int]
    SEEN_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_JSON_FIELD_NUMBER: _ClassVar[int]
    FACTOR_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    sequence: int
    judge_time: _timestamp_pb2.Timestamp
    report: CommandReport
    lease: int
    holder: str
    caller: str
    caller_token: str
    caller_address: str
    heard: _duration_pb2.Duration
    life: _duration_pb2.Duration
    seen: _timestamp_pb2.Timestamp
    message_json: str
    factor: float
    error: str
    def __init__(self, epoch: _Optional[int] = ..., sequence: _Optional[int] = ..., judge_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., report: _Optional[_Union[CommandReport, _Mapping]] = ..., lease: _Optional[int] = ..., holder: _Optional[str] = ..., caller: _Optional[str] = ..., caller_token: _Optional[str] = ..., caller_address: _Optional[str] = ..., heard: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., life: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., seen: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., message_json: _Optional[str] = ..., factor: _Optional[float] = ..., error: _Optional[str] = ...) -> None: ...
