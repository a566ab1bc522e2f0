"""Random projects, edits, deaths and weather, with several processes at once, in virtual time: whatever happened, the next `up`
makes all true, with no manual step.

Of everything that is live there is at every moment a record, or a `Begin` that will lead to it; no epoch has two holders, and
who was taken over writes nothing and calls nothing. These are checked all along (`far.py`), the rest at each example's end.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Coroutine
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from defang_nb.errors import DefangError
from defang_nb.model.events import Outcome, StepFinished, StepStarted
from defang_nb.model.plan import Plan
from defang_nb.provision.executor import Applied
from defang_nb.provision.state import State
from tests.provision.fakecloud import PROJECT, Crash
from tests.provision.far import CALM, LAG, Far, Process, Weather
from tests.provision.projects import EDITS, Project, edited, projects, resources
from tests.provision.run import World, shape
from tests.provision.virtual import VirtualLoop

STORMS = (
    CALM,
    Weather(throttled=0.2),
    Weather(lost=0.2, unsent=0.1),
    Weather(refused=0.1, broken=0.1, unready=0.1),
    Weather(store_twice=0.2, store_torn=0.1),
    Weather(store_lost=0.03, store_unsent=0.03, store_twice=0.2),
    Weather(0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.01, 0.01, 0.1, 0.02),
)
weathers = st.sampled_from(STORMS)
deaths = st.none() | st.integers(0, 120)


class Deployments(RuleBasedStateMachine):
    @initialize(seed=st.integers(0, 2**32), project=projects())
    def begin(self, seed: int, project: Project) -> None:
        self.loop = VirtualLoop()
        self.far = Far(random.Random(seed))
        self.project = dict(project)
        self.names = 100
        self.processes: list[Process] = []
        self.count = 0
        self.drifted = False
        self.changed_at = -LAG

    # Deployments, each of the project as somebody edited it a little since the last.

    @rule(data=st.data(), weather=weathers, die_at=deaths, near=st.booleans())
    def up(self, data: st.DataObject, weather: Weather, die_at: int | None, near: bool) -> None:
        self.edit(data)
        alone = not self.active() and self.quiet()
        process = self.start(self.project, weather, die_at, near=near)
        self.run(process.wait())
        if alone and process.result and process.result[1].outcome is Outcome.SUCCEEDED:
            self.is_true(self.project)

    @rule(weather=weathers, die_at=deaths)
    def down(self, weather: Weather, die_at: int | None) -> None:
        self.run(self.start({}, weather, die_at).wait())

    @precondition(lambda self: len(self.active()) < 3)
    @rule(data=st.data(), weather=weathers, die_at=deaths, skew=st.sampled_from((0.0, 0.0, -4.0, 4.0)))
    def up_beside(self, data: st.DataObject, weather: Weather, die_at: int | None, skew: float) -> None:
        self.edit(data)
        self.start(self.project, weather, die_at, skew)

    def edit(self, data: st.DataObject) -> None:
        for what in data.draw(st.lists(st.sampled_from(EDITS), min_size=1, max_size=3)):
            self.names += 1
            self.project = edited(data.draw, self.project, what, f"r{self.names}")

    @rule(seconds=st.sampled_from((0.1, 1.0, 5.0, 40.0)))
    def wait(self, seconds: float) -> None:
        self.run(asyncio.sleep(seconds))

    @precondition(lambda self: self.active())
    @rule(data=st.data(), what=st.sampled_from(("kill", "stop", "go on", "cut off", "cancel")))
    def meddle(self, data: st.DataObject, what: str) -> None:
        process = data.draw(st.sampled_from(self.active()))
        match what:
            case "kill":
                self.run(process.kill())
            case "stop":
                process.stop()
            case "go on":
                process.go_on()
            case "cut off":
                process.cut_off = not process.cut_off
            case "cancel":
                process.cancel.set()

    @precondition(lambda self: self.far.cloud.things)
    @rule(data=st.data(), gone=st.booleans())
    def drift(self, data: st.DataObject, gone: bool) -> None:
        """Somebody changes something behind our back."""
        things = self.far.cloud.things
        id_ = data.draw(st.sampled_from(sorted(things)))
        self.changed_at = self.loop.time()
        if gone:
            del things[id_]
        else:
            self.drifted = True
            things[id_] = {**things[id_], "outputs": {**things[id_]["outputs"], "address": "elsewhere"}}
        self.run(self.remember())

    # What must hold.

    @invariant()
    def all_is_recorded(self) -> None:
        if hasattr(self, "loop"):
            state = self.run(State.open(self.far.store, PROJECT))
            ids = {record.id for record in state.recorded.values()}
            tokens = {begin.token for begin in state.pending}
            for id_, thing in self.far.cloud.things.items():
                assert id_ in ids or thing["made_by"] in tokens, f"nobody knows of {id_}: {thing}"
            self.run(self.ended())

    def teardown(self) -> None:
        if not hasattr(self, "loop"):
            return
        with contextlib.closing(self.loop):
            for process in self.active():
                process.cut_off = False
                process.go_on()
            for process in self.active():
                self.run(process.wait())
            self.run(self.ended())
            self.run(asyncio.sleep(LAG))
            self.converges()

    def converges(self) -> None:
        plan, applied = self.calmly()
        assert applied.outcome is Outcome.SUCCEEDED, applied
        state, cloud = self.is_true(self.project), self.far.cloud
        if not self.drifted:  # values that drifted are accepted, and no clean run has them
            clean = World()
            assert self.run(clean.deploy(resources(self.project))).outcome is Outcome.SUCCEEDED
            assert shape(state.recorded, cloud) == shape(self.run(clean.recorded()), clean.cloud)
        types = {record.type for record in state.recorded.values()}
        for looks in (2, 1):  # reads that lag behind what was just done make it look twice, and later no more
            calls, reads, writes = len(cloud.calls), self.far.reads, len(self.far.store.writes)
            plan, applied = self.calmly()
            assert (plan.mutations, applied.outcome, len(cloud.calls)) == ((), Outcome.SUCCEEDED, calls)
            assert self.far.reads - reads <= looks * len(types)
            self.run(asyncio.sleep(LAG))
        assert len(self.far.store.writes) - writes == 2, "the lease, taken and released"

    def is_true(self, project: Project) -> State:
        """What is recorded is what is live, and what is wanted; and all of it is ready."""
        state, things = self.run(State.open(self.far.store, PROJECT)), self.far.cloud.things
        assert state.pending == ()
        assert {record.id for record in state.recorded.values()} == set(things)
        assert sorted(thing["urn"] for thing in things.values()) == sorted(each.urn for each in resources(project))
        for record in state.recorded.values():
            thing = things[record.id]
            assert (record.urn, record.inputs, record.outputs) == (thing["urn"], thing["inputs"], thing["outputs"])
            assert record.ready
        return state

    # How.

    def quiet(self) -> bool:
        """Whether what was changed behind our back shows to everybody."""
        return bool(self.loop.time() - self.changed_at > LAG)

    def active(self) -> list[Process]:
        return [process for process in self.processes if not process.over]

    def run(self, what: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(what)

    async def remember(self) -> None:
        self.far.changed()

    def start(
        self, project: Project, weather: Weather, die_at: int | None = None, skew: float = 0.0, near: bool = False
    ) -> Process:
        self.count += 1
        process = Process(self.far, f"d{self.count}", weather, skew=skew, die_at=die_at, near=near)

        async def begin() -> None:
            process.deploy(resources(project))

        self.run(begin())
        self.processes.append(process)
        return process

    def calmly(self) -> tuple[Plan, Applied]:
        process = self.start(self.project, CALM)
        self.run(process.wait())
        if process.error is not None:
            raise process.error
        result: tuple[Plan, Applied] = process.result
        return result

    async def ended(self) -> None:
        """A process ends with a result, by its death, or with an error that people can read."""
        for process in self.processes:
            if process.over:
                await process.wait()
                if not isinstance(process.error, DefangError | Crash | None):
                    raise process.error
                if process.result is not None:
                    told = [payload.urn for payload in process.story.payloads if isinstance(payload, StepFinished)]
                    begun = [payload.urn for payload in process.story.payloads if isinstance(payload, StepStarted)]
                    assert len(set(told)) == len(told) and set(begun) <= set(told), "each step is told once"
        self.processes = self.active()


TestDeployments = Deployments.TestCase
TestDeployments.settings = settings(
    max_examples=max(150, settings().max_examples), stateful_step_count=10, suppress_health_check=list(HealthCheck)
)
