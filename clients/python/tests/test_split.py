"""Messages larger than the server takes."""

from __future__ import annotations

import pytest

from waldo import _split


def parts_of(data: bytes, limit: int = _split.HEADER_ALLOWANCE + 10) -> list[tuple[bytes, dict[str, str]]]:
    return list(_split.split(data, {"Waldo-Type": "t"}, limit))


@pytest.mark.parametrize("size", [0, 1, 9, 10, 11, 100, 101])
def test_what_is_split_is_joined(size: int) -> None:
    data = bytes(range(size))
    joiner, whole = _split.Joiner(), None
    parts = parts_of(data)
    assert len(parts) == max((size + 9) // 10, 1)
    for part, headers in parts:
        assert whole is None
        whole = joiner.join(part, headers)
    assert whole == (data, {"Waldo-Type": "t"})
    assert joiner.lost == 0


def test_messages_of_several_senders_do_not_mix() -> None:
    joiner = _split.Joiner()
    one, other = parts_of(b"a" * 30), parts_of(b"b" * 30)
    found = [joiner.join(*part) for pair in zip(one, other) for part in pair]
    assert [whole[0] for whole in found if whole] == [b"a" * 30, b"b" * 30]


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_lost_part_loses_its_message_only(missing: int) -> None:
    joiner = _split.Joiner()
    parts = parts_of(b"x" * 30)
    del parts[missing]
    assert not any(joiner.join(*part) for part in parts)
    assert joiner.join(b"next", {}) == (b"next", {})


@pytest.mark.parametrize("mark", ["", "a", "a 0", "a 1 1", "a -1 2", "a 0 99999999", "a x 2", " 0 2", "a 0 2 3"])
def test_marks_that_are_none(mark: str) -> None:
    whole = _split.Joiner().join(b"data", {_split.PART: mark})
    assert whole == (None if mark else (b"data", {_split.PART: ""}))


def test_what_is_kept_is_bounded() -> None:
    joiner = _split.Joiner()
    for i in range(10 * _split.MAX_PARTIAL):
        assert joiner.join(b"x", {_split.PART: f"{i} 0 2"}) is None
    assert len(joiner._partials) == _split.MAX_PARTIAL
    assert joiner.lost == 9 * _split.MAX_PARTIAL
