"""Plays a WHEP stream with GStreamer's webrtcbin: whep_gstreamer.py URL PICTURES CAPS [LOST]. Prints what it saw as JSON.
After picture LOST it says that it needs a key frame."""
import json
import sys
import urllib.error
import urllib.request

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstWebRTC", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstVideo", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstVideo, GstWebRTC  # noqa: E402

Gst.init(None)


class Player:
    def __init__(self, url, count, caps, lost=0):
        self.url, self.count, self.lost = url, count, lost
        self.seen = {"pictures": 0, "answer": "", "error": ""}
        self.loop, self.pipeline, self.kept = GLib.MainLoop(), Gst.Pipeline(), []
        self.web = Gst.ElementFactory.make("webrtcbin")
        self.pipeline.add(self.web)
        self.web.connect("pad-added", self.show)
        self.web.connect("notify::ice-gathering-state", self.gathered)
        receive = GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY
        self.web.emit("add-transceiver", receive, Gst.Caps.from_string(caps))

    def play(self):
        self.pipeline.set_state(Gst.State.PLAYING)
        self.web.emit("create-offer", None, Gst.Promise.new_with_change_func(self.offered))
        GLib.timeout_add_seconds(20, self.loop.quit)
        self.loop.run()
        self.pipeline.set_state(Gst.State.NULL)
        return self.seen

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
        request = urllib.request.Request(self.url, offer, {"Content-Type": "application/sdp"})
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                self.seen["answer"] = response.read().decode()
        except urllib.error.HTTPError as e:
            self.seen["error"] = e.read().decode()
            self.loop.quit()
            return False
        _, message = GstSdp.SDPMessage.new_from_text(self.seen["answer"])
        answer = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, message)
        self.web.emit("set-remote-description", answer, Gst.Promise.new())
        return False

    def show(self, _, pad):
        codec = pad.get_current_caps().get_structure(0).get_string("encoding-name")
        decoder = {
            "H264": "rtph264depay ! h264parse ! avdec_h264",
            "H265": "rtph265depay ! h265parse ! avdec_h265",
            "VP8": "rtpvp8depay ! avdec_vp8",
        }[codec]
        screen = Gst.parse_bin_from_description(
            f"queue ! {decoder} ! fakesink name=sink sync=false signal-handoffs=true", True)
        self.pipeline.add(screen)
        screen.get_by_name("sink").connect("handoff", self.picture)
        screen.sync_state_with_parent()
        pad.link(screen.get_static_pad("sink"))
        self.kept.append(screen)

    def picture(self, sink, *_):
        self.seen["pictures"] += 1
        if self.seen["pictures"] == self.lost:
            event = GstVideo.video_event_new_upstream_force_key_unit(Gst.CLOCK_TIME_NONE, True, 0)
            sink.get_static_pad("sink").push_event(event)
        if self.seen["pictures"] == self.count:
            GLib.idle_add(self.loop.quit)


url, pictures, caps, *lost = sys.argv[1:]
print(json.dumps(Player(url, int(pictures), caps, *map(int, lost)).play()))
