"""The simulated AWS, for the tests of itself."""

from tests.aws.fixtures import _simulation, simulation, yard  # noqa: F401 - fixtures
