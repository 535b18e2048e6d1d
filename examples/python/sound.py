"""Records a microphone and plays through a speaker.

sound.py 127.0.0.1:7103 record said.wav 5
sound.py 127.0.0.1:7103 play said.wav
"""
import sys
import wave
import grpc
from waldo.audio.v1 import audio_pb2 as audio, audio_pb2_grpc as service
from waldo.media.v1 import media_pb2 as media


def pcm(rate, channels):
    return media.AudioFormat(media_type="audio/raw", sample_format="S16LE", sample_rate_hz=rate, channels=channels)


def record(stub, path, seconds, rate=16000):
    """Records some seconds in mono, at the requested rate, whatever the sound card's rate."""
    wanted = audio.StreamAudioRequest(format=pcm(rate, 1), block_samples=rate // 50)
    call = stub.StreamAudio(wanted)
    with wave.open(path, "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        for step in call:
            file.writeframes(step.frame.data)
            if file.getnframes() >= seconds * rate:
                call.cancel()
                break
    print("recorded %.2f s, lost %d frames" % (file.getnframes() / rate, step.dropped_count))


def play(stub, path):
    """Plays a file of 16-bit PCM; the service takes it at playing speed and answers when all of it has been played."""
    with wave.open(path) as file:
        if file.getsampwidth() != 2:
            sys.exit("%s has %d bits a sample, must have 16" % (path, 8 * file.getsampwidth()))
        form = pcm(file.getframerate(), file.getnchannels())
        block = file.getframerate() // 50
        frames = (audio.PlayAudioRequest(frame=media.AudioFrame(format=form, talker="sound.py", data=data))
                  for data in iter(lambda: file.readframes(block), b""))
        print("played %.2f s" % (stub.PlayAudio(frames).played.ToMilliseconds() / 1000))


stub = service.AudioServiceStub(grpc.insecure_channel(sys.argv[1]))
if sys.argv[2] == "record":
    record(stub, sys.argv[3], float(sys.argv[4]))
else:
    play(stub, sys.argv[3])
