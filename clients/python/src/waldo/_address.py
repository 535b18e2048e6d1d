"""Names and addresses: what they look like."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import socket
from urllib.parse import urlsplit

from waldo.errors import InvalidRequest, Unavailable

DEFAULT_URL = "nats://127.0.0.1:4222"

_SCHEMES = ("nats", "tls", "ws", "wss")
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def is_name(name: str) -> bool:
    """Reports whether this may be the name of a robot or a device."""
    return _NAME.fullmatch(name) is not None


def check_name(field: str, name: str) -> str:
    """Returns a name of a robot or a device, or fails with the rule for them."""
    if not is_name(name):
        rule = "use 1 to 63 lower-case letters, digits and inner hyphens"
        raise InvalidRequest(f"{field}: {name!r} is not a name: {rule}")
    return name


def check_url(text: str) -> str:
    """Returns the URL of a NATS server, or fails with the rule; the error does not repeat the text."""
    text = text.strip()
    parts = urlsplit(text)
    try:
        good = parts.scheme in _SCHEMES and parts.hostname and (parts.port or 1)
    except ValueError:
        good = False
    if not good:
        rule = "use nats://host:4222, or host:port for one device's gRPC"
        raise InvalidRequest(f"the address of the bus is not one: {rule}")
    return text


def redacted(url: str) -> str:
    """Returns a URL without the secrets in it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def host_and_port(address: str) -> str:
    """Returns an address of gRPC, or fails with the rule."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        shown = address.rpartition("@")[2]  # before it there may be a secret
        raise InvalidRequest(f"address: {shown!r} is neither nats://host:port nor host:port")
    return address


def is_loopback(address: str) -> bool:
    """Reports whether only programs on the machine that says host:port reach it."""
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_here(host: str) -> bool:
    """Reports whether a host is this machine, as far as addresses tell."""
    with contextlib.suppress(OSError):
        for family, kind, protocol, _, at in socket.getaddrinfo(host, 9, type=socket.SOCK_DGRAM):
            with socket.socket(family, kind, protocol) as s:
                s.connect(at)  # sends nothing
                if s.getsockname()[0] == s.getpeername()[0]:
                    return True
    return False


def elsewhere(name: str, address: str) -> Unavailable:
    """Returns the error for a device on another machine that listens on loopback only."""
    return Unavailable(
        f"{name} listens at {address}, which only programs on its own machine reach: give it an address in robot.yaml, "
        'as in grpc: ":7101", which takes a token'
    )
