"""LeRobot datasets of recordings."""

from __future__ import annotations

import importlib.util
import json
import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow.parquet as pq
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from mcap.writer import CompressionType, Writer

import waldo
from waldo.control.v1 import control_pb2
from waldo.lerobot import Options, export
from waldo.lerobot.__main__ import main
from waldo.lerobot._recording import COMMANDS, CONTROL, SERIAL, VIDEO, grouped
from waldo.lerobot._values import Series, Stops, numbers
from waldo.media.v1 import media_pb2
from waldo.serial.v1 import serial_pb2

SECOND = 1_000_000_000
BEGIN = 1_796_022_000 * SECOND
WIDTH, HEIGHT = 64, 48
NAME = "2026-11-30T07-00-00.000Z_rover_001.mcap"


def grey(n: int) -> int:
    """How light the n-th picture is."""
    return 16 + n * 7 % 217


def pictures(rate: int, seconds: int) -> Iterator[tuple[int, media_pb2.VideoFrame]]:
    """A camera's pictures, and when they were captured. Every seventh is missing."""
    codec: Any = av.CodecContext.create("libx264", "w")
    codec.width, codec.height, codec.pix_fmt, codec.time_base = WIDTH, HEIGHT, "yuv420p", Fraction(1, rate)
    codec.options = {"bf": "0", "g": "10", "tune": "zerolatency", "crf": "10"}
    for n in range(rate * seconds):
        if n % 7 == 6:
            continue
        picture = av.VideoFrame.from_ndarray(np.full((HEIGHT, WIDTH, 3), grey(n), np.uint8), format="rgb24")
        picture.pts = n
        for packet in codec.encode(picture):
            time = BEGIN + n * SECOND // rate
            yield time, media_pb2.VideoFrame(
                epoch=1, sequence=n, capture_time=Timestamp(seconds=time // SECOND, nanos=time % SECOND),
                key_frame=packet.is_keyframe, data=bytes(packet),
                format=media_pb2.VideoFormat(media_type="video/H264", width_px=WIDTH, height_px=HEIGHT),
            )  # fmt: skip


def state(phase: int, holder: str) -> control_pb2.ControlState:
    return control_pb2.ControlState(phase=phase, holder=holder, safe_json='{"left": 0, "right": 0}')  # type: ignore[arg-type]


def command(left: int, verdict: int = control_pb2.COMMAND_VERDICT_ACCEPTED) -> control_pb2.CommandRecord:
    report = control_pb2.CommandReport(verdict=verdict)  # type: ignore[arg-type]
    return control_pb2.CommandRecord(report=report, message_json=json.dumps({"left": left, "right": -left}))


def record(path: Path, *, driven: bool = True, compression: CompressionType = CompressionType.NONE) -> Path:
    """Records 4 s of a camera, a board and a drive from 1 s to 3 s. The board stands still again from 2.5 s on."""
    items: list[tuple[int, str, str, Any]] = [(t, "video", VIDEO, f) for t, f in pictures(30, 4)]
    for n in range(40):
        time = BEGIN + n * SECOND // 10 + 1
        reading = serial_pb2.SerialMessage(sequence=n, json=json.dumps({"battery": 100 - n, "name": "x"}))
        items.append((time, "rx", SERIAL, reading))
        holder = "anna" if driven and 10 <= n < 30 else ""
        driving = holder and n < 25
        phase = control_pb2.CONTROL_PHASE_DRIVING if driving else control_pb2.CONTROL_PHASE_SAFE
        items.append((time + 1, "control", CONTROL, state(phase, holder)))
        if driving:
            items.append((time + 2, "commands", COMMANDS, command(n)))
            items.append((time + 3, "commands", COMMANDS, command(99, control_pb2.COMMAND_VERDICT_EXPIRED)))
    with path.open("wb") as file:
        writer = Writer(file, compression=compression, chunk_size=20_000)
        writer.start("waldo")
        channels = {}
        for name, of in (("video", VIDEO), ("rx", SERIAL), ("control", CONTROL), ("commands", COMMANDS)):
            device = "front" if name == "video" else "motors"
            metadata = {"waldo.device": device, "waldo.stream": name, "waldo.direction": "out", "waldo.type": of}
            channels[name] = writer.register_channel(f"/{device}/{name}", "protobuf", 0, metadata)
        for time, name, _, message in sorted(items, key=lambda i: i[0]):
            # The recorder appends fields to pictures, which other readers skip.
            data = message.SerializeToString() + (b"\x8a\xb5\x18\x04h264" if name == "video" else b"")
            writer.add_message(channels[name], time + 5_000_000, data, time)
        writer.finish()  # type: ignore[no-untyped-call]
    return path


def rows(root: Path) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = pq.read_table(root / "data/chunk-000/file-000.parquet").to_pydict()
    return found


def greys(path: Path) -> list[float]:
    """How light the pictures of a video are."""
    with av.open(str(path)) as container:
        return [float(f.to_ndarray(format="rgb24").mean()) for f in container.decode(video=0)]


@pytest.mark.parametrize("compression", [CompressionType.NONE, CompressionType.LZ4, CompressionType.ZSTD])
def test_drive(tmp_path: Path, compression: CompressionType) -> None:
    root = tmp_path / "dataset"
    said: list[str] = []
    export([record(tmp_path / NAME, compression=compression)], root, Options(fps=20, task="go", say=said.append))
    info = json.loads((root / "meta/info.json").read_text())
    assert info["codebase_version"] == "v3.0" and info["fps"] == 20
    assert info["total_episodes"] == 1 and info["total_frames"] == 40 and info["splits"] == {"train": "0:1"}
    assert info["features"]["action"]["names"] == ["left", "right"]
    assert info["features"]["observation.state"] == {"dtype": "float32", "shape": [1], "names": ["battery"]}
    assert info["features"]["observation.images.front"]["shape"] == [HEIGHT, WIDTH, 3]
    assert said[-1].endswith("1 episodes, 40 rows at 20 a second")

    data = rows(root)
    assert data["timestamp"] == pytest.approx([n / 20 for n in range(40)])
    assert data["frame_index"] == data["index"] == list(range(40))
    # A command counts until the next one. From 2.5 s on the board stood still; refused commands are no action.
    assert data["action"][1] == [10, -10] and data["action"][2] == [10, -10] and data["action"][3] == [11, -11]
    assert data["action"][29] == [24, -24] and data["action"][35] == [0, 0]
    assert data["observation.state"][0] == 90 and data["observation.state"][39] == 71

    # The newest picture at each time: that before, where one is missing.
    got = greys(root / "videos/observation.images.front/chunk-000/file-000.mp4")
    assert len(got) == 40
    for i, light in enumerate(got):
        n = math.floor((1 + i / 20) * 30 + 1e-6)
        want = grey(n - 1 if n % 7 == 6 else n)
        assert light == pytest.approx(want, abs=3), i


def test_layout(tmp_path: Path) -> None:
    """What a loader looks up: types of columns, statistics in their shapes, tasks by text."""
    root = tmp_path / "dataset"
    export([record(tmp_path / "a.mcap"), record(tmp_path / "b.mcap")], root)
    table = pq.read_table(root / "data/chunk-000/file-000.parquet")
    assert {f.name: str(f.type) for f in table.schema} == {
        "observation.state": "float", "action": "fixed_size_list<element: float>[2]",
        "timestamp": "float", "frame_index": "int64", "episode_index": "int64", "index": "int64", "task_index": "int64",
    }  # fmt: skip
    first, second = pq.read_table(root / "meta/episodes/chunk-000/file-000.parquet").to_pylist()
    assert first["tasks"] == ["drive the robot"] and first["length"] == 60  # 30 pictures a second
    assert (second["dataset_from_index"], second["dataset_to_index"]) == (60, 120)
    video = "videos/observation.images.front/"
    assert second[video + "from_timestamp"] == 2 and second[video + "to_timestamp"] == 4
    assert (second["data/chunk_index"], second["data/file_index"], second[video + "file_index"]) == (0, 0, 0)
    stats = json.loads((root / "meta/stats.json").read_text())
    assert np.shape(stats["observation.images.front"]["mean"]) == (3, 1, 1)
    assert stats["observation.images.front"]["count"] == [120]
    assert stats["action"]["max"] == [24, 0] and stats["action"]["count"] == [120]
    assert set(stats["action"]) == {"min", "max", "mean", "std", "count", "q01", "q10", "q50", "q90", "q99"}
    tasks = pq.read_table(root / "meta/tasks.parquet")
    assert json.loads(tasks.schema.metadata[b"pandas"])["index_columns"] == ["task"]


def test_recordings_as_episodes(tmp_path: Path) -> None:
    root = tmp_path / "dataset"
    export([record(tmp_path / NAME, driven=False)], root, Options(episodes="recordings", fps=10))
    assert json.loads((root / "meta/info.json").read_text())["total_frames"] == 39


@pytest.mark.parametrize(
    ("options", "want"),
    [
        (Options(devices=["rear"]), "there is no 'rear' in the recordings, but front, motors"),
        (Options(), "--episodes recordings"),
        (Options(fps=1000), "fps is 1000"),
    ],
)
def test_refused(tmp_path: Path, options: Options, want: str) -> None:
    path = record(tmp_path / NAME, driven=False)
    with pytest.raises(waldo.WaldoError, match=want):
        export([path], tmp_path / "dataset", options)
    assert list(tmp_path.iterdir()) == [path]


def test_bad_files(tmp_path: Path) -> None:
    whole = record(tmp_path / "whole.mcap").read_bytes()
    for name, data in {
        "empty": b"", "foreign": b"RIFF" * 100, "cut": whole[: len(whole) // 2], "zeros": bytes(1000),
        "damaged": whole[:5000] + b"\xff" * 3000 + whole[8000:],
    }.items():  # fmt: skip
        path = tmp_path / f"{name}.mcap"
        path.write_bytes(data)
        with pytest.raises(waldo.WaldoError, match=name):
            export([path], tmp_path / "dataset")
        assert not (tmp_path / "dataset").exists()


def test_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, root = record(tmp_path / NAME), tmp_path / "dataset"
    assert main([str(path), str(root), "--fps", "10", "--device", "front", "--device", "motors"]) == 0
    assert "wrote" in capsys.readouterr().out
    assert main([str(path), str(root)]) == 1
    assert "is there already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ('{"left": 1, "right": -0.5, "on": true, "name": "x", "none": null}', {"left": 1, "right": -0.5, "on": 1}),
        ('{"imu": {"x": 1, "y": [2, 3]}}', {"imu.x": 1, "imu.y.0": 2, "imu.y.1": 3}),
        ("[4, 5]", {"0": 4, "1": 5}),
        ("6", {"value": 6}),
        ('"text"', {}),
        ('{"x": NaN, "y": Infinity, "z": 1e999}', {}),
        ("{", {}),
        ("[" * 5000, {}),
        ("1" + "0" * 400, {}),
        ("", {}),
    ],
)
def test_numbers(text: str, want: dict[str, float]) -> None:
    assert numbers(text) == want


