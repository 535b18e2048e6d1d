"""Serves test cards by GStreamer's RTSP server. Prints its port, and ends with its standard input.

usage: gstreamer_server.py PLACES HEARD

PLACES   how many sessions there may be at a time
HEARD    a file for what is said at /talk, as 16 bit little endian samples at 8 kHz
"""

import sys
import threading

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer

RAW = "videotestsrc is-live=true ! video/x-raw,format=I420,width=160,height=120,framerate=25/1 ! "
H264 = RAW + "openh264enc gop-size=25 ! h264parse ! rtph264pay name=pay0 pt=96 config-interval=-1 "
TONE = "audiotestsrc is-live=true samplesperbuffer=%d ! audio/x-raw,rate=%d,channels=1 ! "
STREAMS = {
    "/h264": H264,
    "/jpeg": RAW + "jpegenc ! rtpjpegpay name=pay0 pt=26 ",
    "/alaw": H264 + TONE % (160, 8000) + "alawenc ! rtppcmapay name=pay1 pt=8 ",
    "/opus": H264 + TONE % (960, 48000) + "opusenc ! rtpopuspay name=pay1 pt=97 ",
}

Gst.init(None)
server = GstRtspServer.RTSPOnvifServer(service="0", address="127.0.0.1")
server.get_session_pool().set_max_sessions(int(sys.argv[1]))
for path, pipeline in STREAMS.items():
    factory = GstRtspServer.RTSPMediaFactory(launch="( " + pipeline + ")", shared=True)
    server.get_mount_points().add_factory(path, factory)
talk = GstRtspServer.RTSPOnvifMediaFactory(launch="( " + H264 + ")")
talk.set_media_gtype(GstRtspServer.RTSPOnvifMedia)
talk.set_backchannel_launch(
    '( capsfilter caps="application/x-rtp,media=audio,payload=0,clock-rate=8000,encoding-name=PCMU" '
    "name=depay_backchannel ! rtppcmudepay ! mulawdec "
    "! filesink async=false sync=false buffer-mode=unbuffered location=%s )" % sys.argv[2]
)
server.get_mount_points().add_factory("/talk", talk)
server.attach(None)
loop = GLib.MainLoop()
threading.Thread(target=lambda: (sys.stdin.read(), loop.quit()), daemon=True).start()
print(server.get_bound_port(), flush=True)
loop.run()
