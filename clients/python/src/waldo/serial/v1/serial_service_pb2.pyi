from waldo.access.v1 import access_pb2 as _access_pb2
from waldo.control.v1 import control_pb2 as _control_pb2
from waldo.serial.v1 import serial_pb2 as _serial_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetPortRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetPortResponse(_message.Message):
    __slots__ = ("port",)
    PORT_FIELD_NUMBER: _ClassVar[int]
    port: _serial_pb2.Port
    def __init__(self, port: _Optional[_Union[_serial_pb2.Port, _Mapping]] = ...) -> None: ...

class StreamMessagesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StreamMessagesResponse(_message.Message):
    __slots__ = ("message", "dropped_count")
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    DROPPED_COUNT_FIELD_NUMBER: _ClassVar[int]
    message: _serial_pb2.SerialMessage
    dropped_count: int
    def __init__(self, message: _Optional[_Union[_serial_pb2.SerialMessage, _Mapping]] = ..., dropped_count: _Optional[int] = ...) -> None: ...

class WriteMessageRequest(_message.Message):
    __slots__ = ("line", "raw", "record", "json", "control")
    LINE_FIELD_NUMBER: _ClassVar[int]
    RAW_FIELD_NUMBER: _ClassVar[int]
    RECORD_FIELD_NUMBER: _ClassVar[int]
    JSON_FIELD_NUMBER: _ClassVar[int]
    CONTROL_FIELD_NUMBER: _ClassVar[int]
    line: str
    raw: bytes
    record: _serial_pb2.Record
    json: str
    control: _control_pb2.CommandHeader
    def __init__(self, line: _Optional[str] = ..., raw: _Optional[bytes] = ..., record: _Optional[_Union[_serial_pb2.Record, _Mapping]] = ..., json: _Optional[str] = ..., control: _Optional[_Union[_control_pb2.CommandHeader, _Mapping]] = ...) -> None: ...

class WriteMessageResponse(_message.Message):
    __slots__ = ("report",)
    REPORT_FIELD_NUMBER: _ClassVar[int]
    report: _control_pb2.CommandReport
    def __init__(self, report: _Optional[_Union[_control_pb2.CommandReport, _Mapping]] = ...) -> None: ...

class ConnectRequest(_message.Message):
    __slots__ = ("id", "write")
    ID_FIELD_NUMBER: _ClassVar[int]
    WRITE_FIELD_NUMBER: _ClassVar[int]
    id: int
    write: WriteMessageRequest
    def __init__(self, id: _Optional[int] = ..., write: _Optional[_Union[WriteMessageRequest, _Mapping]] = ...) -> None: ...

class ConnectResponse(_message.Message):
    __slots__ = ("message", "result", "dropped_count")
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    DROPPED_COUNT_FIELD_NUMBER: _ClassVar[int]
    message: _serial_pb2.SerialMessage
    result: WriteResult
    dropped_count: int
    def __init__(self, message: _Optional[_Union[_serial_pb2.SerialMessage, _Mapping]] = ..., result: _Optional[_Union[WriteResult, _Mapping]] = ..., dropped_count: _Optional[int] = ...) -> None: ...

class WriteResult(_message.Message):
    __slots__ = ("id", "report", "code", "error")
    ID_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    id: int
    report: _control_pb2.CommandReport
    code: int
    error: str
    def __init__(self, id: _Optional[int] = ..., report: _Optional[_Union[_control_pb2.CommandReport, _Mapping]] = ..., code: _Optional[int] = ..., error: _Optional[str] = ...) -> None: ...
