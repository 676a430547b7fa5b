from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
import razorpay
import stripe

from tests.contract.simulator.running import Json, Receiver, Simulator, receiving
from tests.contract.simulator.stripe_running import StripeSimulator, running

_receipts = count(1)


@pytest.fixture(scope="module")
def receiver_of_module() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def simulator_of_module(
    tmp_path_factory: pytest.TempPathFactory, receiver_of_module: Receiver
) -> Iterator[Simulator]:
    """One minute of the provider's time is a tenth of a second."""
    folder = tmp_path_factory.mktemp("simulator")
    simulator = Simulator(folder, receiver_of_module.port, time_scale=600, seed=7)
    simulator.start()
    yield simulator
    simulator.stop()


@pytest.fixture
def receiver(receiver_of_module: Receiver) -> Receiver:
    receiver_of_module.answer = lambda _arrival: 200
    receiver_of_module.hold_s = 0.0
    return receiver_of_module


@pytest.fixture
def simulator(simulator_of_module: Simulator) -> Iterator[Simulator]:
    yield simulator_of_module
    simulator_of_module.control("DELETE", "/faults")


@pytest.fixture
def sdk(simulator: Simulator) -> Iterator[razorpay.Client]:
    client = simulator.client()
    yield client
    client.session.close()


@pytest.fixture
def new_order(sdk: razorpay.Client) -> Callable[..., Json]:
    """Makes an order with a receipt of its own."""

    def make(**fields: object) -> Json:
        receipt = f"attempt-{next(_receipts)}"
        wanted = {"amount": 50_000, "currency": "INR", "receipt": receipt, **fields}
        return sdk.order.create(wanted, timeout=5)  # type: ignore[no-any-return]

    return make


@pytest.fixture
def own_simulator(tmp_path: Path) -> Iterator[Callable[..., tuple[Simulator, Receiver]]]:
    """Starts a simulator with settings of the test's own."""
    started: list[Simulator] = []
    with receiving() as receiver:

        def start(*, time_scale: float = 600, **account: object) -> tuple[Simulator, Receiver]:
            simulator = Simulator(tmp_path, receiver.port, time_scale=time_scale, account=account)
            simulator.start()
            started.append(simulator)
            return simulator, receiver

        yield start
        for simulator in started:
            simulator.stop()


@pytest.fixture(scope="module")
def stripe_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[StripeSimulator, Receiver]]:
    with running(tmp_path_factory.mktemp("stripe")) as world:
        yield world


@pytest.fixture
def stripe_simulator(stripe_world: tuple[StripeSimulator, Receiver]) -> Iterator[StripeSimulator]:
    simulator, receiver = stripe_world
    receiver.answer = lambda _arrival: 200
    yield simulator
    simulator.control("DELETE", "/faults")


@pytest.fixture
def stripe_sdk(stripe_simulator: StripeSimulator) -> stripe.StripeClient:
    return stripe_simulator.sdk()
