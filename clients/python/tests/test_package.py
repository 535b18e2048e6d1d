"""The package as a whole."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import waldo

SOURCE = Path(waldo.__file__)


@pytest.mark.parametrize("name", waldo.__all__)
def test_public_names_are_there(name: str) -> None:
    assert getattr(waldo, name) is not None


def test_type_checkers_see_the_public_names() -> None:
    seen = re.findall(r"^    from waldo\.(\w+) import (\w+) as \2$", SOURCE.read_text(), re.MULTILINE)
    assert {name: module for module, name in seen} == waldo._HOMES


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Camra'"):
        _ = waldo.Camra


def test_the_import_is_lazy() -> None:
    found = subprocess.run(
        [sys.executable, "-c", "import sys, waldo; print(sorted({'numpy', 'grpc', 'nats'} & sys.modules.keys()))"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert found.stdout == "[]\n"
