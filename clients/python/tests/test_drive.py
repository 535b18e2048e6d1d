"""Driving, with the simulated rover."""

from __future__ import annotations

import threading

import pytest

import waldo
from tests.live import Heard, Place, until
from waldo.control.v1 import control_pb2, control_service_pb2, control_service_pb2_grpc


def control(robot: waldo.Robot) -> control_pb2.ControlState:
    stub = robot.stub("motors", control_service_pb2_grpc.ControlServiceStub)
    state: control_pb2.ControlState = stub.GetControl(control_service_pb2.GetControlRequest()).state
    return state


def moves(robot: waldo.Robot, drive: waldo.Drive, left: int, right: int) -> None:
    """Drives until the board says that it does."""
    with robot.serial("motors").messages() as messages:

        def driven() -> bool:
            drive.send(left=left, right=right)
            m = messages.take()
            return bool((m["left"], m["right"]) == (left, right))

        until("the rover drives", driven)


def stands(robot: waldo.Robot) -> None:
    with robot.serial("motors").messages() as messages:
        until("the rover stands", lambda: (m := messages.take())["left"] == m["right"] == 0)


def test_a_rover_drives_and_stands_when_the_block_is_left(rover: Place) -> None:
    with rover.robot(name="test") as robot:
        with robot.drive("motors") as d:
            assert (d.held, d.neutral) == (True, {"left": 0, "right": 0})
            assert control(robot).holder == "test"
            moves(robot, d, 100, 90)
        assert control(robot).phase == control_pb2.CONTROL_PHASE_FREE
        stands(robot)
        assert not d.held
        with pytest.raises(waldo.LeaseLost, match="not held"):
            d.send(left=1, right=1)


def test_an_error_in_the_block_stops_the_rover(rover: Place) -> None:
    with rover.robot() as robot:
        with pytest.raises(ZeroDivisionError), robot.drive("motors") as d:
            moves(robot, d, 50, 50)
            raise ZeroDivisionError
        assert control(robot).cause == control_pb2.SAFE_CAUSE_LEASE_RELEASED
        stands(robot)


def test_closing_the_robot_stops_the_rover(rover: Place) -> None:
    robot = rover.robot()
    d = robot.drive("motors").__enter__()
    moves(robot, d, 50, 50)
    robot.close()
    with rover.robot() as other:
        assert control(other).phase == control_pb2.CONTROL_PHASE_FREE
        stands(other)


def test_a_program_that_sends_nothing_stands_and_keeps_the_lease(rover: Place) -> None:
    with rover.robot() as robot, robot.drive("motors") as d:
        moves(robot, d, 80, 80)
        until("the deadman", lambda: control(robot).cause == control_pb2.SAFE_CAUSE_DEADMAN)
        stands(robot)
        begin = control(robot)
        longer = begin.clock.ToNanoseconds() + 1_500_000_000
        until("more than the life of a lease", lambda: control(robot).clock.ToNanoseconds() > longer)
        assert control(robot).holder_since == begin.holder_since
        moves(robot, d, 70, 70)


class _Seen:
    """A lock that tells that somebody waits for it."""

    def __init__(self) -> None:
        self.lock, self.waiting = threading.Lock(), threading.Event()

    def __enter__(self) -> None:
        self.waiting.set()
        self.lock.acquire()

    def __exit__(self, *_: object) -> None:
        self.lock.release()


def test_a_command_that_had_to_wait_is_not_sent_late(rover: Place) -> None:
    with rover.robot() as robot, robot.drive("motors") as d:
        seen, refused = _Seen(), []
        d._sending = seen  # type: ignore[assignment]

        def send() -> None:
            try:
                d.send(left=90, right=90)
            except waldo.CommandRefused as e:
                refused.append(e.verdict)

        with seen.lock:  # as if another command took long
            sending = threading.Thread(target=send)
            sending.start()
            seen.waiting.wait()
            later = control(robot).clock.ToNanoseconds() + 1_200_000_000
            until("more than the longest life of a command", lambda: control(robot).clock.ToNanoseconds() > later)
        sending.join()
        assert refused == ["EXPIRED"]
        stands(robot)
        d.stop()
        moves(robot, d, 30, 30)


