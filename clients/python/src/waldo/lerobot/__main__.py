"""The program ``python -m waldo.lerobot``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code of the program."""
    a = _arguments().parse_args(argv)
    try:
        import waldo
        from waldo.lerobot import Options, export
    except ImportError as e:
        print(f"waldo.lerobot: {e}: pip install av mcap pyarrow", file=sys.stderr)
        return 1
    options = Options(
        devices=a.device,
        fps=a.fps,
        episodes=a.episodes,
        task=a.task,
        robot=a.robot_type,
        say=lambda text: print(text, flush=True),
    )
    try:
        export(a.recordings, a.output, options)
    except (waldo.WaldoError, OSError) as e:
        print(f"waldo.lerobot: {e}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("waldo.lerobot: stopped, and nothing was written", file=sys.stderr)
        return 130
    return 0


def _arguments() -> argparse.ArgumentParser:
    what = "Writes a LeRobot dataset (format v3.0) of recordings."
    p = argparse.ArgumentParser(prog="python -m waldo.lerobot", description=what)
    p.add_argument("recordings", metavar="RECORDING", nargs="+", type=Path, help="MCAP files of one or more recordings")
    p.add_argument("output", metavar="OUTPUT", type=Path, help="the folder of the dataset, which must not be there yet")
    p.add_argument("--device", action="append", default=[], help="only this device; may be repeated; default: all")
    p.add_argument(
        "--fps", type=int, default=0, help="rows a second; default: as the pictures of the first camera come"
    )
    p.add_argument(
        "--episodes", choices=("drives", "recordings"), default="drives", help="what an episode is; default: drives"
    )
    p.add_argument("--task", default="drive the robot", help="what was to be done; default: drive the robot")
    p.add_argument("--robot-type", default="waldo", help="kind of the robot; default: waldo")
    return p


if __name__ == "__main__":
    sys.exit(main())
