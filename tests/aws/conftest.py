"""The simulated AWS, for the tests of itself."""

from tests.aws.fixtures import (  # noqa: F401 - fixtures
    _real_simulation,
    _simulation,
    real_simulation,
    real_yard,
    simulation,
    yard,
)
from tests.e2e.dockerd import dockerd  # noqa: F401 - a fixture
from tests.e2e.registry import kaniko, registry  # noqa: F401 - fixtures
