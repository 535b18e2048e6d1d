"""Robots that run Waldo, from Python.

    import waldo

    robot = waldo.Robot()                          # finds the devices by the bus on this machine
    for frame in robot.camera("front"):            # numpy pictures, the newest first
        print(frame.shape, frame.sequence, frame.age)

Names are imported when they are first used, so that ``import waldo`` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from waldo._version import __version__ as __version__

# Where the public names live, for the import and, below it, for type checkers. A test compares the two.
_MODULES = {
    "background": "ProcessDied process threaded",
    "boards": "Board BoardMessage",
    "cameras": "Camera",
    "drive": "CommandRefused Drive LeaseLost Sight",
    "errors": (
        "Closed ForkError InvalidRequest NotAllowed NotFound Refused Unavailable Unsupported "
        "WaldoError"
    ),
    "events": "Event",
    "frame": "Frame Packet",
    "inputs": "Input InputEvent InputReport",
    "preprocessing": "preprocess",
    "producers": "SubscriptionConsumer SubscriptionProducer SubscriptionProducerConsumer",
    "ordered": "time_ordered",
    "results": "Result Results",
    "publishing": "Publication",
    "robot": "Robot",
    "sound": "Audio OpusPacket Samples",
    "subscriptions": (
        "CallbackSubscription DelayedSubscription EventSubscription GetterSubscription "
        "MostRecentSubscription QueueSubscription RebatchSubscription Subscription "
        "SubscriptionClosed"
    ),
    "topics": "Topic",
    "videostream": "StreamFrame VideoStream",
    "workers": "Worker",
}

if TYPE_CHECKING:
    from waldo.background import ProcessDied as ProcessDied
    from waldo.background import process as process
    from waldo.background import threaded as threaded
    from waldo.boards import Board as Board
    from waldo.boards import BoardMessage as BoardMessage
    from waldo.cameras import Camera as Camera
    from waldo.drive import CommandRefused as CommandRefused
    from waldo.drive import Drive as Drive
    from waldo.drive import LeaseLost as LeaseLost
    from waldo.drive import Sight as Sight
    from waldo.errors import Closed as Closed
    from waldo.errors import ForkError as ForkError
    from waldo.errors import InvalidRequest as InvalidRequest
    from waldo.errors import NotAllowed as NotAllowed
    from waldo.errors import NotFound as NotFound
    from waldo.errors import Refused as Refused
    from waldo.errors import Unavailable as Unavailable
    from waldo.errors import Unsupported as Unsupported
    from waldo.errors import WaldoError as WaldoError
    from waldo.events import Event as Event
    from waldo.frame import Frame as Frame
    from waldo.frame import Packet as Packet
    from waldo.inputs import Input as Input
    from waldo.inputs import InputEvent as InputEvent
    from waldo.inputs import InputReport as InputReport
    from waldo.ordered import time_ordered as time_ordered
    from waldo.preprocessing import preprocess as preprocess
    from waldo.producers import SubscriptionConsumer as SubscriptionConsumer
    from waldo.producers import SubscriptionProducer as SubscriptionProducer
    from waldo.producers import SubscriptionProducerConsumer as SubscriptionProducerConsumer
    from waldo.publishing import Publication as Publication
    from waldo.results import Result as Result
    from waldo.results import Results as Results
    from waldo.robot import Robot as Robot
    from waldo.sound import Audio as Audio
    from waldo.sound import OpusPacket as OpusPacket
    from waldo.sound import Samples as Samples
    from waldo.subscriptions import CallbackSubscription as CallbackSubscription
    from waldo.subscriptions import DelayedSubscription as DelayedSubscription
    from waldo.subscriptions import EventSubscription as EventSubscription
    from waldo.subscriptions import GetterSubscription as GetterSubscription
    from waldo.subscriptions import MostRecentSubscription as MostRecentSubscription
    from waldo.subscriptions import QueueSubscription as QueueSubscription
    from waldo.subscriptions import RebatchSubscription as RebatchSubscription
    from waldo.subscriptions import Subscription as Subscription
    from waldo.subscriptions import SubscriptionClosed as SubscriptionClosed
    from waldo.topics import Topic as Topic
    from waldo.videostream import StreamFrame as StreamFrame
    from waldo.videostream import VideoStream as VideoStream
    from waldo.workers import Worker as Worker

_HOMES = {name: module for module, names in _MODULES.items() for name in names.split()}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'waldo' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"waldo.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
