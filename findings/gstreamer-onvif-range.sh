#!/bin/bash
# GStreamer's ONVIF server answers 503 if a stream with a back channel is to be played from a range.
#
# A client sets up live pictures and their back channel, and plays both. Expected: 200, whether PLAY has the field
# "Range: npt=0.000-" or not (it is optional: RFC 2326, 12.29), as for pictures alone. Seen: with the field the server
# tries to seek ("seek failed" in its log) and answers 503, which means to clients that it is full. Without it, it hears
# what is said. If only the back channel is set up, both are answered with 200, but at times the pipeline ends with
# "not-linked", and nothing is heard. GStreamer's RTSP server 1.22.0 of Debian 12 (gir1.2-gst-rtsp-server-1.0,
# gstreamer1.0-plugins-good, python3-gi).
#
# Seen:  with a range 503, without one 200
#
# So the back channel is played without a range, and with the pictures at this server
# (services/rtsp-ingest/rtsp/voice.go); see TestGStreamerHears there, and fakecam's behaviour backchannel-range.
set -euo pipefail
cd "$(mktemp -d)"
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$PWD"' EXIT
cat >server.py <<'PY'
import gi
gi.require_version('Gst', '1.0')
gi.require_version('GstRtspServer', '1.0')
from gi.repository import Gst, GstRtspServer, GLib

Gst.init(None)
server = GstRtspServer.RTSPOnvifServer()
server.set_address('127.0.0.1')
server.set_service('0')
factory = GstRtspServer.RTSPOnvifMediaFactory()
factory.set_launch('( videotestsrc is-live=true ! jpegenc ! rtpjpegpay name=pay0 pt=26 )')
factory.set_backchannel_launch(
    '( capsfilter caps="application/x-rtp,media=audio,payload=0,clock-rate=8000,encoding-name=PCMU" '
    'name=depay_backchannel ! rtppcmudepay ! fakesink async=false )')
factory.set_media_gtype(GstRtspServer.RTSPOnvifMedia)
server.get_mount_points().add_factory('/live', factory)
server.attach(None)
print(server.get_bound_port(), flush=True)
GLib.MainLoop().run()
PY
cat >play.py <<'PY'
import re, socket, sys

def play(port, extra):
    url, session = f'rtsp://127.0.0.1:{port}/live', ''
    with socket.create_connection(('127.0.0.1', port)) as s:
        answers = s.makefile('rb')

        def ask(number, method, url, fields):
            s.sendall(f'{method} {url} RTSP/1.0\r\nCSeq: {number}\r\n'
                      f'Require: www.onvif.org/ver20/backchannel\r\n{fields}{session}\r\n'.encode())
            head = b''
            while not head.endswith(b'\r\n\r\n'):
                head += answers.readline()
            length = re.search(rb'Content-Length: (\d+)', head)
            return (head + answers.read(int(length[1]) if length else 0)).decode()

        ask(1, 'DESCRIBE', url, 'Accept: application/sdp\r\n')
        for track in (0, 1):
            channels = f'{2 * track}-{2 * track + 1}'
            answer = ask(2 + track, 'SETUP', f'{url}/stream={track}',
                         f'Transport: RTP/AVP/TCP;unicast;interleaved={channels}\r\n')
            session = 'Session: ' + re.search(r'Session: ([^;\r]+)', answer)[1] + '\r\n'
        return ask(4, 'PLAY', url, extra).split()[1]

port = int(sys.argv[1])
ranged, plain = play(port, 'Range: npt=0.000-\r\n'), play(port, '')
print(f'with a range {ranged}, without one {plain}')
PY
/usr/bin/python3 server.py >port 2>/dev/null & server=$!
until [ -s port ]; do sleep 0.1; done
got=$(/usr/bin/python3 play.py "$(cat port)")
echo "$got"
[ "$got" = "with a range 503, without one 200" ] || { echo "this has changed" >&2; exit 1; }
