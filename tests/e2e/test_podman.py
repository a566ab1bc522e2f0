"""What projects on Docker are held to, held on Podman's socket."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from defang_nb.providers.local.docker.find import find
from tests.e2e import podman
from tests.e2e.dockerd import Dockerd, without
from tests.e2e.packages import UnavailableError
from tests.e2e.test_container_apps import (  # noqa: F401 - a fixture and tests
    app,
    test_a_shop_of_six_services,
    test_an_api_and_its_database,
    test_example,
)
from tests.e2e.test_containers import (  # noqa: F401 - fixtures and tests
    shop,
    test_a_change_replaces_its_own_containers_only_and_nobody_notices,
    test_a_project_of_everything_from_nothing_to_nothing,
    test_an_image_is_built_once_and_again_only_when_something_changed,
    test_an_image_that_does_not_exist_is_one_clear_error,
    test_followed_logs_have_each_line_once,
    test_orphans_are_removed_when_that_is_asked_for,
    test_others_containers_networks_and_volumes_are_never_touched,
    test_what_does_not_get_well_is_rolled_back_and_the_old_one_answers_all_along,
    test_what_was_done_to_containers_from_outside_is_mended,
)
from tests.e2e.test_crash_containers import lane, test_a_death_at_one_boundary_of_some  # noqa: F401 - a fixture and a test

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def dockerd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dockerd]:
    try:
        with podman.started(tmp_path_factory.mktemp("podman")) as engine:
            engine.have("busybox", "python:3.12-slim")
            yield engine
    except UnavailableError as problem:
        without(f"no Podman for the tests: {problem}")


def test_it_is_known_for_what_it_is(dockerd: Dockerd) -> None:
    found = find({"DOCKER_HOST": dockerd.host}).engine
    assert found is not None and found.name == "Podman"
