"""Publishes orange pictures with GStreamer's webrtcbin: whip_gstreamer.py URL CODEC. Runs until it is killed; prints what
went wrong."""
import sys
import urllib.error
import urllib.request

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstWebRTC", "1.0")
gi.require_version("GstSdp", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

Gst.init(None)
SOURCE = "videotestsrc is-live=true pattern=solid-color foreground-color=0xffff8000 ! video/x-raw,width=320,height=240,framerate=25/1 ! "
ENCODERS = {
    "H264": "openh264enc gop-size=250 ! h264parse config-interval=-1 ! rtph264pay aggregate-mode=zero-latency ! "
    "application/x-rtp,media=video,encoding-name=H264,payload=102 ! ",
    "VP8": "vp8enc deadline=1 keyframe-max-dist=2000 ! rtpvp8pay ! application/x-rtp,media=video,encoding-name=VP8,payload=101 ! ",
}


class Publisher:
    def __init__(self, url, codec):
        self.url, self.loop, self.kept = url, GLib.MainLoop(), []
        self.pipeline = Gst.parse_launch(
            SOURCE + ENCODERS[codec] + "webrtcbin name=web bundle-policy=max-bundle "
            "audiotestsrc is-live=true ! opusenc ! rtpopuspay ! application/x-rtp,media=audio,encoding-name=OPUS,payload=97 ! web.")
        self.web = self.pipeline.get_by_name("web")
        self.web.connect("on-negotiation-needed", self.negotiate)
        self.web.connect("notify::ice-gathering-state", self.gathered)

    def publish(self):
        self.pipeline.set_state(Gst.State.PLAYING)
        self.loop.run()

    def negotiate(self, *_):
        for i in range(2):
            transceiver = self.web.emit("get-transceiver", i)
            transceiver.set_property("direction", GstWebRTC.WebRTCRTPTransceiverDirection.SENDONLY)
        self.web.emit("create-offer", None, Gst.Promise.new_with_change_func(self.offered))

    def offered(self, promise, *_):
        reply = promise.get_reply()
        offer = reply.get_value("offer")
        self.kept.append((promise, reply, offer))  # the offer is a part of the reply
        self.web.emit("set-local-description", offer, Gst.Promise.new())

    def gathered(self, *_):
        if self.web.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE:
            GLib.idle_add(self.post)

    def post(self):
        offer = self.web.get_property("local-description").sdp.as_text().encode()
        request = urllib.request.Request(self.url, offer, {"Content-Type": "application/sdp", "User-Agent": "GStreamer/1.22"})
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                answer = response.read().decode()
        except urllib.error.HTTPError as e:
            print(e.code, e.read().decode(), flush=True)
            self.loop.quit()
            return False
        _, message = GstSdp.SDPMessage.new_from_text(answer)
        self.web.emit("set-remote-description",
                      GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, message), Gst.Promise.new())
        print("begins", flush=True)
        return False


Publisher(*sys.argv[1:]).publish()
