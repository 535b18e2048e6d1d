"""Producers and consumers of one's own that run in a thread or in a process, written as one function.

A function that yields is a producer; one that takes an argument gets an iterator of what is put into it; one that does
both is both::

    def camera():                                   # a producer
        device = cv2.VideoCapture(0)
        while True:
            yield device.read()[1]

    def blur(frames):                               # both
        for frame in frames:
            yield cv2.blur(frame, (9, 9))

    def show(frames):                               # a consumer
        for frame in frames:
            cv2.imshow("robot", frame)
            cv2.waitKey(1)

    pictures = waldo.threaded(camera)               # it begins at once
    blurred = waldo.process(blur)                   # the same in a process of its own
    blurred.putSubscription(pictures)
    blurred.subscribe(callback)                     # or: for frame in blurred; or: await blurred.get()

What they return is a :class:`~waldo.producers.SubscriptionProducerConsumer`. Other arguments: ``functools.partial``.

**What waits.** By default only the newest input waits for the function, and only the newest output for a reader:
``inputs=`` and ``outputs=`` take other kinds of subscriptions, for example
``functools.partial(waldo.QueueSubscription, 50)``. Nothing else stores anything, so a slow process costs no memory.

**Ready** is a function that has asked for its first input or made its first output.

**The end.** ``close()`` ends the loop over the inputs, and closes the generator at its next ``yield``, so what stands
in a ``finally`` runs. On a thread ``close`` waits for that up to a second; on an event loop, await it. A thread that
does not end then is left behind; a process is killed. Programs close all of them when they end.

**Faults.** When the function raises, that is the ``error``; everything is closed, and readers get SubscriptionClosed
from it. When the function returns, it is closed without one. A process that dies (killed, out of memory, crashed in a
library) is started again, after 0.1 s and up to 5 s if it dies soon and often; readers stay, ``ready`` is false
meanwhile, ``restarts`` counts, and the logger "waldo" tells. With ``restart=False`` that is an error, too.

**Processes** are spawned, so the function has to be one of a module (not a lambda or a local one), and the main part of
a program must be below ``if __name__ == "__main__":``. What is put in and out must be picklable; contiguous numpy
arrays travel without being pickled. The process ends with its parent, even if that is killed.
"""

from __future__ import annotations

import atexit
import inspect
import multiprocessing
import pickle
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from multiprocessing import connection
from typing import Any, Final

from waldo import _child
from waldo._restarts import Restarts
from waldo._subscription import Empty, Sparingly, Subscription, SubscriptionClosed, log, running_loop
from waldo.errors import WaldoError
from waldo.producers import SubscriptionProducerConsumer
from waldo.subscriptions import EventSubscription, MostRecentSubscription

__all__ = ["Background", "ProcessDied", "process", "threaded"]

#: How long a function may take to end before it is left behind or killed, in seconds.
JOIN_TIMEOUT: Final = 1.0


class ProcessDied(WaldoError):
    """The process of a function ended without saying why."""


def threaded(
    function: Callable[..., Any],
    *,
    inputs: Callable[[], Subscription[Any]] = MostRecentSubscription,
    outputs: Callable[[], Subscription[Any]] = MostRecentSubscription,
) -> Background:
    """Runs a function as a producer, a consumer or both, in a thread: see waldo.background."""
    return _Threaded(function, inputs, outputs)


def process(
    function: Callable[..., Any],
    *,
    inputs: Callable[[], Subscription[Any]] = MostRecentSubscription,
    outputs: Callable[[], Subscription[Any]] = MostRecentSubscription,
    restart: bool = True,
) -> Background:
    """Runs a function as a producer, a consumer or both, in a process of its own: see waldo.background."""
    return _Process(function, inputs, outputs, restart)


