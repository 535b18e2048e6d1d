"""Runs waldo-rtsp-ingest for one network camera: what reads the camera is a process of its own."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

from waldo._restarts import Restarts
from waldo._subscription import log
from waldo.errors import NotFound, WaldoError

PROGRAM: Final = "waldo-rtsp-ingest"
#: How long it may take to serve and to end, in seconds; Waldo's devices are gone within 2.
START_TIMEOUT: Final = 20.0
STOP_TIMEOUT: Final = 3.0
# With what a device ends if an address is taken, and if its configuration cannot work.
_EXIT_ADDRESS, _EXIT_CONFIGURATION = 71, 78
# Longer lines of its log are cut.
_LONGEST_LINE = 8 << 10
_LEVEL = re.compile(r" level=(\w+) msg=(.*)")
# It has no bus, and says so.
_NO_BUS = "the bus is not reachable"
# Becomes the program, after it has asked Linux for a SIGTERM when the thread that started it ends, however it does. A
# device obeys that within 2 s, and says goodbye to the camera.
_TETHER = (
    "import ctypes,os,sys;ctypes.CDLL(None).prctl(1,15);"
    "os.getppid()==int(sys.argv[1]) or os._exit(1);os.execv(sys.argv[2],sys.argv[2:])"
)


def find_program() -> str:
    """Returns where the program is: in WALDO_BIN, or else in PATH."""
    folder = os.environ.get("WALDO_BIN")
    found = shutil.which(PROGRAM, path=folder) if folder else shutil.which(PROGRAM)
    if found is None:
        where = f"in WALDO_BIN ({folder})" if folder else "in PATH: set WALDO_BIN to the folder with Waldo's programs"
        raise NotFound(f"{PROGRAM}, which reads network cameras, is not {where}")
    return os.path.abspath(found)


class Ingest:
    """Keeps the program running until `stop`. Settings are the keys of its README; url, passwords and the token that
    keeps others on this machine away travel in its environment, which only the same user can read.

    `died` is called, on a thread of its own, whenever the program has ended by itself: with None if it is started
    again, with the error if that is in vain."""

    def __init__(self, name: str, settings: Mapping[str, object], died: Callable[[WaldoError | None], None]) -> None:
        self._name, self._died = name, died
        self._program = find_program()
        self.token = secrets.token_hex(16)
        self.address = _free_address()
        #: How often the program was started again.
        self.restarts = 0
        # Nobody listens at the address of the bus, and nobody else can: it is bound as long as the program runs.
        self._nobody = socket.socket()
        self._nobody.bind(("127.0.0.1", 0))
        self._settings = {_variable(key): _text(value) for key, value in settings.items()}
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep, name=f"waldo-ingest-{name}", daemon=True)

    def start(self) -> None:
        """Checks the settings, which takes some hundredths of a second, and starts the program. ValueError says what is
        wrong with them."""
        checked = subprocess.run(
            [self._program, "--check"], env=self._environment(), stdin=subprocess.DEVNULL, capture_output=True
        )
        if checked.returncode != 0:
            self._nobody.close()
            said = checked.stderr.decode(errors="replace").strip()
            raise ValueError(said or f"{PROGRAM} --check ended with {_how(checked.returncode)}")
        self._thread.start()

    def wait(self) -> None:
        """Waits until the program serves, some hundredths of a second."""
        host, _, port = self.address.rpartition(":")
        deadline = time.monotonic() + START_TIMEOUT
        while self._thread.is_alive() and time.monotonic() < deadline:
            try:
                socket.create_connection((host, int(port)), 1.0).close()
                return
            except OSError:
                self._ending.wait(0.01)
        raise WaldoError(f"{self._name}: {PROGRAM} does not serve at {self.address}: see the logger waldo")

    def stop(self) -> None:
        """Ends the program, and returns when it is gone."""
        self._ending.set()
        with self._lock:
            if self._process is not None:
                self._process.terminate()
        if not self._thread.is_alive():
            self._nobody.close()
        elif threading.current_thread() is not self._thread:
            self._thread.join(STOP_TIMEOUT)
            if self._thread.is_alive() and self._process is not None:
                self._process.kill()
                self._thread.join()

    def _keep(self) -> None:
        """Starts the program, again and again. The thread that starts it lives as long as the program."""
        restarts = Restarts()
        try:
            while (process := self._begin()) is not None:
                restarts.began()
                last = self._listen(process)
                code = process.wait()
                if self._ending.is_set():
                    return
                if code == _EXIT_CONFIGURATION:
                    self._died(WaldoError(f"{self._name}: {PROGRAM} cannot start: {last}"))
                    return
                if code == _EXIT_ADDRESS:
                    self.address = _free_address()
                self._died(None)
                pause = restarts.pause()
                log.warning("%s: %s ended with %s; starting it again in %s s", self._name, PROGRAM, _how(code), pause)
                self._ending.wait(pause)
                self.restarts += 1
        except OSError as e:
            self._died(WaldoError(f"{self._name}: {PROGRAM} cannot be started: {e}"))
        finally:
            self._nobody.close()

    def _begin(self) -> subprocess.Popen[bytes] | None:
        """Starts the program; None if it is to end."""
        with self._lock:
            if self._ending.is_set():
                return None
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _TETHER, str(os.getpid()), self._program],
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is for this program, which then ends that one
            )
            return self._process

    def _environment(self) -> dict[str, str]:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("WALDO_")}
        return {
            **environment,
            **self._settings,
            "WALDO_ROBOT": "video-stream",
            "WALDO_DEVICE": self._name,
            "WALDO_GRPC": self.address,
            "WALDO_TOKEN": self.token,
            "WALDO_NATS": f"nats://127.0.0.1:{self._nobody.getsockname()[1]}",
        }

    def _listen(self, process: subprocess.Popen[bytes]) -> str:
        """Passes on what the program logs, until it ends; returns the last line."""
        last = ""
        assert process.stderr is not None
        with process.stderr:
            while line := process.stderr.readline(_LONGEST_LINE):
                last = line.decode(errors="replace").strip() or last
                if _NO_BUS in last:
                    continue
                found = _LEVEL.search(last)
                level = {"WARN": 30, "ERROR": 40}.get(found.group(1), 10) if found else 10
                log.log(level, "%s: %s", self._name, found.group(2) if found else last)
        return last


def _free_address() -> str:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{s.getsockname()[1]}"


def _variable(key: str) -> str:
    """Returns the environment variable of a key: reconnectDelay is WALDO_RECONNECT_DELAY."""
    return "WALDO_" + re.sub("([A-Z])", r"_\1", key).upper()


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _how(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"status {code}"