def test_series() -> None:
    series = Series()
    series.add(10, {"a": 1})
    series.add(30, {"b": 2})
    assert series.at(9) is None
    assert series.at(29) == (10, {"a": 1})
    assert series.names() == ["a", "b"]


def test_drives() -> None:
    stops = Stops()
    for time, holder in ((1, ""), (2, "anna"), (3, "anna"), (4, "bert"), (5, ""), (6, "anna"), (7, "anna")):
        stops.add(time, bool(holder), holder, {})
    assert stops.drives() == [(2, 4), (4, 5), (6, 7)]


def test_grouped() -> None:
    second = Path(NAME.replace("001", "002"))
    names = [paths for _, paths in grouped([second, Path("x.mcap"), Path(NAME)])]
    assert names == [[second, Path(NAME)], [Path("x.mcap")]]


@pytest.mark.skipif(importlib.util.find_spec("lerobot") is None, reason="LeRobot, which is large, is not installed")
def test_loader(tmp_path: Path) -> None:
    """LeRobot's own loader reads the dataset, each row with its picture."""
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    root = tmp_path / "dataset"
    export([record(tmp_path / "a.mcap"), record(tmp_path / "b.mcap")], root, Options(fps=20, task="go"))
    dataset = LeRobotDataset("waldo/test", root=root, video_backend="pyav")
    assert len(dataset) == 80 and dataset.num_episodes == 2
    for i in (0, 1, 39, 40, 79):
        row = dataset[i]
        assert row["task"] == "go" and row["episode_index"] == i // 40
        assert float(row["timestamp"]) == pytest.approx(i % 40 / 20)
        image = row["observation.images.front"]
        assert tuple(image.shape) == (3, HEIGHT, WIDTH)
        n = math.floor((1 + i % 40 / 20) * 30 + 1e-6)
        assert float(image.mean()) * 255 == pytest.approx(grey(n - 1 if n % 7 == 6 else n), abs=3)
    assert dataset[29]["action"].tolist() == [24, -24]
