"""A whole system on one machine: every part an operating-system process, hurt and mended by name."""

import contextlib
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from devstack import machine, operator_env
from devstack.data_folder import DataFolder
from devstack.kafka import Kafka
from devstack.options import Options, Parts
from devstack.ports import SERVICES, Ports
from devstack.postgres import Postgres
from devstack.process import Process, StackError, wait_until
from devstack.readiness import get, health_address, is_ready
from devstack.services import ROOT, Wiring, inherited_env, stack_secrets
from devstack.supervisor import Supervisor

READY_TIMEOUT_S = 90.0  # two busy cores start four services in ten times their usual 4 s
STOP_TIMEOUT_S = 12.0  # a service's tasks get 5 s, then its relay flushes

Progress = Callable[[str, str], None]  # part, what it does now


class Stack:
    """``with Stack(Options(folder)) as stack:`` runs the chosen parts and leaves none behind.

    Methods block and may be called from any thread. Nothing outlives this Python process, not
    even when that is killed.
    """

    def __init__(self, options: Options, progress: Progress = lambda _part, _state: None) -> None:
        self.options = options
        self.ports = Ports(options.port_base)
        self.folder = DataFolder(options.data_dir)
        self.processes: dict[str, Process] = {}  # without the engines
        data, logs = self.folder.path, self.folder.logs
        kafka_ports = [self.ports.kafka(node) for node in range(options.kafka_nodes)]
        self.kafka = Kafka(data / "kafka", kafka_ports, logs, partial(progress, "kafka"))
        self.postgres = Postgres(data / "postgres", self.ports.postgres, logs / "postgres.log")
        self.supervisor = Supervisor(logs / "stack.log")
        self._progress = progress
        self._changing = threading.RLock()
        self._wiring: Wiring | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def wiring(self) -> Wiring:
        """Addresses, keys and database of the running stack."""
        if self._wiring is None:
            raise StackError("the stack was not started")
        return self._wiring

    def start(self) -> None:
        """Every chosen part runs and says that it is ready; else a StackError, and none runs."""
        machine.require_disk(self.folder.path)
        self.folder.take()
        try:
            machine.require_memory(machine.memory_needed_mb(self.options))
            machine.require_ports(self.options.wanted_ports())
            self.folder.begin_logs()
            self._note()
            self._start_engines()
            self._start_others()
        except BaseException:
            self.stop()
            raise
        if self.options.respawn:
            self.supervisor.watch(self)

    def stop(self) -> None:
        """Orderly and in order: who takes work first, the engines last. Then nothing is left."""
        self.supervisor.rest()
        with self._changing:
            for group in self._stop_order():
                self._stop_together(group)
            for name, engine in (("kafka", self.kafka), ("postgres", self.postgres)):
                if any(n.startswith(name) and p.alive for n, p in self.all_processes().items()):
                    self._progress(name, "stopping")
                    engine.stop()
                    self._progress(name, "stopped")
        self.folder.release()

    def stop_at_once(self) -> None:
        """SIGKILL to everything."""
        for process in self.all_processes().values():
            process.kill()
        self.supervisor.rest()
        self.folder.release()

    # One part, by its name: postgres, kafka (or kafka-0, kafka-1, kafka-2), simulator, mailbox,
    # gateway, payments, notifier, reconciler (a second instance: gateway-2), shop.

    def start_service(self, service: str, instance: int = 1, env: dict[str, str] | None = None) -> str:
        """Starts one instance, with ``env`` over its usual settings; its name, once it is ready.

        One that runs under that name is stopped first.
        """
        name = service if instance == 1 else f"{service}-{instance}"
        with self._changing:
            if name in self.processes:
                self.stop_part(name)
            whole = self._service_env(service, instance) | (env or {})
            self._add(name, self.wiring.service_command(service), whole)
            self._launch(name)
        self.wait_ready(name)
        return name

    def kill(self, name: str) -> None:
        """SIGKILL, as a crash. With ``respawn`` the supervisor brings it back."""
        self.process(name).kill()

    def freeze(self, name: str) -> None:
        """SIGSTOP: it keeps its connections and says nothing."""
        self.process(name).freeze()

    def thaw(self, name: str) -> None:
        """SIGCONT."""
        self.process(name).thaw()

    def stop_part(self, name: str) -> None:
        """Stops one process in order; the supervisor leaves it stopped."""
        with self._changing:
            self.supervisor.forget(name)
            ask = signal.SIGINT if name == "postgres" else signal.SIGTERM
            self.process(name).stop(STOP_TIMEOUT_S, ask=ask)

    def restart(self, name: str) -> None:
        """Running and ready again, with the settings it had, whatever happened to it before."""
        with self._changing:
            self.stop_part(name)
            self._launch(name)
        self.wait_ready(name)

    def revive(self, name: str) -> None:
        """Starts a dead process and does not wait for it."""
        with self._changing:
            if not self.process(name).alive:
                self._launch(name)

    def wait_ready(self, name: str, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Returns once the part takes work; a StackError names what it was still missing."""
        process = self.process(name)
        if name.startswith("kafka"):
            self.kafka.wait_in_service(int(name.partition("-")[2] or 0))
        elif name == "postgres":
            self.postgres.wait_in_service()
        else:
            try:
                wait_until(
                    partial(is_ready, self.ports, name), what=name, timeout_s=timeout_s, process=process
                )
            except StackError as late:
                says = get(*health_address(self.ports, name))[1]
                raise StackError(f"{late}; it says: {says}" if says else str(late)) from None
        self._progress(name, "ready")

    def is_ready(self, name: str) -> bool:
        """Whether it lives and takes work now."""
        return self.process(name).alive and is_ready(self.ports, name)

    def alive(self, name: str) -> bool:
        return self.process(name).alive

    def log(self, name: str) -> Path:
        return self.process(name).log

    def process(self, name: str) -> Process:
        processes = self.all_processes()
        if name not in processes:
            raise StackError(f"no part of this stack is called {name}: {', '.join(processes)}")
        return processes[name]

    def all_processes(self) -> dict[str, Process]:
        """Name → process, the engines first."""
        nodes = self.kafka.nodes
        names = ["kafka"] if len(nodes) == 1 else [f"kafka-{number}" for number in range(len(nodes))]
        return {"postgres": self.postgres.process} | dict(zip(names, nodes, strict=True)) | self.processes

    def _start_engines(self) -> None:
        """Both at once: they are most of the waiting."""
        with ThreadPoolExecutor(2) as pool:
            started = {}
            for name, engine in (("postgres", self.postgres), ("kafka", self.kafka)):
                self._progress(name, "starting")
                started[name] = pool.submit(engine.start)
            try:
                for name, done in started.items():
                    done.result()
                    self._progress(name, "ready")
            except BaseException:
                # One failed, or Ctrl-C: the other need not be waited for.
                self.kafka.give_up()
                raise
        for name in self.all_processes():
            self.supervisor.expect(name)
        self._note()

    def _start_others(self) -> None:
        options = self.options
        wiring = self._wiring = Wiring(
            ports=self.ports,
            data_dir=self.folder.path,
            secrets=stack_secrets(self.folder.path),
            database=self.postgres.server,
            bootstrap=self.kafka.bootstrap,
            kafka_nodes=options.kafka_nodes,
            time_scale=options.time_scale,
            seed=options.seed,
            topic_prefix=options.topic_prefix,
        )
        if options.parts is not Parts.ENGINES:
            self._add("simulator", wiring.simulator_command(), inherited_env())
            self._add("mailbox", wiring.mailbox_command(), inherited_env())
        if options.parts is Parts.EVERYTHING:
            operator_env.write(wiring)
            for service in SERVICES:
                self._add(service, wiring.service_command(service), self._service_env(service))
            self._add("shop", wiring.shop_command(), wiring.shop_env())
        for name in self.processes:
            self._launch(name)
        for name in self.processes:
            self.wait_ready(name)

    def _service_env(self, service: str, instance: int = 1) -> dict[str, str]:
        return self.wiring.service_env(service, instance) | dict(self.options.service_env)

    def _add(self, name: str, command: list[str], env: dict[str, str]) -> None:
        self.processes[name] = Process(name, command, self.folder.logs / f"{name}.log", env, ROOT)

    def _launch(self, name: str) -> None:
        self._progress(name, "starting")
        if name == "postgres":
            self.postgres.revive()
        else:
            self.process(name).start()
        self.supervisor.expect(name)
        self._note()

    def _note(self) -> None:
        self.folder.write_note(self.options.port_base, self.all_processes())

    def _stop_order(self) -> list[list[str]]:
        """Who takes work from outside goes first; who is called by others, last."""
        shop = [name for name in self.processes if name == "shop"]
        gateways = [name for name in self.processes if name.startswith("gateway")]
        outside = [name for name in self.processes if name in ("simulator", "mailbox")]
        services = [name for name in self.processes if name not in (*shop, *gateways, *outside)]
        return [shop, gateways, services, outside]

    def _stop_together(self, names: list[str]) -> None:
        living = [self.processes[name] for name in names if self.processes[name].alive]
        for process in living:
            self._progress(process.name, "stopping")
            process.thaw()
            process.send(signal.SIGTERM)
        for process in living:
            in_order = process.stop(STOP_TIMEOUT_S)
            self._progress(process.name, "stopped")
            if not in_order:
                with contextlib.suppress(OSError):
                    self.supervisor.note(f"{process.name} did not end within {STOP_TIMEOUT_S:.0f} s: killed")
