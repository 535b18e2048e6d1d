#!/bin/bash
# grpcio knows exactly what its program has read, but reports it late unless it has something else to send.
#
# grpcio 1.76.0 (gRPC's C core 51.0) from PyPI, Python 3.11, with a server of a few lines that speaks plain HTTP/2. The
# client announces a window of 4 MiB for each stream and buffers that much whatever its program does. It creates a
# WINDOW_UPDATE for each message that its program has taken, but holds it back until there is another frame to write, or
# until half of the window is used up. The answer to a PING carries what was held back: after it the updates add up to
# what the program has read, to within one message.
#
# Seen:  window 4194304; 50 messages of 105 bytes read: 3785 to 4520 bytes granted on their own, 5250 after a PING;
#        a program that has stopped reading: 100 messages buffered, 0 or 105 bytes granted after a PING
#
# So a server can know how far a Python program has read: Waldo sends a PING (pkg/inflight), and no more than is read.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check grpcio==1.76.0
cat >"$dir/client.py" <<'PY'
import sys, grpc
call = grpc.insecure_channel("127.0.0.1:" + sys.argv[1]).unary_stream("/a.B/C")(b"")
for n, _ in enumerate(call, 1):
    if n == 50:
        print("read", flush=True)
        sys.stdin.readline()  # stands still
        break
PY
cat >"$dir/server.py" <<'PY'

import socket, struct, subprocess, sys, threading, time

def frame(kind, flags, stream, body):
    return struct.pack(">I", len(body))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + body

listener = socket.create_server(("127.0.0.1", 0))
client = subprocess.Popen([sys.executable, sys.argv[1], str(listener.getsockname()[1])], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
conn, _ = listener.accept()
incoming = conn.makefile("rb")
incoming.read(24)  # the preface
state = {"granted": 0, "window": 65535}
called, answered = threading.Event(), threading.Semaphore(0)

def receive():
    while head := incoming.read(9):
        body = incoming.read(int.from_bytes(head[:3], "big"))
        kind, flags, stream = head[3], head[4], int.from_bytes(head[5:], "big")
        if kind == 1:
            called.set()
        elif kind == 4 and not flags & 1:
            state["window"] = dict(struct.unpack(">HI", body[i:i + 6]) for i in range(0, len(body), 6)).get(4, 65535)
            conn.sendall(frame(4, 1, 0, b""))
        elif kind == 6:
            answered.release() if flags & 1 else conn.sendall(frame(6, 1, 0, body))
        elif kind == 8 and stream:
            state["granted"] += int.from_bytes(body, "big")

threading.excepthook = lambda _: None  # the client ends before the server
threading.Thread(target=receive, daemon=True).start()
conn.sendall(frame(4, 0, 0, b""))
called.wait(10)
conn.sendall(frame(1, 4, 1, b"\x88\x00\x0ccontent-type\x10application/grpc"))
message = frame(0, 0, 1, b"\0" + struct.pack(">I", 100) + bytes(100))

def ask():
    conn.sendall(frame(6, 0, 0, bytes(8)))
    if not answered.acquire(timeout=10):
        sys.exit("a PING was not answered")

def send(n):
    for _ in range(n):
        conn.sendall(message)
        time.sleep(0.01)

send(50)
assert client.stdout.readline() == b"read\n"
alone = state["granted"]
ask()
time.sleep(0.1)
told = state["granted"]
send(100)
ask()
time.sleep(0.1)
still = state["granted"] - told
print(f"window {state['window']}; 50 messages read: {alone} bytes granted on their own, {told} after a PING; standing still: {still} more")
client.communicate(b"\n")
sys.exit(not (state["window"] == 4194304 and 0 <= told - 5250 <= 5 and 0 <= still <= 105))
PY
"$dir/venv/bin/python" "$dir/server.py" "$dir/client.py"
