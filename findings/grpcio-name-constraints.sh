#!/bin/bash
# gRPC's C core refuses a certificate authority that constrains addresses, whatever name the server is reached by.
#
# grpcio 1.85.3 (BoringSSL) from PyPI, Python 3.11 (OpenSSL 3), with a server of grpcio on 127.0.0.1. Two authorities
# permit the name localhost; one of them permits the addresses of 127.0.0.0/8 too (RFC 5280, 4.2.1.10). grpcio's client
# refuses that one with "unsupported name constraint type", although it dials localhost. Python's own ssl takes both.
#
# Seen:  names: grpcio takes it, Python's ssl takes it | names and addresses: grpcio refuses it, Python's ssl takes it
#
# So a robot's authority constrains names only (pkg/certs), and SECURITY.md says what its key is good for.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
/usr/bin/python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check grpcio==1.85.3

# authority NAME CONSTRAINTS: an authority, and a leaf of it for localhost and 127.0.0.1.
authority() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj "/CN=$1" -keyout "$1.ca.key" \
    -out "$1.ca.crt" -addext "nameConstraints=critical,$2" -addext "keyUsage=critical,keyCertSign" 2>/dev/null
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$1 leaf" -keyout "$1.key" \
    -out "$1.csr" 2>/dev/null
  openssl x509 -req -in "$1.csr" -CA "$1.ca.crt" -CAkey "$1.ca.key" -CAcreateserial -days 30 -out "$1.crt" \
    -extfile <(echo "subjectAltName=DNS:localhost,IP:127.0.0.1") 2>/dev/null
}
authority names "permitted;DNS:localhost"
authority addresses "permitted;DNS:localhost,permitted;IP:127.0.0.0/255.0.0.0"

cat > client.py <<'PYTHON'
"""Serves with a certificate, and has grpcio and the ssl module of Python connect to it."""
import socket
import ssl
import sys
from concurrent.futures import ThreadPoolExecutor

import grpc

name = sys.argv[1]


def read(file):
    with open(name + file, "rb") as f:
        return f.read()


server = grpc.server(ThreadPoolExecutor(1))
port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(read(".key"), read(".crt"))]))
server.start()
trust = ssl.create_default_context(cafile=name + ".ca.crt")
trust.set_alpn_protocols(["h2"])
try:
    with socket.create_connection(("127.0.0.1", port)) as plain, trust.wrap_socket(plain, server_hostname="localhost"):
        library = "takes it"
except ssl.SSLError:
    library = "refuses it"
channel = grpc.secure_channel(f"localhost:{port}", grpc.ssl_channel_credentials(read(".ca.crt")))
try:
    grpc.channel_ready_future(channel).result(timeout=5)
    core = "takes it"
except grpc.FutureTimeoutError:
    core = "refuses it"
channel.close()
server.stop(None)
print(f"grpcio {core}, Python's ssl {library}")
PYTHON
got="names: $(venv/bin/python client.py names 2>/dev/null) | names and addresses: $(venv/bin/python client.py addresses 2>err)"
echo "$got"
grep -om1 "unsupported name constraint type\|CERTIFICATE_VERIFY_FAILED" err || true
want="names: grpcio takes it, Python's ssl takes it | names and addresses: grpcio refuses it, Python's ssl takes it"
[ "$got" = "$want" ] || { echo "this has changed" >&2; exit 1; }