def _takes_inputs(function: Callable[..., Any]) -> bool:
    """Says whether a function takes the inputs: whether it has a parameter without a default."""
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"{function!r} is async: pass a plain function or generator")
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError) as e:
        raise TypeError(f"{function!r} cannot be run: {e}") from None
    needed = [p for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if len(needed) > 1 or any(p.kind is p.KEYWORD_ONLY for p in needed):
        names = ", ".join(p.name for p in needed)
        raise TypeError(f"{function!r} needs {names}: it can take only the inputs; give others by functools.partial")
    return bool(needed)


class Background(SubscriptionProducerConsumer[Any, Any]):
    """A function that runs beside the program."""

    def __init__(
        self,
        function: Callable[..., Any],
        inputs: Callable[[], Subscription[Any]],
        outputs: Callable[[], Subscription[Any]],
    ) -> None:
        super().__init__(inputs, outputs)
        self._function = function
        self._takes_inputs = _takes_inputs(function)
        self._name = getattr(function, "__name__", type(function).__name__)
        self._workers: list[threading.Thread] = []
        #: How often its process was started again.
        self.restarts = 0

    def put_nowait(self, element: Any) -> None:
        self._check_inputs()
        super().put_nowait(element)

    def putSubscription(self, subscription: Any) -> None:
        self._check_inputs()
        super().putSubscription(subscription)

    def close(self) -> EventSubscription[None]:
        ended = self._begin_close()
        if running_loop() is None and threading.current_thread() not in self._workers:
            try:
                ended.take(2.5 * JOIN_TIMEOUT)
            except TimeoutError:
                log.warning("%s has not ended within %s s, and is left behind", self._name, 2.5 * JOIN_TIMEOUT)
        return ended

    def _begin_close(self) -> EventSubscription[None]:
        return super().close()

    def _check_inputs(self) -> None:
        if not self._takes_inputs:
            raise TypeError(f"{self._name} takes no inputs: give it a parameter that it loops over")

    def _stop(self) -> None:
        """The worker says when it has finished."""

    def _start(self, work: Callable[[], None], what: str) -> None:
        thread = threading.Thread(target=work, name=f"waldo-{self._name}{what}", daemon=True)
        self._workers.append(thread)
        _all.add(self)
        thread.start()


class _Threaded(Background):
    """A function in a thread."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._start(self._work, "")

    def _work(self) -> None:
        try:
            made = self._function(self._inputs_ready()) if self._takes_inputs else self._function()
            if isinstance(made, Iterable):
                self._make(made)
        except Exception as fault:
            if self._closed:
                log.warning("%s raised while it was ending", self._name, exc_info=True)
            self._setError(fault)
        finally:
            self.close()
            self._finished()

    def _make(self, made: Iterable[Any]) -> None:
        try:
            for element in made:
                self._setReady(True)
                if self._closed:
                    return
                self._put_nowait(element)
        finally:
            if hasattr(made, "close"):
                made.close()

    def _inputs_ready(self) -> Iterator[Any]:
        self._setReady(True)
        yield from self._inputs


class _Remote(Exception):
    """Where the exception was raised in the other process."""

    def __str__(self) -> str:
        return "\n" + str(self.args[0])


class _Process(Background):
    """A function in a process. One thread reads what the process says, and starts it again; another one feeds it."""

    def __init__(
        self,
        function: Callable[..., Any],
        inputs: Callable[[], Subscription[Any]],
        outputs: Callable[[], Subscription[Any]],
        restart: bool,
    ) -> None:
        super().__init__(function, inputs, outputs)
        self._restart = restart
        try:
            self._payload = pickle.dumps((function, self._takes_inputs))
        except Exception as e:
            raise TypeError(
                f"{self._name} cannot be sent to another process: {e}. Define it at the top level of a module"
            ) from None
        self._wake, self._ending = threading.Event(), threading.Event()
        self._life = self._spawn()  # here, so that an unguarded main part fails in the child at once
        self._start(self._supervise, "")
        self._start(self._feed, "-feed")

    def _spawn(self) -> _Life:
        return _Life(self._payload, self._name)

    def _stop(self) -> None:
        self._wake.set()
        self._ending.set()
        try:
            self._start(self._reap, "-reap")
        except RuntimeError:  # the interpreter is about to end, and starts no threads
            self._reap()

    def _reap(self) -> None:
        """Ends a process that does not end by itself."""
        life = self._life
        for end in (life.process.terminate, life.process.kill):
            if connection.wait([life.process.sentinel], JOIN_TIMEOUT):
                return
            log.warning("the process of %s has not ended within %s s: ending it", self._name, JOIN_TIMEOUT)
            end()

    def _supervise(self) -> None:
        restarts = Restarts()
        try:
            while True:
                fault = self._follow(self._life)
                if self._closed or fault is None:
                    return
                if not isinstance(fault, ProcessDied) or not self._life.loaded or not self._restart:
                    self._setError(fault)
                    return
                self._setReady(False)
                pause = restarts.pause()
                log.warning("%s: starting it again in %s s", fault, pause)
                if not self._again(pause):
                    return
                restarts.began()
        except Exception as fault:
            self._setError(fault)
        finally:
            self.close()
            self._wake.set()
            self._life.end()
            self._finished()

    def _again(self, pause: float) -> bool:
        """Starts the process again after a pause; false if it is not wanted any more."""
        self._ending.wait(pause)
        self._life.end()
        if self._closed:
            return False
        self._life = self._spawn()
        self.restarts += 1
        self._wake.set()
        if self._closed:  # meanwhile, and then nobody else ends this one
            self._life.process.kill()
        return True

    def _follow(self, life: _Life) -> Exception | None:
        """Takes what a process says until it ends; returns why, or None if the function has returned."""
        while True:
            try:
                kind, element = _child.receive(life.link)
            except (EOFError, OSError):
                return life.died()
            if kind == _child.LOADED:
                life.loaded = True
            elif kind == _child.READY:
                self._setReady(True)
            elif kind == _child.ASK:
                life.asked = True
                self._wake.set()
            elif kind == _child.OUTPUT:
                self._output(element)
            elif kind == _child.ENDED:
                return None
            elif kind == _child.UNLOADABLE:
                return TypeError(f"{self._name} cannot be loaded in another process:\n{element()}")
            elif kind == _child.RAISED:
                return _raised(*element())

    def _output(self, element: Callable[[], Any]) -> None:
        try:
            made = element()
        except Exception:
            self._faults.log("an output of %s cannot be unpickled", self._name)
        else:
            self._put_nowait(made)

    def _feed(self) -> None:
        """Answers what the process asks, one input at a time."""
        faults = Sparingly()
        while not self._closed:
            self._wake.clear()
            life = self._life
            # Sources are only asked while the process waits for an answer.
            unwatch = self._inputs._watch(self._wake.set) if life.asked else None
            try:
                if life.asked and not self._closed:
                    element = self._inputs._poll()
                    if not isinstance(element, Empty):
                        self._answer(life, element)
                        continue
                self._wake.wait()
            except SubscriptionClosed:
                break
            except Exception:
                faults.log("an input of %s cannot be pickled, and is left out", self._name)
            finally:
                if unwatch is not None:
                    unwatch()
        self._life.send(_child.STOP)

    @staticmethod
    def _answer(life: _Life, element: Any) -> None:
        life.asked = False  # before it is sent, since the process may ask again at once
        try:
            life.send(_child.INPUT, element)
        except Exception:
            life.asked = True
            raise


def _raised(portable: bytes | None, text: str) -> Exception:
    """Returns the exception that was raised in another process."""
    fault: Exception = RuntimeError(text.strip().splitlines()[-1])
    if portable is not None:
        try:
            fault = pickle.loads(portable)
        except Exception:
            log.debug("an exception cannot be unpickled", exc_info=True)
    fault.__cause__ = _Remote(text)
    return fault


class _Life:
    """One run of a process."""

    def __init__(self, payload: bytes, name: str) -> None:
        context = multiprocessing.get_context("spawn")
        self.link, theirs = context.Pipe()
        self._name = name
        self._sending = threading.Lock()
        self.asked = self.loaded = False
        self.process = context.Process(target=_child.main, args=(theirs, payload), name=f"waldo-{name}", daemon=True)
        try:
            self.process.start()
        except BaseException:
            self.link.close()
            raise
        finally:
            theirs.close()

    def send(self, kind: int, element: Any = None) -> None:
        """Sends a message; a process that is gone loses it."""
        with self._sending:
            try:
                _child.send(self.link, kind, element)
            except OSError:
                pass

    def died(self) -> ProcessDied:
        """Says how the process ended, whose end of the pipe is closed."""
        self.process.join(JOIN_TIMEOUT)
        code = self.process.exitcode
        how = f"signal {-code}" if code is not None and code < 0 else f"status {code}"
        text = f"the process of {self._name} died with {how}"
        if not self.loaded:
            text += (
                ' before it could begin. Is the main part of the program below if __name__ == "__main__":, and the '
                "function in a module that can be imported?"
            )
        return ProcessDied(text)

    def end(self) -> None:
        """Waits for the process, and kills it if it has not ended."""
        self.process.join(JOIN_TIMEOUT)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()
        with self._sending:
            self.link.close()


_all: weakref.WeakSet[Background] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    """Ends what still runs when the program ends."""
    ends = [background._begin_close() for background in list(_all)]
    deadline = time.monotonic() + 2.5 * JOIN_TIMEOUT
    for ended in ends:
        try:
            ended.take(max(0.0, deadline - time.monotonic()))
        except (TimeoutError, SubscriptionClosed):
            pass
