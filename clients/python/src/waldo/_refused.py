"""What the bus does not allow the owner of a token."""

from __future__ import annotations

import re
import threading

import grpc

from waldo.errors import NotAllowed

# What to do about it.
REMEDY = "use a token with a role that may (waldo token create)"
# How many subjects are logged as refused.
_MOST = 100

# A token of the robot's store has an id; the single token of a robot has none.
_NAMED = re.compile(r"waldo_([a-z2-7]{1,64})_[A-Z2-7]+\Z")
_VIOLATION = re.compile(r'permissions violation for (publish|subscription) to "([^"]*)"', re.IGNORECASE)


def inbox_of(token: str) -> str:
    """Returns where answers for the owner of a token come: nobody else can read them there."""
    named = _NAMED.match(token)
    return f"_INBOX.{named[1]}" if named else "_INBOX"


def refusal(text: str) -> tuple[str, str] | None:
    """Reads an error of the server: "publish" or "subscribe", and the subject, in lower case as nats-py tells it."""
    found = _VIOLATION.search(text)
    if not found:
        return None
    return ("publish" if found[1].lower() == "publish" else "subscribe"), found[2].lower()


def not_allowed(what: str) -> NotAllowed:
    """Returns the error for something that the bus refuses."""
    error = NotAllowed(f"{what}: the bus does not allow it: {REMEDY}")
    error.code = grpc.StatusCode.PERMISSION_DENIED
    return error


class Once:
    """Remembers what was told. Safe for concurrent use."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._told: set[tuple[str, str]] = set()

    def is_new(self, refused: tuple[str, str]) -> bool:
        """Reports whether a refusal has not been told yet; false once too many have been."""
        with self._lock:
            if refused in self._told or len(self._told) >= _MOST:
                return False
            self._told.add(refused)
            return True
