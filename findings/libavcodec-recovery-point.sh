#!/bin/bash
# libavcodec shows no picture of H.264 without IDR pictures if its messages (SEI) are left out.
#
# With intra refresh an encoder sends no IDR but at the very beginning: each picture renews a column. A client that comes
# later begins at a recovery point, which is a message. Expected: without the messages, pictures are shown as soon as
# everything has been renewed, since nothing else is missing in the stream. Seen: none ever is, and there is no error.
# ffmpeg hides that, because it asks for pictures that are not yet right too (-flags +output_corrupt). libavcodec 59.37
# of Debian 12 (ffmpeg 5.1.9).
#
# Seen:  57 pictures with messages, 0 without
#
# So package video/libav, which leaves messages out because those of cameras are often malformed, passes recovery points
# on (parts.go), and services/rtsp-ingest/picture puts one before pictures that need no other where the camera has none;
# see TestWithoutKeyFrames in services/rtsp-ingest/ingest.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
ff() { ffmpeg -hide_banner -loglevel error -y "$@"; }
ff -f lavfi -i testsrc2=size=320x240:rate=25:duration=4 -pix_fmt yuv420p -c:v libx264 \
	-x264-params keyint=25:bframes=0:intra-refresh=1 all.h264
ff -i all.h264 -c copy -bsf:v filter_units=remove_types=5 with.h264
ff -f h264 -i with.h264 -c copy -bsf:v filter_units=remove_types=6 without.h264
shown() {
	ffmpeg -loglevel quiet -flags -output_corrupt -f h264 -i "$1" -fps_mode passthrough -f framecrc - | grep -vc '^#' || true
}
echo "$(shown with.h264) pictures with messages, $(shown without.h264) without"
