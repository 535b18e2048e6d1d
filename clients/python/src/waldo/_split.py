"""Messages above the server's max_payload travel in parts, as Waldo's Go package bus sends them: the header Waldo-Part
of each says "<id> <index> <count>", and the first has the message's other headers."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

PART = "Waldo-Part"
#: The largest message, in bytes.
MAX_MESSAGE = 64 << 20
#: The largest part: what is larger than any server on its way takes costs a connection.
MAX_PART = 1 << 20
#: Kept free for headers in every part.
HEADER_ALLOWANCE = 4096
MAX_PARTS = MAX_MESSAGE // HEADER_ALLOWANCE
#: Messages of one subscription that may be incomplete at a time, their bytes, and how long one may stay without
#: growing.
MAX_PARTIAL, MAX_HELD, PART_LIFE = 64, 2 * MAX_MESSAGE, 5.0
# Receivers bound what one sender has under way, and know it by the first 12 characters of an id.
_SENDER = secrets.token_hex(6)


def split(data: bytes, headers: Mapping[str, str], max_payload: int) -> Iterator[tuple[bytes, dict[str, str]]]:
    """Yields the messages to send for one: itself if it fits."""
    room = max_payload - HEADER_ALLOWANCE
    if room <= 0 or len(data) <= room:
        yield data, dict(headers)
        return
    ident, count = _SENDER + secrets.token_hex(5), (len(data) + room - 1) // room
    for i in range(count):
        part = dict(headers) if i == 0 else {}
        part[PART] = f"{ident} {i} {count}"
        yield data[i * room : (i + 1) * room], part


@dataclass
class _Partial:
    count: int
    headers: dict[str, str]
    parts: list[bytes] = field(default_factory=list)
    size: int = 0
    grown: float = 0.0


class Joiner:
    """Puts the parts of one subscription's messages together. Not safe for concurrent use."""

    def __init__(self) -> None:
        self._partials: dict[str, _Partial] = {}  # the one that grew last is last
        #: Messages that will not become whole.
        self.lost = 0

    def join(self, data: bytes, headers: Mapping[str, str] | None) -> tuple[bytes, Mapping[str, str]] | None:
        """Returns the message that this completes, the message itself if it is whole, or None."""
        mark = (headers or {}).get(PART, "")
        if not mark:
            return data, headers or {}
        parsed = _parse(mark)
        if parsed is None or not data:
            return None
        ident, index, count = parsed
        partial = self._partials.pop(ident, None)
        if index == 0:
            first = {k: v for k, v in (headers or {}).items() if k != PART}
            partial = _Partial(count, first)
        if partial is None or partial.count != count or len(partial.parts) != index:
            self.lost += index == count - 1
            return None
        if partial.size + len(data) > MAX_MESSAGE:
            self.lost += 1
            return None
        partial.parts.append(data)
        partial.size += len(data)
        if index == count - 1:
            return b"".join(partial.parts), partial.headers
        self._keep(ident, partial)
        return None

    def _keep(self, ident: str, partial: _Partial) -> None:
        now = time.monotonic()
        partial.grown = now
        self._partials[ident] = partial
        while self._partials:
            oldest = next(iter(self._partials))
            held = sum(p.size for p in self._partials.values())
            stale = now - self._partials[oldest].grown > PART_LIFE
            if len(self._partials) <= MAX_PARTIAL and held <= MAX_HELD and not stale:
                return
            del self._partials[oldest]
            self.lost += 1


def _parse(mark: str) -> tuple[str, int, int] | None:
    fields = mark.split(" ")
    if len(fields) != 3 or not fields[0] or not fields[1].isdecimal() or not fields[2].isdecimal():
        return None
    index, count = int(fields[1][:9]), int(fields[2][:9])
    return (fields[0], index, count) if index < count <= MAX_PARTS else None
