"""What moves by itself in the simulated AWS: tasks and services, driven by one thread. Describing drives nothing."""

from __future__ import annotations

import contextlib
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

from moto.ec2.models import ec2_backends
from moto.ecs.models import ecs_backends

from tests.aws.ecs import names, rollout
from tests.aws.ecs.service import Deployment, Service
from tests.aws.ecs.targets import Targets
from tests.aws.ecs.task import Task, now
from tests.aws.registry import Registry
from tests.aws.runners import base
from tests.aws.runners.base import Behaviour, Run, StartError

TICK = 0.02
STEADY = 2.0
"""Paces that a task has to run before it counts as well."""
Choose = Callable[[Task], Run]


class World:
    """`pace`: seconds that a task stays in each state that it passes through. `choose` says what runs a task."""

    def __init__(self, choose: Choose, registry: Registry, pace: float = 0.05) -> None:
        self.lock = threading.RLock()
        """Of all that moto holds."""
        self.registry = registry
        self.pace = pace
        self.behaviours: list[Behaviour] = []
        self.targets = Targets(self)
        self.tokens: dict[tuple[str, str], Any] = {}
        """What calls with a client token gave: (operation, token) → answer."""
        self.runs: dict[str, Run] = {}
        self.problems: list[str] = []
        self.drivers: list[Callable[[float], None]] = []
        """Driven too: what else moves by itself."""
        self._choose = choose
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._drive, name="ecs", daemon=True)

    def begin(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._ending.set()
        self._thread.join()
        self.clear()

    def clear(self) -> None:
        """End all that runs, wait for it, and forget it."""
        with self.lock:
            runs = list(self.runs.values())
            for _, _, backend in list(ecs_backends.iter_backends()):
                backend.tasks.clear()
                backend.services.clear()
            self.behaviours.clear()
            self.tokens.clear()
            self.runs.clear()
        for run in runs:
            run.hasty = True
            run.stop()
        deadline = time.monotonic() + 15
        while not all(each.ended or each.failure for each in runs) and time.monotonic() < deadline:
            for each in runs:
                each.look(time.monotonic() + 1e6)
            time.sleep(0.01)

    def tasks(self) -> Iterator[Task]:
        for _, _, backend in list(ecs_backends.iter_backends()):
            for each in list(backend.tasks.values()):
                yield from list(each.values())

    def services(self) -> Iterator[Service]:
        for _, _, backend in list(ecs_backends.iter_backends()):
            yield from list(backend.services.values())

    def tasks_of(self, service: Service) -> list[Task]:
        return [each for each in self.tasks() if each.service == service.name and each.cluster_arn == service.cluster_arn]

    def run_task(self, backend: Any, cluster: Any, definition: Any, group: str, given: dict[str, Any], **more: Any) -> Task:
        """Begin a task, with a network interface of its own. Under the lock."""
        task = Task(backend.region_name, backend.account_id, cluster.name, cluster.arn, definition, group, given, **more)
        network = (given.get("networkConfiguration") or {}).get("awsvpcConfiguration")
        if network:
            ec2 = ec2_backends[backend.account_id][backend.region_name]
            subnet = network["subnets"][hash(task.id) % len(network["subnets"])]
            groups = network.get("securityGroups") or []
            task.interface = ec2.create_network_interface(subnet, "", group_ids=groups, description=task.task_arn)
            task.interface.status = "in-use"
            if network.get("assignPublicIp") == "ENABLED":
                task.interface.public_ip = "127.0.0.1"
        task.due = time.monotonic() + self.pace
        backend.tasks.setdefault(cluster.name, {})[task.task_arn] = task
        return task

    def behaviour(self, task: Task) -> Behaviour | None:
        return next((each for each in self.behaviours if base.fits(each.match, task)), None)

    def well(self, task: Task) -> bool:
        """Whether it is healthy, for the load balancer too, and has not just started: one that crashes never was."""
        lasted = time.monotonic() - task.running_since >= STEADY * self.pace
        return task.well and lasted and self.targets.healthy(task)

    def _drive(self) -> None:
        while not self._ending.wait(TICK):
            with self.lock:
                self._step(time.monotonic())

    def _step(self, moment: float) -> None:
        for task in self.tasks():
            if task.last_status != "STOPPED":
                self._try(self._advance, task, moment)
                self._try(names.follow, task)
        for drive in self.drivers:
            self._try(drive, moment)
        for service in self.services():
            if service.status != "INACTIVE":
                tasks = self.tasks_of(service)
                self._try(self.targets.step, tasks, moment)
                self._try(rollout.step, service, tasks, self._start_for, self.well, moment)

    def _try(self, work: Callable[..., object], *arguments: object) -> None:
        """What goes wrong with one thing keeps nothing else from going on, and the test sees it."""
        try:
            work(*arguments)
        except Exception:  # noqa: BLE001
            if (problem := traceback.format_exc()) not in self.problems:
                self.problems.append(problem)

    def _start_for(self, service: Service, deployment: Deployment) -> Task:
        backend = ecs_backends[service.account][service.region]
        definition = backend.describe_task_definition(deployment.given["taskDefinition"])
        tags = service.tags if deployment.given.get("propagateTags") == "SERVICE" else []
        if deployment.given.get("propagateTags") == "TASK_DEFINITION":
            tags = definition.tags
        return self.run_task(
            backend,
            backend._get_cluster(service.cluster_arn),
            definition,
            f"service:{service.name}",
            deployment.given,
            service=service.name,
            deployment=deployment.id,
            tags=list(tags),
        )

    def _advance(self, task: Task, moment: float) -> None:
        run = self.runs.get(task.id)
        if run is not None:
            run.look(moment)
        if moment < task.due:
            return
        if task.desired_status == "STOPPED":
            self._wind_down(task, run, moment)
            return
        match task.last_status, run:
            case "PROVISIONING", _:
                task.last_status, task.due = "PENDING", moment + self.pace
                self._launch(task)
            case "PENDING", Run(failure=str(why)) if why:
                self._ended(task, why, "TaskFailedToStart", moment)
            case "PENDING", Run(started=True):
                task.last_status, task.started_at, task.running_since = "RUNNING", now(), moment
                for each in task.containers:
                    each.last_status = "RUNNING"
            case "RUNNING", Run():
                self._watch(task, run, moment)

    def _launch(self, task: Task) -> None:
        run = self.runs[task.id] = self._choose(task)
        try:
            base.check_roles(task)
            for each in task.containers:
                base.check_image(task, each, self.registry)
                base.environment_of(task, each)
                base.open_log(task, each)
            run.start()
        except StartError as why:
            run.failure = str(why)

    def _watch(self, task: Task, run: Run, moment: float) -> None:
        for each in task.containers:
            each.health = run.health.get(each.name, "UNKNOWN") if each.definition.get("healthCheck") else "UNKNOWN"
            if each.name in run.exits:
                each.exit_code, each.last_status = run.exits[each.name], "STOPPED"
        if any(each.name in run.exits and each.definition.get("essential", True) for each in task.containers):
            self._ended(task, "Essential container in task exited", "EssentialContainerExited", moment)
        elif task.service and task.health == "UNHEALTHY":
            self._ended(task, "Task failed container health checks", "ServiceSchedulerInitiated", moment)
        elif task.service and (group := self.targets.unhealthy(task, moment)):
            self._ended(task, f"Task failed ELB health checks in (target-group {group})", "ServiceSchedulerInitiated", moment)

    def _ended(self, task: Task, reason: str, code: str, moment: float) -> None:
        """It ends, and nobody asked it to."""
        task.stop(reason, code)
        for service in self.services():
            if task.service == service.name and task.cluster_arn == service.cluster_arn and service.status == "ACTIVE":
                rollout.failed(service, task, moment, self.pace)
                service.tell(f"(task {task.id}) stopped: {reason}.")

    def _wind_down(self, task: Task, run: Run | None, moment: float) -> None:
        task.due = moment + self.pace / 2
        match task.last_status:
            case "RUNNING":
                task.last_status = "DEACTIVATING"
            case "DEACTIVATING" if self.targets.registered(task):
                pass  # until the load balancer has drained it
            case "PROVISIONING" | "PENDING" | "ACTIVATING" | "DEACTIVATING":
                if run is not None:
                    run.stop()
                task.last_status = "STOPPING"
            case "STOPPING" if run is None or run.ended or run.failure:
                task.last_status = "DEPROVISIONING"
                for each in task.containers:
                    each.last_status = "STOPPED"
                    each.exit_code = run.exits.get(each.name) if run is not None else None
            case "DEPROVISIONING":
                if task.interface is not None:
                    with contextlib.suppress(Exception):  # the interface may be gone with its VPC
                        ec2_backends[task.account][task.region].delete_network_interface(task.interface.id)
                task.last_status, task.stopped_at = "STOPPED", now()
                self.runs.pop(task.id, None)
