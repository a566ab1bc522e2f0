"""What a project is compiled to, and that its resources work together."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import pytest

from defang_nb.model.image import ImageSource
from defang_nb.model.project import Build, Dependency, Healthcheck, Managed, ManagedKind, Port, PortMode, Project, Service
from defang_nb.model.project import Condition as When
from defang_nb.model.resource import Need, Recorded, Resource
from defang_nb.model.value import ConfigRef
from defang_nb.providers.local.paths import StackPaths
from defang_nb.providers.local.process.compile import compile_project
from defang_nb.providers.local.process.engine import Engine
from defang_nb.providers.local.process.images.image import BuiltImage
from defang_nb.providers.local.process.types.address import AddressType
from defang_nb.providers.local.process.types.image import ImageType
from defang_nb.providers.local.process.types.postgres import PostgresType
from defang_nb.providers.local.process.types.service import JobType, ServiceType
from defang_nb.providers.local.store import FileStore
from tests.providers.local.process.conftest import Driver, fetch

SOURCE = ImageSource(reference="p/web:1", digest="d", context_key="contexts/d.tar.gz", services=("web", "migrate"))
BUILD = Build(context="/nowhere")


def project(published: int = 8080, answer: str = "hello") -> Project:
    web = Service(
        name="web",
        build=BUILD,
        ports=(Port(target=8000, published=published),),
        environment={
            "DATABASE_URL": ("postgres://postgres:", ConfigRef("PW"), "@db:5432/postgres"),
            "SELF": ("http://web:8000/",),
            "ANSWER": (answer,),
        },
        depends_on={"db": Dependency(), "migrate": Dependency()},
        healthcheck=Healthcheck(test=("CMD", "curl", "-f", "http://localhost:8000/")),
    )
    migrate = Service(
        name="migrate",
        build=BUILD,
        restart="no",
        command=(sys.executable, "-c", "import os; print(os.environ['WEB'])"),
        environment={"WEB": ("http://web:8000/",)},
        depends_on={"db": Dependency(condition=When.HEALTHY)},
    )
    db = Service(
        name="db",
        image="postgres:16",
        managed=Managed(kind=ManagedKind.POSTGRES),
        ports=(Port(target=5432, published=5432, mode=PortMode.HOST),),
        environment={"POSTGRES_PASSWORD": (ConfigRef("PW"),)},
    )
    return Project(name="p", services={each.name: each for each in (web, migrate, db)})


def compiled(it: Project, digest: str = "1") -> dict[str, Resource]:
    return {
        each.urn.removeprefix("p/local:process/"): each for each in compile_project(it, [SOURCE], {"PW": digest, "OTHER": "2"})
    }


def test_each_service_has_an_address_and_a_main_resource_and_builds_are_shared() -> None:
    resources = compiled(project())
    assert list(resources) == [
        "Address/web", "Address/db", "Image/web", "Data/db", "Service/web", "Job/migrate", "Postgres/db",
    ]  # fmt: skip
    assert [name for name, each in resources.items() if each.options.protect] == ["Data/db"]
    assert [each.service for each in resources.values() if each.main] == ["web", "migrate", "db"]


def test_services_that_name_each_other_depend_on_addresses_only() -> None:
    resources = compiled(project())
    web = {urn.removeprefix("p/local:process/"): need for urn, need in resources["Service/web"].dependencies.items()}
    assert web == {
        "Address/web": Need.CREATED, "Address/db": Need.CREATED, "Image/web": Need.CREATED,
        "Postgres/db": Need.READY, "Job/migrate": Need.READY,
    }  # fmt: skip


def test_one_changed_value_changes_one_resource() -> None:
    before, after = compiled(project()), compiled(project(answer="other"))
    assert [name for name in before if before[name].input_hash != after[name].input_hash] == ["Service/web"]


def test_a_changed_secret_changes_those_that_use_it() -> None:
    before, after = compiled(project()), compiled(project(), digest="9")
    assert [name for name in before if before[name].input_hash != after[name].input_hash] == ["Service/web", "Postgres/db"]
    assert before["Service/web"].inputs["config_digests"] == {"PW": "1"}


def test_another_image_changes_its_services() -> None:
    newer = msgspec.structs.replace(SOURCE, reference="p/web:2")
    before = {each.urn: each.input_hash for each in compile_project(project(), [SOURCE], {})}
    after = {each.urn: each.input_hash for each in compile_project(project(), [newer], {})}
    changed = [urn.rpartition(":process/")[2] for urn in before if before[urn] != after[urn]]
    assert changed == ["Image/web", "Service/web", "Job/migrate"]


def test_a_password_that_the_command_takes_from_the_environment_stays_symbolic() -> None:
    command = ("sh", "-c", "redis-server --requirepass $REDIS_PASSWORD --appendonly yes")
    cache = Service(name="cache", image="redis:7", command=command, environment={"REDIS_PASSWORD": (ConfigRef("PW"),)})
    (main,) = (each for each in compile_project(Project(name="p", services={"cache": cache}), [], {}) if each.main)
    assert (main.inputs["password"], main.inputs["options"]) == ({"$config": "PW"}, {"appendonly": ["yes"]})


def test_the_compiler_is_pure() -> None:
    assert compiled(project()) == compiled(project())


@pytest.fixture
def driver(engine: Engine) -> Driver:
    types = [AddressType(engine), ImageType(engine, FileStore(engine.paths.store)), PostgresType(engine)]
    return Driver({each.name: each for each in (*types, ServiceType(engine), JobType(engine))})


def place(engine: Engine, driver: Driver, image: Path) -> None:
    """Have the image there as if it was built."""
    types = driver.types["local:process/Image"]
    assert isinstance(types, ImageType)
    folder = types.builder.folder(SOURCE.reference)
    folder.parent.mkdir(parents=True)
    image.rename(folder)
    built = msgspec.json.decode((folder / "image.json").read_bytes(), type=BuiltImage)
    (folder / "image.json").write_bytes(msgspec.json.encode(built.at(folder / "root")))


async def test_the_resources_work_together(driver: Driver, engine: Engine, image: Path, free_port: int) -> None:
    from defang_nb.providers.local.config import FileConfigStore

    await FileConfigStore(engine.paths.config).set("p", "PW", "secret word")
    place(engine, driver, image)
    resources = compiled(project(published=free_port))
    order = ["Address/web", "Address/db", "Image/web", "Postgres/db", "Job/migrate", "Service/web"]
    await driver.create(*(resources[name] for name in order))
    assert await fetch(free_port) == "hello"
    assert f"http://127.0.0.1:{free_port}/" in engine.log("p", "migrate", 1).read_text()
    await driver.update(compiled(project(published=free_port, answer="other"))["Service/web"])
    assert await fetch(free_port) == "other"
    await driver.delete(*(resources[name] for name in order))
    assert engine.supervisor.names("") == []
    assert engine.book.read() == {}


def address(*ports: dict[str, object], name: str = "web") -> Resource:
    return Resource(urn=f"p/local:process/Address/{name}", type="local:process/Address", inputs={"ports": list(ports)})


async def test_ports_are_given_once_and_kept(driver: Driver, free_port: int) -> None:
    first = address({"target": free_port, "published": None, "exact": False})
    await driver.create(first)
    assert driver.outputs[first.urn]["ports"] == {str(free_port): free_port}, "the container's own port, as it is free"
    other = address({"target": free_port, "published": None, "exact": False}, name="other")
    await driver.create(other)
    assert driver.outputs[other.urn]["ports"] != driver.outputs[first.urn]["ports"]
    given = driver.outputs[other.urn]
    await driver.create(other)
    assert driver.outputs[other.urn] == given
    assert (await driver.types[other.type].find(other.urn)) == driver.made[other.urn]


async def test_a_port_lost_to_somebody_else_is_chosen_anew(driver: Driver, free_port: int) -> None:
    import socket

    mine = address({"target": free_port, "published": None, "exact": False})
    await driver.create(mine)
    assert await driver.live(mine)
    given = driver.outputs[mine.urn]["ports"][str(free_port)]
    with socket.create_server(("127.0.0.1", given)):
        assert not await driver.live(mine)
        await driver.create(mine)
    assert driver.outputs[mine.urn]["ports"][str(free_port)] != given


async def test_a_port_that_another_stack_has_chosen_is_not_chosen_too(driver: Driver, tmp_path: Path, free_port: int) -> None:
    """Nobody listens there yet: what is to listen is still being built."""
    asked = address({"target": free_port, "published": None, "exact": False})
    elsewhere = Engine(StackPaths(tmp_path / "elsewhere"), {})
    other = Driver({asked.type: AddressType(elsewhere)})
    await other.create(asked)
    await driver.create(asked)
    assert other.outputs[asked.urn]["ports"] == {str(free_port): free_port}
    assert driver.outputs[asked.urn]["ports"] != other.outputs[asked.urn]["ports"]
    await other.delete(asked)
    again = address({"target": free_port, "published": None, "exact": False}, name="again")
    await driver.create(again)
    assert driver.outputs[again.urn]["ports"] == {str(free_port): free_port}, "it was given back"


async def test_an_image_goes_when_no_service_uses_it(driver: Driver, engine: Engine, image: Path, free_port: int) -> None:
    place(engine, driver, image)
    resources = compiled(project(published=free_port))
    built, web = resources["Image/web"], resources["Service/web"]
    await driver.create(resources["Address/web"], resources["Address/db"], built)
    gone = Recorded(
        urn=built.urn, type=built.type, id="", inputs=built.inputs, input_hash="", outputs=driver.outputs[built.urn]
    )
    there = image_folder(gone).exists
    plain = msgspec.structs.replace(web, inputs=dict(web.inputs) | {"environment": {}})
    await driver.create(plain)
    await driver.delete(built)
    assert there(), "a service still runs from it"
    await driver.delete(plain)
    await driver.delete(built)
    assert not there()
    assert await driver.types[built.type].read_many([gone]) == {built.urn: None}
    assert await driver.types[built.type].find(built.urn) is None


def image_folder(image: Recorded) -> Path:
    return Path(str(image.outputs["path"]))
