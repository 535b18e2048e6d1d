"""LeRobot datasets (format v3.0) of recordings: ``python -m waldo.lerobot RECORDING… OUTPUT``.

What a driver did becomes the action, what the board reported the state, and the cameras' pictures the images.
Recordings have messages at whatever times they came; a dataset has one row every 1/fps seconds, with the newest of each
at that time.

It needs the packages av, mcap and pyarrow, but not LeRobot itself.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from waldo.lerobot._export import Options as Options
    from waldo.lerobot._export import export as export

__all__ = ["Options", "export"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("waldo.lerobot._export"), name)
