from waldo.access.v1 import access_pb2 as _access_pb2
from waldo.control.v1 import control_pb2 as _control_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AcquireRequest(_message.Message):
    __slots__ = ("holder",)
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    holder: str
    def __init__(self, holder: _Optional[str] = ...) -> None: ...

class AcquireResponse(_message.Message):
    __slots__ = ("lease", "state")
    LEASE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    lease: _control_pb2.Lease
    state: _control_pb2.ControlState
    def __init__(self, lease: _Optional[_Union[_control_pb2.Lease, _Mapping]] = ..., state: _Optional[_Union[_control_pb2.ControlState, _Mapping]] = ...) -> None: ...

class TakeRequest(_message.Message):
    __slots__ = ("holder", "key")
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    holder: str
    key: str
    def __init__(self, holder: _Optional[str] = ..., key: _Optional[str] = ...) -> None: ...

class TakeResponse(_message.Message):
    __slots__ = ("lease", "state")
    LEASE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    lease: _control_pb2.Lease
    state: _control_pb2.ControlState
    def __init__(self, lease: _Optional[_Union[_control_pb2.Lease, _Mapping]] = ..., state: _Optional[_Union[_control_pb2.ControlState, _Mapping]] = ...) -> None: ...

class KeepAliveRequest(_message.Message):
    __slots__ = ("lease_epoch",)
    LEASE_EPOCH_FIELD_NUMBER: _ClassVar[int]
    lease_epoch: int
    def __init__(self, lease_epoch: _Optional[int] = ...) -> None: ...

class KeepAliveResponse(_message.Message):
    __slots__ = ("state",)
    STATE_FIELD_NUMBER: _ClassVar[int]
    state: _control_pb2.ControlState
    def __init__(self, state: _Optional[_Union[_control_pb2.ControlState, _Mapping]] = ...) -> None: ...

class ReleaseRequest(_message.Message):
    __slots__ = ("lease_epoch",)
    LEASE_EPOCH_FIELD_NUMBER: _ClassVar[int]
    lease_epoch: int
    def __init__(self, lease_epoch: _Optional[int] = ...) -> None: ...

class ReleaseResponse(_message.Message):
    __slots__ = ("state",)
    STATE_FIELD_NUMBER: _ClassVar[int]
    state: _control_pb2.ControlState
    def __init__(self, state: _Optional[_Union[_control_pb2.ControlState, _Mapping]] = ...) -> None: ...

class GetControlRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetControlResponse(_message.Message):
    __slots__ = ("state",)
    STATE_FIELD_NUMBER: _ClassVar[int]
    state: _control_pb2.ControlState
    def __init__(self, state: _Optional[_Union[_control_pb2.ControlState, _Mapping]] = ...) -> None: ...

class WatchControlRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WatchControlResponse(_message.Message):
    __slots__ = ("state",)
    STATE_FIELD_NUMBER: _ClassVar[int]
    state: _control_pb2.ControlState
    def __init__(self, state: _Optional[_Union[_control_pb2.ControlState, _Mapping]] = ...) -> None: ...

class EStopRequest(_message.Message):
    __slots__ = ("by", "reason")
    BY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    by: str
    reason: str
    def __init__(self, by: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class EStopResponse(_message.Message):
    __slots__ = ("state",)
    STATE_FIELD_NUMBER: _ClassVar[int]
    state: _control_pb2.ControlState
    def __init__(self, state: _Optional[_Union[_control_pb2.ControlState, _Mapping]] = ...) -> None: ...

class ClearEStopRequest(_message.Message):
    __slots__ = ("by", "key", "id")
    BY_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    by: str
    key: str
    id: int
    def __init__(self, by: _Optional[str] = ..., key: _Optional[str] = ..., id: _Optional[int] = ...) -> None: ...

class ClearEStopResponse(_message.Message):
    __slots__ = ("state",)
    STATE_FIELD_NUMBER: _ClassVar[int]
    state: _control_pb2.ControlState
    def __init__(self, state: _Optional[_Union[_control_pb2.ControlState, _Mapping]] = ...) -> None: ...
