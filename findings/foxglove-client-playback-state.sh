#!/bin/bash
# Foxglove's client for npm does not know what Foxglove's own server sends about playback.
#
# A server of the Python package foxglove-sdk 0.30.3 with the capability PlaybackControl tells its clients where it is by
# the binary message 5 (PlaybackState). @foxglove/ws-protocol 0.8.0, the newest client for npm, takes that for an error:
# it emits `error` for each, and a program that ends at errors ends. The same server answers 400 to the sub-protocol that
# the client names as the one it supports, foxglove.websocket.v1; with foxglove.sdk.v1 everything else works. Node 20,
# ws 8.23.0, Python 3.11.
#
# Seen:  foxglove.websocket.v1: Error: Unexpected server response: 400
#        foxglove.sdk.v1: ["playbackControl"] is known, then Error: Unrecognized server opcode in binary message: 5
#
# So the gateway speaks both names, and sends PlaybackState under the newer one only, to clients that may play
# (services/webrtc-gateway/foxglove).
set -euo pipefail
cd "$(mktemp -d)"
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$PWD"' EXIT
cat >server.py <<'PY'
import time

import foxglove
from foxglove.websocket import Capability, PlaybackState, PlaybackStatus, ServerListener


class Listener(ServerListener):
    pass


server = foxglove.start_server(
    name="finding",
    host="127.0.0.1",
    port=0,
    capabilities=[Capability.PlaybackControl],
    playback_time_range=(1_000_000_000, 61_000_000_000),
    server_listener=Listener(),
)
print(server.port, flush=True)
state = PlaybackState(
    status=PlaybackStatus.Paused, current_time=1_000_000_000, playback_speed=1.0, did_seek=False, request_id=None
)
while True:
    server.broadcast_playback_state(state)
    time.sleep(0.1)
PY
cat >client.mjs <<'JS'
import Client from '@foxglove/ws-protocol';
import WebSocket from 'ws';

const [, , port] = process.argv;
const { FoxgloveClient } = Client;
for (const protocol of [FoxgloveClient.SUPPORTED_SUBPROTOCOL, 'foxglove.sdk.v1']) {
  await new Promise((done) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}`, [protocol]);
    const client = new FoxgloveClient({ ws: socket });
    let known = '';
    client.on('serverInfo', ({ capabilities }) => { known = `${JSON.stringify(capabilities)} is known, then `; });
    client.on('error', (error) => {
      console.log(`${protocol}: ${known}${error}`);
      client.close();
      done();
    });
  });
}
process.exit(0);
JS
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check foxglove-sdk==0.30.3
npm install --silent --no-audit --no-fund @foxglove/ws-protocol@0.8.0 ws@8.23.0 >/dev/null 2>&1
venv/bin/python server.py >port 2>log & server=$!
until [ -s port ]; do kill -0 "$server" || { cat log; exit 1; }; sleep 0.1; done
got=$(node client.mjs "$(cat port)")
echo "$got"
want='foxglove.websocket.v1: Error: Unexpected server response: 400
foxglove.sdk.v1: ["playbackControl"] is known, then Error: Unrecognized server opcode in binary message: 5'
[ "$got" = "$want" ] || { echo "this has changed" >&2; exit 1; }
