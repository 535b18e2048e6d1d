"""What comes back on the bus: errors of calls, and who is there."""

from __future__ import annotations

import json
from collections.abc import Mapping

import grpc

from waldo import _status
from waldo._address import is_name
from waldo.errors import error_of


def check_answer(data: bytes, headers: Mapping[str, str], what: str) -> None:
    """Fails with the error that an answer carries, if it carries one."""
    code = headers.get("Nats-Service-Error-Code", "")
    if not code:
        return
    whole = _status.parse(data) or (int(code) if code.isdecimal() else 2, headers.get("Nats-Service-Error", ""))
    status = next((c for c in grpc.StatusCode if c.value[0] == whole[0]), grpc.StatusCode.UNKNOWN)
    raise error_of(status, whole[1], what)


def metadata_of(data: bytes) -> dict[str, str]:
    """Reads an answer of NATS micro; other people's services give nothing."""
    try:
        info = json.loads(data)
    except ValueError:
        return {}
    metadata = info.get("metadata") if isinstance(info, dict) else None
    if not isinstance(metadata, dict) or not str(info.get("name", "")).startswith("waldo-"):
        return {}
    found = {str(k): str(v) for k, v in metadata.items()}
    return found if is_name(found.get("robot", "")) and is_name(found.get("device", "")) else {}
