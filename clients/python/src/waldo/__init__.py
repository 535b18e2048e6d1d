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

from waldo._version import __version__

if TYPE_CHECKING:
    from waldo.cameras import Camera
    from waldo.errors import (
        Closed,
        ForkError,
        InvalidRequest,
        NotAllowed,
        NotFound,
        Unavailable,
        Unsupported,
        WaldoError,
    )
    from waldo.events import Event
    from waldo.frame import Frame, Packet
    from waldo.producers import SubscriptionConsumer, SubscriptionProducer, SubscriptionProducerConsumer
    from waldo.robot import Robot
    from waldo.subscriptions import (
        CallbackSubscription,
        DelayedSubscription,
        EventSubscription,
        GetterSubscription,
        MostRecentSubscription,
        QueueSubscription,
        RebatchSubscription,
        Subscription,
        SubscriptionClosed,
    )

# Where each public name lives.
_HOMES = {
    "CallbackSubscription": "subscriptions",
    "Camera": "cameras",
    "Closed": "errors",
    "DelayedSubscription": "subscriptions",
    "Event": "events",
    "EventSubscription": "subscriptions",
    "ForkError": "errors",
    "Frame": "frame",
    "GetterSubscription": "subscriptions",
    "InvalidRequest": "errors",
    "MostRecentSubscription": "subscriptions",
    "NotAllowed": "errors",
    "NotFound": "errors",
    "Packet": "frame",
    "QueueSubscription": "subscriptions",
    "RebatchSubscription": "subscriptions",
    "Robot": "robot",
    "Subscription": "subscriptions",
    "SubscriptionClosed": "subscriptions",
    "SubscriptionConsumer": "producers",
    "SubscriptionProducer": "producers",
    "SubscriptionProducerConsumer": "producers",
    "Unavailable": "errors",
    "Unsupported": "errors",
    "WaldoError": "errors",
}

__all__ = [
    "CallbackSubscription",
    "Camera",
    "Closed",
    "DelayedSubscription",
    "Event",
    "EventSubscription",
    "ForkError",
    "Frame",
    "GetterSubscription",
    "InvalidRequest",
    "MostRecentSubscription",
    "NotAllowed",
    "NotFound",
    "Packet",
    "QueueSubscription",
    "RebatchSubscription",
    "Robot",
    "Subscription",
    "SubscriptionClosed",
    "SubscriptionConsumer",
    "SubscriptionProducer",
    "SubscriptionProducerConsumer",
    "Unavailable",
    "Unsupported",
    "WaldoError",
    "__version__",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'waldo' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"waldo.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
