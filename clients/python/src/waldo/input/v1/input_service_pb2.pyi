from waldo.access.v1 import access_pb2 as _access_pb2
from waldo.input.v1 import input_pb2 as _input_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetInputRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetInputResponse(_message.Message):
    __slots__ = ("input", "axes")
    INPUT_FIELD_NUMBER: _ClassVar[int]
    AXES_FIELD_NUMBER: _ClassVar[int]
    input: _input_pb2.InputInfo
    axes: _containers.RepeatedCompositeFieldContainer[_input_pb2.Axis]
    def __init__(self, input: _Optional[_Union[_input_pb2.InputInfo, _Mapping]] = ..., axes: _Optional[_Iterable[_Union[_input_pb2.Axis, _Mapping]]] = ...) -> None: ...

class ListInputsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListInputsResponse(_message.Message):
    __slots__ = ("inputs",)
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    inputs: _containers.RepeatedCompositeFieldContainer[_input_pb2.InputInfo]
    def __init__(self, inputs: _Optional[_Iterable[_Union[_input_pb2.InputInfo, _Mapping]]] = ...) -> None: ...

class GetStateRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetStateResponse(_message.Message):
    __slots__ = ("state",)
    STATE_FIELD_NUMBER: _ClassVar[int]
    state: _input_pb2.State
    def __init__(self, state: _Optional[_Union[_input_pb2.State, _Mapping]] = ...) -> None: ...

class StreamReportsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StreamReportsResponse(_message.Message):
    __slots__ = ("state", "report")
    STATE_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    state: _input_pb2.State
    report: _input_pb2.Report
    def __init__(self, state: _Optional[_Union[_input_pb2.State, _Mapping]] = ..., report: _Optional[_Union[_input_pb2.Report, _Mapping]] = ...) -> None: ...
