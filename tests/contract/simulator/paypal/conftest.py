import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from paypalserversdk.paypal_serversdk_client import PaypalServersdkClient

from tests.contract.simulator.paypal.running import PayPalSimulator, Receiver, new_order, receiving
from tests.contract.simulator.running import Json

BACK = "http://127.0.0.1:9/back"
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def receiver_of_module() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def simulator_of_module(
    tmp_path_factory: pytest.TempPathFactory, receiver_of_module: Receiver
) -> Iterator[PayPalSimulator]:
    """An hour of PayPal's time is 6 s."""
    folder = tmp_path_factory.mktemp("paypal")
    simulator = PayPalSimulator(folder, receiver_of_module.port, time_scale=600)
    simulator.start()
    yield simulator
    simulator.stop()


@pytest.fixture
def receiver(receiver_of_module: Receiver) -> Receiver:
    receiver_of_module.status = 200
    return receiver_of_module


@pytest.fixture
def simulator(simulator_of_module: PayPalSimulator) -> Iterator[PayPalSimulator]:
    yield simulator_of_module
    simulator_of_module.control("DELETE", "/faults")


@pytest.fixture
def sdk(simulator: PayPalSimulator) -> PaypalServersdkClient:
    return simulator.sdk()


@pytest.fixture
def make_order(sdk: PaypalServersdkClient) -> Callable[..., Json]:
    """Makes an order with an invoice id of its own."""

    def make(
        value: str = "100.00", currency: str = "USD", return_url: str = "http://127.0.0.1:9/back"
    ) -> Json:
        return new_order(sdk, f"attempt-{next(_numbers):06d}", value, currency, return_url)

    return make


@pytest.fixture
def own_simulator(tmp_path: Path) -> Iterator[Callable[..., tuple[PayPalSimulator, Receiver]]]:
    """Starts a simulator with settings of the test's own."""
    started: list[PayPalSimulator] = []
    with receiving() as receiver:

        def start(*, time_scale: float = 600, **account: object) -> tuple[PayPalSimulator, Receiver]:
            simulator = PayPalSimulator(tmp_path, receiver.port, time_scale=time_scale, **account)
            simulator.start()
            started.append(simulator)
            return simulator, receiver

        yield start
        for simulator in started:
            simulator.stop()
