"""What meta/stats.json tells of a dataset, and meta/episodes of each episode."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

_QUANTILES = {"q01": 0.01, "q10": 0.1, "q50": 0.5, "q90": 0.9, "q99": 0.99}

Stats = dict[str, Any]


def of_values(values: npt.NDArray[Any]) -> Stats:
    """Of numbers: a row for each frame."""
    v = values.astype(np.float64)
    stats: Stats = {"min": v.min(0), "max": v.max(0), "mean": v.mean(0), "std": v.std(0)}
    stats = {name: s.tolist() for name, s in stats.items()}
    stats["count"] = [len(v)]
    return stats | {name: np.quantile(v, q, axis=0).tolist() for name, q in _QUANTILES.items()}


class Colours:
    """Of pictures: how often each value of each colour occurs, in some of their pixels."""

    #: About how many pixels of a picture are looked at.
    PIXELS = 10_000

    def __init__(self) -> None:
        self.counts = np.zeros((3, 256), np.int64)
        self.frames = 0

    def add(self, picture: npt.NDArray[np.uint8]) -> None:
        step = max(int((picture.shape[0] * picture.shape[1] / self.PIXELS) ** 0.5), 1)
        some = picture[::step, ::step]
        for colour in range(3):
            self.counts[colour] += np.bincount(some[:, :, colour].ravel(), minlength=256)
        self.frames += 1

    def merge(self, other: Colours) -> None:
        self.counts += other.counts
        self.frames += other.frames

    def stats(self) -> Stats:
        levels = np.arange(256) / 255
        total = np.maximum(self.counts.sum(1), 1)
        mean = (self.counts * levels).sum(1) / total
        std = np.sqrt(np.maximum((self.counts * levels**2).sum(1) / total - mean**2, 0))
        there = self.counts > 0
        low = np.array([levels[np.argmax(t)] for t in there])
        high = np.array([levels[255 - np.argmax(t[::-1])] for t in there])
        stats: Stats = {"min": low, "max": high, "mean": mean, "std": std}
        shares = np.cumsum(self.counts, 1) / total[:, None]
        for name, q in _QUANTILES.items():
            stats[name] = np.array([levels[np.searchsorted(s, q)] if s[-1] else 0.0 for s in shares])
        # One number for each colour, in the shape of a picture with a single pixel.
        shaped: Stats = {name: [[[float(x)]] for x in s] for name, s in stats.items()}
        shaped["count"] = [self.frames]
        return shaped
