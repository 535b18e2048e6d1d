"""Which certificates are trusted, and where TLS is wanted."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import grpc

from waldo._address import is_loopback
from waldo.errors import InvalidRequest


class Trust:
    """The authorities in a PEM file, or those of the system. Connections within this machine need no TLS; to other
    machines there is TLS if the bus has it (tls://), or if a file is given."""

    def __init__(self, ca: str | os.PathLike[str] | None, address: str) -> None:
        path = os.environ.get("WALDO_CA", "") if ca is None else os.fspath(ca)
        self._bus = address.startswith("tls://")
        self._wanted = self._bus or path != ""
        self._pem: bytes | None = None
        if not path:
            return
        try:
            self._pem = Path(path).read_bytes()
            ssl.create_default_context(cadata=self._pem.decode())
        except (OSError, UnicodeDecodeError, ssl.SSLError) as e:
            remedy = "name the PEM file that `waldo trust --pem` prints"
            raise InvalidRequest(f"ca: {path} cannot be used: {e}: {remedy}") from None

    def context(self) -> ssl.SSLContext | None:
        """Returns how the bus is connected to; None for no TLS."""
        if not self._bus:
            return None
        return ssl.create_default_context(cadata=self._pem.decode() if self._pem else None)

    def channel(self, address: str, options: list[tuple[str, object]]) -> grpc.Channel:
        """Returns a channel to a device."""
        if not self._wanted or is_loopback(address):
            return grpc.insecure_channel(address, options)
        return grpc.secure_channel(address, grpc.ssl_channel_credentials(self._pem), options)
