"""The errors of this package, and what gRPC's errors become."""

from __future__ import annotations

import grpc

# What a call may bring back; the text is for people.
MAX_TEXT = 2000


class WaldoError(Exception):
    """Anything that goes wrong between a program and a robot."""

    #: The gRPC code that the device gave, or None if the error was made here.
    code: grpc.StatusCode | None = None


class Unavailable(WaldoError):
    """The bus, the device or its hardware is not there now. Trying again later can help."""


class NotFound(WaldoError):
    """There is no device, stream or setting of that name."""


class InvalidRequest(WaldoError):
    """The device refuses what it was asked for; the text names the field."""


class NotAllowed(WaldoError):
    """The token is missing or wrong, or its owner may not do this."""


class Refused(WaldoError):
    """The device could do it, but a rule forbids it now: somebody else drives, or an e-stop is latched."""


class Unsupported(WaldoError):
    """The device does not know what it was asked for: its program is older, or of another kind."""


class Closed(WaldoError):
    """The robot, or what was read from it, has been closed."""


class ForkError(WaldoError):
    """The process was forked after it had connected to a robot. gRPC does not survive that."""


_KINDS: dict[grpc.StatusCode, type[WaldoError]] = {
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: Unavailable,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.INVALID_ARGUMENT: InvalidRequest,
    grpc.StatusCode.OUT_OF_RANGE: InvalidRequest,
    grpc.StatusCode.UNAUTHENTICATED: NotAllowed,
    grpc.StatusCode.PERMISSION_DENIED: NotAllowed,
    grpc.StatusCode.FAILED_PRECONDITION: Refused,
    grpc.StatusCode.ABORTED: Refused,
    grpc.StatusCode.ALREADY_EXISTS: Refused,
    grpc.StatusCode.UNIMPLEMENTED: Unsupported,
}

# Trying again cannot change these.
_FINAL = (NotFound, InvalidRequest, NotAllowed, Unsupported)


def printable(text: str) -> str:
    """Returns a text from elsewhere without what could change a terminal; lines stay."""
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)


def error_of(code: grpc.StatusCode, text: str, what: str) -> WaldoError:
    """Returns the error for a status. What names the device, and what was asked of it."""
    text = printable(text[:MAX_TEXT])
    if code is grpc.StatusCode.UNIMPLEMENTED:
        text = f"its program does not offer this ({text}): is it older than this package, or a device of another kind?"
    elif code is grpc.StatusCode.UNAUTHENTICATED:
        text = f"{text or 'the token is missing or wrong'}: pass token=, or set WALDO_TOKEN"
    elif code is grpc.StatusCode.DEADLINE_EXCEEDED:
        text = f"it has not answered in time ({text or code.name}): it hangs, or the way to it is blocked"
    error = _KINDS.get(code, WaldoError)(f"{what}: {text or code.name}")
    error.code = code
    return error


def from_rpc(error: grpc.RpcError, what: str) -> WaldoError:
    """Returns the error for one of grpcio's."""
    code = error.code() if isinstance(error, grpc.Call) else grpc.StatusCode.UNKNOWN
    text = error.details() if isinstance(error, grpc.Call) else str(error)
    return error_of(code, text or "", what)


def is_final(error: WaldoError) -> bool:
    """Reports whether trying again is in vain."""
    return isinstance(error, _FINAL)
