"""Tells that the process was forked: gRPC and the threads of this package do not survive that."""

from __future__ import annotations

import os

from waldo.errors import ForkError

# How often this process and its parents have been forked since the import, and how often they had been when the first
# connection was made.
_generation = 0
_first: int | None = None


def _forked() -> None:
    global _generation
    _generation += 1


os.register_at_fork(after_in_child=_forked)


class Guard:
    """Belongs to something that cannot be used in a forked child."""

    def __init__(self) -> None:
        global _first
        if _first is None:
            _first = _generation
        elif _first != _generation:
            raise _error()
        self._born = _generation

    def check(self) -> None:
        """Fails with ForkError in a child of the process that made it."""
        if self._born != _generation:
            raise _error()


def _error() -> ForkError:
    return ForkError(
        "this process was forked from one that had connected to a robot, which gRPC does not survive: start the other "
        'process with multiprocessing.get_context("spawn"), and make its waldo.Robot there'
    )
