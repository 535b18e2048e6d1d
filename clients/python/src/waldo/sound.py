"""Microphones and speakers: sound as numpy arrays."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import grpc
import numpy as np

from waldo._captured import Captured
from waldo._subscribable import Feed, Subscribable
from waldo.audio.v1 import audio_pb2, audio_pb2_grpc
from waldo.errors import InvalidRequest, WaldoError, from_rpc
from waldo.media.v1 import media_pb2
from waldo.reading import Box, Loop, Reading
from waldo.subscriptions import QueueSubscription

if TYPE_CHECKING:
    from waldo.robot import Robot

#: Media type and layout of samples of each format.
FORMATS = {"f32": ("audio/raw", "F32LE"), "s16": ("audio/raw", "S16LE"), "opus": ("audio/opus", "")}
_TAPS = {"microphone": audio_pb2.AUDIO_TAP_MICROPHONE, "speaker": audio_pb2.AUDIO_TAP_SPEAKER}
_TYPES: dict[str, Any] = {"F32LE": np.dtype("<f4"), "S16LE": np.dtype("<i2")}
# What waits for a loop that is slow: the oldest is lost.
_WAITING, _WITHIN = 256, 0.5
# Sound to play is sent in pieces of so many seconds.
_PIECE = 0.02


@dataclass(frozen=True)
class SoundInfo:
    """What is known of a piece of sound beside its samples."""

    epoch: int = 0
    sequence: int = 0
    capture_time: float = 0.0
    rate: int = 0
    channels: int = 0
    sample_index: int = 0
    sample_count: int = 0
    dropped: int = 0
    received: float = field(default_factory=time.monotonic)
    replay_time: float = 0.0  # 0 if it is not replayed


class _Described(Captured):
    """The attributes that pieces of sound have."""

    info: SoundInfo

    @property
    def rate(self) -> int:
        """Samples a second in each channel."""
        return self.info.rate

    @property
    def sample_index(self) -> int:
        """Position of the first sample in the epoch."""
        return self.info.sample_index


class Samples(_Described, np.ndarray[Any, np.dtype[Any]]):
    """A piece of sound as an array of (samples, channels): float32 from -1 to 1, or int16."""

    def __new__(cls, array: Any, info: SoundInfo | None = None) -> Samples:
        samples = np.asarray(array).view(cls)
        samples.info = info or SoundInfo()
        return samples

    def __array_finalize__(self, source: Any) -> None:
        self.info = getattr(source, "info", None) or SoundInfo()

    def __reduce__(self) -> Any:
        made: Any = super().__reduce__()
        return made[0], made[1], (made[2], self.info)

    def __setstate__(self, state: Any) -> None:
        super().__setstate__(state[0])
        self.info = state[1]


class OpusPacket(_Described, bytes):
    """One Opus packet."""

    def __new__(cls, data: bytes, info: SoundInfo | None = None) -> OpusPacket:
        packet = super().__new__(cls, data)
        packet.info = info or SoundInfo()
        return packet

    def __reduce__(self) -> Any:
        return OpusPacket, (bytes(self), self.info)


#: What a sound card gives: Samples, or OpusPacket if its format is encoded.
S = TypeVar("S")


class Audio(Subscribable[S], Generic[S]):
    """One sound card. A loop over it gives what the microphone captures from now on, in pieces; a loop that is slow
    loses the oldest, is never more than half a second behind, and `piece.dropped` counts what it lost."""

    def __init__(
        self,
        robot: Robot,
        name: str,
        rate: int = 0,
        channels: int = 0,
        format: str = "f32",
        block: int = 0,
        tap: str = "microphone",
    ) -> None:
        if format not in FORMATS:
            raise InvalidRequest(f"format: {format!r} is not one of {', '.join(FORMATS)}")
        if tap not in _TAPS:
            raise InvalidRequest(f"tap: {tap!r} is not one of {', '.join(_TAPS)}")
        super().__init__()
        self.name, self.format = name, format
        self._robot = robot
        media_type, layout = FORMATS[format]
        form = media_pb2.AudioFormat(media_type=media_type, sample_format=layout)
        if format != "opus":
            form.sample_rate_hz, form.channels = rate, channels
        self._request = audio_pb2.StreamAudioRequest(format=form, block_samples=block, tap=_TAPS[tap])
        self._reading = _reading(robot, name, self._request)

    @property
    def state(self) -> str:
        """"idle" without loops, "connecting", "live", "waiting" while the device is away, "failed"."""
        return self._reading.state

    def pieces(self) -> Loop[Any]:
        """Returns a loop over the sound from now on, with `take(timeout)` and `close()`."""
        return Loop(self._reading, Box[Any](_WAITING, within=_WITHIN), _made)

    def __iter__(self) -> Iterator[S]:
        return self.pieces()

    def __aiter__(self) -> AsyncIterator[S]:
        return self.pieces()

    def record(self, seconds: float) -> Samples:
        """Returns so much of what comes from now on, as one array."""
        if self.format == "opus":
            raise InvalidRequest("format: record returns samples, so it must be f32 or s16")
        parts: list[Samples] = []
        with self.pieces() as pieces:
            while not parts or sum(map(len, parts)) < seconds * parts[0].rate:
                parts.append(pieces.take())
        whole = np.concatenate(parts)[: round(seconds * parts[0].rate)]
        return Samples(whole, replace(parts[0].info, sample_count=len(whole)))

    def play(self, sound: Any, rate: int = 48000) -> float:
        """Plays an array of (samples,) or (samples, channels), float from -1 to 1 or int16, or an iterable of such
        arrays, at the speaker, mixed with others. Returns the seconds played when all of it has been. A sound that is
        made faster than it is played waits. Fails with Unavailable if the device goes away meanwhile."""
        if isinstance(sound, np.ndarray):
            sound = [sound]
        stub = self._robot.stub(self.name, audio_pb2_grpc.AudioServiceStub)
        frames = _Frames(sound, rate, self._robot.name)
        try:
            return stub.PlayAudio(iter(frames)).played.ToMilliseconds() / 1000
        except grpc.RpcError as e:
            if frames.error is not None:
                raise frames.error from None
            raise from_rpc(e, self.name) from None

    def _new_feed(self) -> Feed[Any]:
        return Feed(self._reading, lambda item: _made(item, 0), QueueSubscription)

    def close(self) -> None:
        """Ends all loops over this sound."""
        self._reading.close()

    def __enter__(self) -> Audio[S]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Frames:
    """The requests that play a sound. Grpc asks for them on a thread of its own, and hides what goes wrong there."""

    def __init__(self, sound: Iterable[Any], rate: int, talker: str) -> None:
        if not 8000 <= rate <= 192000:
            raise InvalidRequest(f"rate: {rate} is not from 8000 to 192000 samples a second")
        self._sound, self._rate, self._talker = sound, rate, talker
        self.error: BaseException | None = None

    def __iter__(self) -> Iterator[audio_pb2.PlayAudioRequest]:
        try:
            for array in self._sound:
                data, layout, channels = raw_samples(array)
                form = media_pb2.AudioFormat(
                    media_type="audio/raw", sample_format=layout, sample_rate_hz=self._rate, channels=channels
                )
                size = round(self._rate * _PIECE) * channels * _TYPES[layout].itemsize
                for at in range(0, len(data), size):
                    frame = media_pb2.AudioFrame(format=form, talker=self._talker, data=data[at : at + size])
                    yield audio_pb2.PlayAudioRequest(frame=frame)
        except Exception as e:
            self.error = e
            raise


def raw_samples(array: Any) -> tuple[bytes, str, int]:
    """Returns samples as they travel, with their layout and the number of channels."""
    samples = np.asarray(array)
    if samples.ndim not in (1, 2) or samples.ndim == 2 and samples.shape[1] not in (1, 2):
        raise InvalidRequest(f"sound of the shape {samples.shape}: it must be (samples,) or (samples, 1 or 2 channels)")
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    if samples.dtype == np.int16:
        return samples.astype("<i2").tobytes(), "S16LE", channels
    if samples.dtype.kind == "f":
        return samples.astype("<f4").tobytes(), "F32LE", channels
    raise InvalidRequest(f"sound of the type {samples.dtype}: it must be float from -1 to 1, or int16")


def _reading(robot: Robot, name: str, request: audio_pb2.StreamAudioRequest) -> Reading[Any]:
    before = in_call = 0

    def begin() -> Any:
        nonlocal before, in_call
        before, in_call = before + in_call, 0
        return robot.stub(name, audio_pb2_grpc.AudioServiceStub).StreamAudio(request)

    def convert(step: audio_pb2.StreamAudioResponse) -> Any:
        nonlocal in_call
        in_call = step.dropped_count
        return step.frame, before + in_call

    reading: Reading[Any] = Reading(robot.events, name, "sound", begin, convert)
    robot.adopt(name, reading)
    return reading


def _made(item: Any, lost: int) -> Samples | OpusPacket:
    frame, dropped = item
    form, taken, replayed = frame.format, frame.capture_time, frame.replay_time
    info = SoundInfo(
        frame.epoch,
        frame.sequence,
        taken.seconds + taken.nanos / 1e9,
        form.sample_rate_hz,
        form.channels,
        frame.sample_index,
        frame.sample_count,
        dropped + lost,
        replay_time=replayed.seconds + replayed.nanos / 1e9,
    )
    if form.media_type == "audio/opus":
        return OpusPacket(frame.data, info)
    kind = _TYPES.get(form.sample_format)
    if kind is None or form.channels < 1 or len(frame.data) % (kind.itemsize * form.channels):
        raise WaldoError(f"sound in {form.sample_format!r} with {form.channels} channels cannot be read")
    return Samples(np.frombuffer(frame.data, kind).reshape(-1, form.channels).copy(), info)
