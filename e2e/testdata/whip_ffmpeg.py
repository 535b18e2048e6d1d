"""Publishes orange pictures and a tone with FFmpeg's own WHIP muxer (libavformat 62 and later): whip_ffmpeg.py URL [BFRAMES].
Runs until it is killed; prints what went wrong."""
import sys
import time
from fractions import Fraction

import av
import numpy

url, bframes = sys.argv[1], int((sys.argv[2:] or ["0"])[0])
output = av.open(url, "w", format="whip")
video = output.add_stream("libx264", rate=25)
video.width, video.height, video.pix_fmt, video.gop_size, video.max_b_frames = 320, 240, "yuv420p", 25, bframes
video.options = {"preset": "ultrafast", "tune": "zerolatency"} if bframes == 0 else {"preset": "fast"}
audio = output.add_stream("libopus", rate=48000)
audio.layout = "stereo"
picture = numpy.zeros((240, 320, 3), numpy.uint8)
picture[:] = (255, 128, 0)
tone = (8000 * numpy.sin(2 * numpy.pi * 440 / 48000 * numpy.arange(1920))).astype(numpy.int16)
begin = time.monotonic()
print("begins", flush=True)
for n in range(25 * 3600):
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
    frame.pts, frame.time_base = n, Fraction(1, 25)
    output.mux(video.encode(frame))
    sound = av.AudioFrame.from_ndarray(numpy.repeat(tone, 2)[None, :], format="s16", layout="stereo")
    sound.sample_rate, sound.pts, sound.time_base = 48000, n * 1920, Fraction(1, 48000)
    output.mux(audio.encode(sound))
    time.sleep(max(0, begin + (n + 1) / 25 - time.monotonic()))
