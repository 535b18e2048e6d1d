from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SerialMessage(_message.Message):
    __slots__ = ("epoch", "sequence", "read_time", "line", "raw", "record", "sentence", "json")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    READ_TIME_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    RAW_FIELD_NUMBER: _ClassVar[int]
    RECORD_FIELD_NUMBER: _ClassVar[int]
    SENTENCE_FIELD_NUMBER: _ClassVar[int]
    JSON_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    sequence: int
    read_time: _timestamp_pb2.Timestamp
    line: str
    raw: bytes
    record: Record
    sentence: Sentence
    json: str
    def __init__(self, epoch: _Optional[int] = ..., sequence: _Optional[int] = ..., read_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., line: _Optional[str] = ..., raw: _Optional[bytes] = ..., record: _Optional[_Union[Record, _Mapping]] = ..., sentence: _Optional[_Union[Sentence, _Mapping]] = ..., json: _Optional[str] = ...) -> None: ...

class Record(_message.Message):
    __slots__ = ("fields",)
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    fields: _containers.RepeatedCompositeFieldContainer[Field]
    def __init__(self, fields: _Optional[_Iterable[_Union[Field, _Mapping]]] = ...) -> None: ...

class Field(_message.Message):
    __slots__ = ("key", "value")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    key: str
    value: Value
    def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Value, _Mapping]] = ...) -> None: ...

class Value(_message.Message):
    __slots__ = ("integer", "large_integer", "number", "boolean", "raw", "text")
    INTEGER_FIELD_NUMBER: _ClassVar[int]
    LARGE_INTEGER_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    BOOLEAN_FIELD_NUMBER: _ClassVar[int]
    RAW_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    integer: int
    large_integer: int
    number: float
    boolean: bool
    raw: bytes
    text: str
    def __init__(self, integer: _Optional[int] = ..., large_integer: _Optional[int] = ..., number: _Optional[float] = ..., boolean: bool = ..., raw: _Optional[bytes] = ..., text: _Optional[str] = ...) -> None: ...

class Sentence(_message.Message):
    __slots__ = ("talker", "type", "fields", "raw")
    TALKER_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    RAW_FIELD_NUMBER: _ClassVar[int]
    talker: str
    type: str
    fields: _containers.RepeatedCompositeFieldContainer[Field]
    raw: str
    def __init__(self, talker: _Optional[str] = ..., type: _Optional[str] = ..., fields: _Optional[_Iterable[_Union[Field, _Mapping]]] = ..., raw: _Optional[str] = ...) -> None: ...

class FieldInfo(_message.Message):
    __slots__ = ("key", "format", "whole", "minimum", "maximum")
    KEY_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    WHOLE_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_FIELD_NUMBER: _ClassVar[int]
    MAXIMUM_FIELD_NUMBER: _ClassVar[int]
    key: str
    format: str
    whole: bool
    minimum: float
    maximum: float
    def __init__(self, key: _Optional[str] = ..., format: _Optional[str] = ..., whole: bool = ..., minimum: _Optional[float] = ..., maximum: _Optional[float] = ...) -> None: ...

class Port(_message.Message):
    __slots__ = ("name", "baud", "read", "write", "read_fields", "write_fields", "actuator")
    NAME_FIELD_NUMBER: _ClassVar[int]
    BAUD_FIELD_NUMBER: _ClassVar[int]
    READ_FIELD_NUMBER: _ClassVar[int]
    WRITE_FIELD_NUMBER: _ClassVar[int]
    READ_FIELDS_FIELD_NUMBER: _ClassVar[int]
    WRITE_FIELDS_FIELD_NUMBER: _ClassVar[int]
    ACTUATOR_FIELD_NUMBER: _ClassVar[int]
    name: str
    baud: int
    read: str
    write: str
    read_fields: _containers.RepeatedCompositeFieldContainer[FieldInfo]
    write_fields: _containers.RepeatedCompositeFieldContainer[FieldInfo]
    actuator: bool
    def __init__(self, name: _Optional[str] = ..., baud: _Optional[int] = ..., read: _Optional[str] = ..., write: _Optional[str] = ..., read_fields: _Optional[_Iterable[_Union[FieldInfo, _Mapping]]] = ..., write_fields: _Optional[_Iterable[_Union[FieldInfo, _Mapping]]] = ..., actuator: bool = ...) -> None: ...
