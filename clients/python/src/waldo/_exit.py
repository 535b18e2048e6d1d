"""What is open when the program ends is closed: the threads of gRPC and of the bus must not run into the end of the
interpreter."""

from __future__ import annotations

import atexit
import contextlib
import weakref
from typing import Protocol

from waldo.errors import WaldoError


class _Open(Protocol):
    def close(self) -> None: ...


_open: weakref.WeakSet[_Open] = weakref.WeakSet()


def close_at_exit(what: _Open) -> None:
    """Has close called at the end of the program, if there is anybody who still holds what is to be closed."""
    _open.add(what)


@atexit.register
def _close_all() -> None:
    for what in list(_open):
        with contextlib.suppress(WaldoError):
            what.close()
