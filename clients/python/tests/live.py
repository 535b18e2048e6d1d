"""Runs Waldo's real programs for the tests: those of WALDO_BIN, or of bin/ at the top of the repository."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import waldo

T = TypeVar("T")

#: Longer than anything takes that works, on a machine that is busy.
SOON = 60.0


def program(name: str) -> str:
    path = Path(os.environ.get("WALDO_BIN") or Path(__file__).parents[3] / "bin") / name
    assert path.exists(), f"{path} is not there: run `make build`, or set WALDO_BIN"
    return str(path)


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port: int = s.getsockname()[1]
        return port


def until(what: str, get: Callable[[], T]) -> T:
    """Returns the first thing that get returns which is true; what is not there yet is waited for."""
    deadline = time.monotonic() + SOON
    while True:
        with contextlib.suppress(waldo.Unavailable):
            found = get()
            if found:
                return found
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.01)


def _environment() -> dict[str, str]:
    """Returns the environment without what robots take from it."""
    return {name: value for name, value in os.environ.items() if not name.startswith("WALDO_")}


class Process:
    """A program that runs until the test ends it."""

    def __init__(self, folder: Path, name: str, *args: str, env: dict[str, str]) -> None:
        self.log = folder / f"{name}-{time.monotonic_ns()}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [program(name), *args],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**_environment(), "XDG_STATE_HOME": str(folder), **env},
            )

    def kill(self) -> None:
        """Ends it as a crash would."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """Ends it as Ctrl-C would."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(SOON)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def says(self, text: str) -> str:
        """Returns what it has printed, once the text is in it."""

        def printed() -> str:
            assert self.process.poll() is None, f"it has ended:\n{self.log.read_text()}"
            out = self.log.read_text()
            return out if text in out else ""

        return until(f"{text!r} in {self.log}", printed)


class Place:
    """A folder, and the programs that run there until `close`."""

    def __init__(self, folder: Path, token: str = "") -> None:
        self.folder, self.token = folder, token
        self.port = free_port()
        self.nats = f"nats://127.0.0.1:{self.port}"
        self.programs: list[Process] = []

    def start(self, name: str, *args: str) -> Process:
        started = Process(self.folder, name, *args, env={"WALDO_TOKEN": self.token})
        self.programs.append(started)
        return started

    def bus(self) -> Process:
        """Runs a bus alone."""
        bus = self.start("waldo", "bus", "--listen", f"127.0.0.1:{self.port}")
        bus.says("nats://")
        return bus

    def device(self, kind: str, name: str, *args: str, robot: str = "rover") -> Process:
        """Runs one device."""
        return self.start(f"waldo-{kind}", "--robot", robot, "--device", name, "--nats", self.nats, *args)

    def up(self, devices: str) -> Process:
        """Runs a robot; each line of devices is one in robot.yaml."""
        lines = "".join(
            "  " + line.strip().replace("{", '{grpc: "127.0.0.1:0", ', 1) + "\n"
            for line in devices.strip().splitlines()
        )
        file = self.folder / "robot.yaml"
        file.write_text(
            f"robot: rover\nnats: {{listen: '127.0.0.1:{self.port}'}}\ndevices:\n{lines}"
            f"gateway: {{http: '127.0.0.1:{free_port()}', ice: '127.0.0.1:{free_port()}'}}\n"
        )
        return self.start("waldo", "up", str(file))

    def robot(self, address: str = "", **options: object) -> waldo.Robot:
        """Connects to what runs here."""
        settings: dict[str, object] = {"token": self.token, "timeout": SOON, **options}
        return waldo.Robot(address or self.nats, **settings)  # type: ignore[arg-type]

    def crash(self, robot: waldo.Robot, device: str) -> None:
        """Kills the process of a device."""
        os.kill(robot.device(device).pid, signal.SIGKILL)

    def close(self) -> None:
        for running in reversed(self.programs):
            running.stop()


class Heard:
    """The events of a robot."""

    def __init__(self, robot: waldo.Robot) -> None:
        self.events: list[waldo.Event] = []
        robot.on_event(self.events.append)

    def wait(self, source: str, kind: str) -> waldo.Event:
        """Returns the first event of that kind, and forgets it and those before it."""

        def find() -> waldo.Event | None:
            for i, e in enumerate(self.events):
                if (e.source, e.kind) == (source, kind):
                    del self.events[: i + 1]
                    return e
            return None

        found = until(f"{kind} of {source}", find)
        assert found is not None
        return found