def test_send_for(rover: Place) -> None:
    with rover.robot() as robot, robot.serial("motors").messages() as messages, robot.drive("motors") as d:
        driven = threading.Event()

        def watch() -> None:
            until("it drives", lambda: messages.take()["left"] == 60)
            driven.set()

        watching = threading.Thread(target=watch)
        watching.start()
        d.send_for(0.5, left=60, right=60)
        watching.join()
        assert driven.is_set()
        stands(robot)


def test_two_want_to_drive(rover: Place) -> None:
    with rover.robot(name="first") as one, rover.robot(name="second") as other:
        with one.drive("motors") as d:
            with pytest.raises(waldo.Refused, match="first"), other.drive("motors"):
                pass
            assert d.held
            with other.drive("motors", take=True) as taken:
                moves(other, taken, 40, 40)
                with pytest.raises(waldo.LeaseLost, match="lost"):
                    d.send(left=1, right=1)
                assert not d.held
            d.acquire()
            moves(one, d, 30, 30)


def test_an_e_stop(rover: Place) -> None:
    with rover.robot() as robot, robot.drive("motors") as d:
        d.estop("test")
        with pytest.raises(waldo.CommandRefused, match="e-stop") as refused:
            d.send(left=10, right=10)
        assert refused.value.verdict == "E_STOPPED"
        stub = robot.stub("motors", control_service_pb2_grpc.ControlServiceStub)
        stub.ClearEStop(control_service_pb2.ClearEStopRequest(by="test", id=control(robot).e_stop.id))
        until("it wants a neutral command", lambda: _verdict(d) == "NOT_NEUTRAL")
        d.stop()
        moves(robot, d, 20, 20)


def _acquired(d: waldo.Drive) -> bool:
    d.acquire()
    return d.held


def _verdict(d: waldo.Drive) -> str:
    with pytest.raises(waldo.CommandRefused) as refused:
        d.send(left=10, right=10)
    return refused.value.verdict


def test_a_board_that_crashes_is_driven_again_only_with_a_new_lease(rover: Place) -> None:
    with rover.robot() as robot, robot.drive("motors") as d:
        heard = Heard(robot)
        moves(robot, d, 20, 20)
        rover.crash(robot, "motors")
        heard.wait("motors", "restarted")

        def lost() -> bool:
            try:
                d.send(left=20, right=20)
            except waldo.LeaseLost:
                return True
            except waldo.WaldoError:
                pass  # it is not back yet
            return False

        until("the lease is lost", lost)
        stands(robot)
        until("a new lease", lambda: _acquired(d))
        moves(robot, d, 20, 20)


@pytest.mark.parametrize(
    ("values", "text"),
    [({"left": 1}, "right"), ({"left": 1, "right": 1, "up": 1}, "up"), ({"left": 1e9, "right": 1}, "left")],
)
def test_values_that_do_not_fit(rover: Place, values: dict[str, float], text: str) -> None:
    with rover.robot() as robot, robot.drive("motors") as d:
        with pytest.raises(waldo.InvalidRequest, match=text):
            d.send(**values)
        assert d.held


def test_a_device_that_cannot_move(rover: Place) -> None:
    with rover.robot() as robot, pytest.raises(waldo.Unsupported, match="ControlService"), robot.drive("front"):
        pass


def test_the_key(place: Place) -> None:
    place.bus()
    place.device(
        "serial", "motors", "--port", "sim", "--write", "<hh", "--write-keys", "left,right",
        "--control", '{safe: {left: 0, right: 0}, key: "let me"}',
    ).says("ready")  # fmt: skip
    with place.robot() as robot:
        with pytest.raises(waldo.NotAllowed), robot.drive("motors", take=True):
            pass
        with robot.drive("motors", take=True, key="let me") as d:
            assert d.held
