"""Raw pictures in memory that a device shares with readers on its machine, so that they need not be sent.

`Camera` uses it by itself: it asks every device to share, and takes pictures from messages if the device does not, or
if its memory cannot be opened here. The memory is a ring, whose slots are used again after a few pictures. Each slot
has a version; a copy counts only if the version was the expected one before and after it was made.

Nothing that a device says is trusted: the memory must be a sealed memfd of the length it says, named after the epoch of
the picture, and all offsets must be within it.
"""

from __future__ import annotations

import mmap
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from waldo._wire import Step
from waldo.camera.v1 import camera_service_pb2
from waldo.events import log
from waldo.reading import Call

_PATH = re.compile(r"/proc/[1-9][0-9]{0,9}/fd/[0-9]{1,9}")
_MAX_LENGTH = 1 << 30

#: Whether memory can be shared on this system at all. The versions are read as this machine's words.
POSSIBLE = sys.platform == "linux" and sys.byteorder == "little"


class NotShared(Exception):
    """The memory of a device cannot be read here: the device is on another machine or in a container, belongs to
    another user, or what it says cannot be."""


class Place:
    """Where a picture is, until the device uses its slot again."""

    __slots__ = ("_at", "_length", "_memory", "_version", "_words")

    def __init__(self, memory: mmap.mmap, words: memoryview, shared: camera_service_pb2.SharedPicture) -> None:
        self._memory, self._words = memory, words
        self._version = shared.version_offset // 8, shared.version
        self._at, self._length = shared.data_offset, shared.data_length

    def copy(self) -> npt.NDArray[np.uint8] | None:
        """Returns the bytes of the picture, or None if it is not there any more."""
        at, version = self._version
        if self._words[at] != version:
            return None
        order = threading.Lock()
        order.acquire()
        data = np.frombuffer(self._memory, np.uint8, self._length, self._at).copy()
        # The bytes are read before the lock is released, and the version after it was acquired again: a processor that
        # reads ahead must not turn that round.
        order.release()
        order.acquire()
        return data if self._words[at] == version else None


class Memory:
    """The memory of one call. For one thread."""

    def __init__(self) -> None:
        self._path, self._length = "", 0
        self._mapped: tuple[mmap.mmap, memoryview] | None = None

    def find(self, epoch: int, shared: camera_service_pb2.SharedPicture) -> Place:
        """Returns where the picture of a message is. Fails with NotShared."""
        check(shared)
        known = (shared.path, shared.length) == (self._path, self._length)
        # Version 0 says that the memory has ended. Another may have its path since: when pictures have changed their
        # size twice, and none was sent in between.
        if self._mapped is None or not known or not self._mapped[1][shared.version_offset // 8]:
            try:
                self._mapped = _map(shared.path, shared.length, epoch)  # the other is unmapped with its last picture
            except NotShared:
                if self._mapped is None or not known:
                    raise
            self._path, self._length = shared.path, shared.length
        return Place(*self._mapped, shared)


def check(shared: camera_service_pb2.SharedPicture) -> None:
    """Fails with NotShared for what cannot be."""
    length = shared.length
    if not _PATH.fullmatch(shared.path):
        raise NotShared(f"path {shared.path!r} is not /proc/<pid>/fd/<n>")
    if not 8 <= length <= _MAX_LENGTH or length % 8:
        raise NotShared(f"length is {length}")
    if not 0 <= shared.version_offset <= length - 8 or shared.version_offset % 8:
        raise NotShared(f"version_offset is {shared.version_offset} of {length}")
    if shared.version <= 0 or shared.version % 2:
        raise NotShared(f"version is {shared.version}, must be even")
    if not 0 <= shared.data_length <= length or not 0 <= shared.data_offset <= length - shared.data_length:
        raise NotShared(f"the picture is at {shared.data_offset}, has {shared.data_length} bytes, of {length}")


def _map(path: str, length: int, epoch: int) -> tuple[mmap.mmap, memoryview]:
    if sys.platform != "linux":
        raise NotShared("this is not Linux")
    import fcntl

    try:
        target = os.readlink(path)
        if target != f"/memfd:waldo-{epoch} (deleted)":
            raise NotShared(f"{path} is {target!r}")
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            if os.fstat(fd).st_size != length:
                raise NotShared(f"{path} has another length than {length}")
            if not fcntl.fcntl(fd, fcntl.F_GET_SEALS) & fcntl.F_SEAL_SHRINK:
                raise NotShared(f"{path} may shrink")
            memory = mmap.mmap(fd, length, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ)
        finally:
            os.close(fd)
    except (OSError, ValueError) as e:
        raise NotShared(f"{path}: {e}") from e
    return memory, memoryview(memory).cast("Q")


class Sharing:
    """Whether a camera's calls ask for shared memory: until it was found that it cannot be read here."""

    def __init__(self, wanted: bool) -> None:
        self.wanted = wanted and POSSIBLE

    def begin(self, begin: Callable[[bool], Call]) -> Call:
        """Begins a call of StreamFrames; `begin` is told whether to ask for shared memory."""
        return _Steps(self, begin) if self.wanted else begin(False)


class _Steps:
    """A call that asks for shared memory, and is made again without if it cannot be read here. It yields the
    steps; those in shared memory have a place."""

    def __init__(self, sharing: Sharing, begin: Callable[[bool], Call]) -> None:
        self._sharing, self._begin = sharing, begin
        self._lock = threading.Lock()
        self._cancelled = False
        self._call = begin(True)

    def cancel(self) -> bool:
        """Ends the call, from any thread."""
        with self._lock:
            self._cancelled = True
            return self._call.cancel()

    def __iter__(self) -> Iterator[Step]:
        memory = Memory()
        try:
            for step in self._call:
                if step.response.HasField("shared"):
                    step.place = memory.find(step.frame.epoch, step.response.shared)
                yield step
            return
        except NotShared as e:
            log.debug("pictures come in messages: %s", e)
        self._sharing.wanted = False
        self._again()
        yield from self._call

    def _again(self) -> None:
        with self._lock:
            self._call.cancel()
            self._call = self._begin(False)
            if self._cancelled:
                self._call.cancel()
