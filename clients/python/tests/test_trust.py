"""Which certificates are trusted, and where TLS is wanted."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from waldo._trust import Trust
from waldo.errors import InvalidRequest


@pytest.fixture
def ca(tmp_path: Path) -> str:
    """A file with an authority."""
    path = tmp_path / "ca.crt"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subprocess.run([*made, "-subj", "/CN=test", "-keyout", "/dev/null", "-out", path], check=True, capture_output=True)
    return str(path)


def test_where_tls_is_wanted(ca: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WALDO_CA", raising=False)
    assert Trust(None, "nats://robot:4222").context() is None
    assert Trust(None, "tls://robot:4222").context() is not None
    assert Trust(ca, "nats://127.0.0.1:4222").context() is None
    with_file = Trust(ca, "tls://robot:4222").context()
    assert with_file is not None and len(with_file.get_ca_certs()) == 1
    monkeypatch.setenv("WALDO_CA", ca)
    from_environment = Trust(None, "tls://robot:4222").context()
    assert from_environment is not None and len(from_environment.get_ca_certs()) == 1


BROKEN = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize("text", [None, "no certificate", BROKEN])
def test_a_file_that_cannot_be_used(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "bad.crt"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InvalidRequest, match="ca: .*bad.crt cannot be used.*waldo trust --pem"):
        Trust(str(path), "tls://robot:4222")
