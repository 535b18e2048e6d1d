"""Writes a dataset in LeRobot's format v3.0."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from waldo.lerobot._pictures import Picture, Writer
from waldo.lerobot._stats import Colours, Stats, of_values

VERSION = "v3.0"
DATA = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
EPISODES = "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
# Files in a folder, and sizes at which the next file begins: LeRobot's defaults.
_CHUNK, _DATA_MB, _VIDEO_MB = 1000, 100, 200

Floats = npt.NDArray[np.float32]


@dataclass
class Camera:
    """The images of one camera."""

    key: str
    width: int
    height: int
    writer: Writer | None = None
    place: Place = field(default_factory=lambda: Place())
    colours: Colours = field(default_factory=Colours)
    path: Path = Path()


@dataclass
class Place:
    """Where a file is among others."""

    chunk: int = 0
    file: int = 0

    def next(self) -> None:
        self.file += 1
        if self.file == _CHUNK:
            self.chunk, self.file = self.chunk + 1, 0

    def path(self, root: Path, template: str, key: str = "") -> Path:
        return root / template.format(video_key=key, chunk_index=self.chunk, file_index=self.file)


class Dataset:
    """A dataset that is being written: episode after episode, with the pictures of one before its rows."""

    def __init__(self, root: Path, fps: int, robot: str, names: dict[str, list[str]], cameras: list[Camera]) -> None:
        self._root, self._fps, self._robot = root, fps, robot
        self._names, self._cameras = names, {c.key: c for c in cameras}
        self._place = Place()
        self._rows: list[pa.Table] = []
        self._bytes = 0
        self._all: dict[str, list[npt.NDArray[Any]]] = {}
        self._episodes: list[dict[str, Any]] = []
        self._tasks: dict[str, int] = {}
        self.frames = 0

    @property
    def episodes(self) -> int:
        return len(self._episodes)

    def images(self, key: str) -> Images:
        """Where the pictures of the next episode go, those of one camera at a time."""
        camera = self._cameras[key]
        if camera.writer and camera.path.stat().st_size > _VIDEO_MB << 20:
            camera.writer.close()
            camera.writer = None
            camera.place.next()
        if camera.writer is None:
            camera.path = camera.place.path(self._root, VIDEO, key)
            camera.writer = Writer(camera.path, camera.width, camera.height, self._fps)
        return Images(camera, self._fps)

    def add(self, length: int, task: str, values: dict[str, Floats], images: list[Images]) -> None:
        """Adds an episode of so many rows."""
        number = len(self._episodes)
        columns: dict[str, npt.NDArray[Any]] = dict(values)
        columns["timestamp"] = (np.arange(length) / self._fps).astype(np.float32)
        columns["frame_index"] = np.arange(length, dtype=np.int64)
        columns["episode_index"] = np.full(length, number, np.int64)
        columns["index"] = np.arange(self.frames, self.frames + length, dtype=np.int64)
        columns["task_index"] = np.full(length, self._tasks.setdefault(task, len(self._tasks)), np.int64)
        table = _table(columns)
        if self._bytes > _DATA_MB << 20:
            self._flush()
            self._place.next()
        self._rows.append(table)
        self._bytes += table.nbytes
        row: dict[str, Any] = {
            "episode_index": number, "tasks": [task], "length": length,
            "data/chunk_index": self._place.chunk, "data/file_index": self._place.file,
            "dataset_from_index": self.frames, "dataset_to_index": self.frames + length,
        }  # fmt: skip
        for one in images:
            row |= one.row()
            _flatten(row, one.camera.key, one.colours.stats())
            one.camera.colours.merge(one.colours)
        for name, column in columns.items():
            shaped = column.reshape(length, -1)
            _flatten(row, name, of_values(shaped))
            self._all.setdefault(name, []).append(shaped)
        row |= {"meta/episodes/chunk_index": 0, "meta/episodes/file_index": 0}
        self._episodes.append(row)
        self.frames += length

    def _flush(self) -> None:
        if not self._rows:
            return
        path = self._place.path(self._root, DATA)
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.concat_tables(self._rows), path, compression="snappy")
        self._rows, self._bytes = [], 0

    def close(self) -> None:
        """Writes the rest: rows, episodes, tasks, statistics and what the dataset is."""
        self._flush()
        for camera in self._cameras.values():
            if camera.writer:
                camera.writer.close()
        path = Place().path(self._root, EPISODES)
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(self._episodes), path, compression="snappy")
        pq.write_table(_tasks(list(self._tasks)), self._root / "meta/tasks.parquet")
        stats = {c.key: c.colours.stats() for c in self._cameras.values()}
        stats |= {name: of_values(np.concatenate(parts)) for name, parts in self._all.items()}
        _write(self._root / "meta/stats.json", stats)
        _write(self._root / "meta/info.json", self._info())

    def _info(self) -> dict[str, Any]:
        features: dict[str, Any] = {}
        for c in self._cameras.values():
            features[c.key] = {
                "dtype": "video", "shape": [c.height, c.width, 3], "names": ["height", "width", "channels"],
                "info": {
                    "video.height": c.height, "video.width": c.width, "video.codec": "h264",
                    "video.pix_fmt": "yuv420p", "video.fps": self._fps, "video.channels": 3,
                    "video.is_depth_map": False, "has_audio": False,
                },
            }  # fmt: skip
        for name, names in self._names.items():
            features[name] = {"dtype": "float32", "shape": [len(names)], "names": names}
        features["timestamp"] = {"dtype": "float32", "shape": [1], "names": None}
        for name in ("frame_index", "episode_index", "index", "task_index"):
            features[name] = {"dtype": "int64", "shape": [1], "names": None}
        return {
            "codebase_version": VERSION, "robot_type": self._robot, "fps": self._fps,
            "total_episodes": len(self._episodes), "total_frames": self.frames, "total_tasks": len(self._tasks),
            "chunks_size": _CHUNK, "data_files_size_in_mb": _DATA_MB, "video_files_size_in_mb": _VIDEO_MB,
            "splits": {"train": f"0:{len(self._episodes)}"},
            "data_path": DATA, "video_path": VIDEO if self._cameras else None, "features": features,
        }  # fmt: skip


class Images:
    """The pictures of one camera in one episode."""

    def __init__(self, camera: Camera, fps: int) -> None:
        assert camera.writer
        self.camera, self.colours = camera, Colours()
        self._writer, self._fps = camera.writer, fps
        self._from = camera.writer.frames
        self._chunk, self._file = camera.place.chunk, camera.place.file

    def write(self, picture: Picture) -> None:
        self._writer.write(picture)
        self.colours.add(picture)

    def row(self) -> dict[str, Any]:
        """Where they are in the files."""
        prefix = f"videos/{self.camera.key}/"
        return {
            prefix + "chunk_index": self._chunk, prefix + "file_index": self._file,
            prefix + "from_timestamp": self._from / self._fps,
            prefix + "to_timestamp": self._writer.frames / self._fps,
        }  # fmt: skip


def _table(columns: dict[str, npt.NDArray[Any]]) -> pa.Table:
    arrays = {}
    for name, column in columns.items():
        if column.ndim == 1 or column.shape[1] == 1:  # LeRobot's loader takes no list for a single value
            arrays[name] = pa.array(column.ravel())
        else:
            arrays[name] = pa.FixedSizeListArray.from_arrays(pa.array(column.ravel()), column.shape[1])
    return pa.table(arrays)


def _tasks(tasks: list[str]) -> pa.Table:
    """Tasks by number. LeRobot looks them up by their text, as the index of a table of pandas."""
    pandas = {
        "index_columns": ["task"], "column_indexes": [],
        "columns": [
            {"name": name, "field_name": name, "pandas_type": kind, "numpy_type": numpy, "metadata": None}
            for name, kind, numpy in (("task_index", "int64", "int64"), ("task", "unicode", "object"))
        ],
    }  # fmt: skip
    table = pa.table({"task_index": pa.array(range(len(tasks)), pa.int64()), "task": pa.array(tasks, pa.string())})
    return table.replace_schema_metadata({"pandas": json.dumps(pandas)})


def _flatten(row: dict[str, Any], name: str, stats: Stats) -> None:
    for statistic, value in stats.items():
        row[f"stats/{name}/{statistic}"] = value


def _write(path: Path, what: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(what, indent=4), encoding="utf-8")
