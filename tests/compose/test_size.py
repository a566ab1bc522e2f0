"""A large file: everything of a thousand services is there, each with its place."""

from __future__ import annotations

from pathlib import Path

SERVICE = """\
  svc{n}:
    <<: *common
    image: "registry.example.com/app{n}:${{TAG:-1.{n}.0}}"
    environment: {{NAME: svc{n}, RATIO: 0.{n}5}}
    ports: ["{port}:80"]
    networks: [front]
    volumes: ["data:/data", "./conf/svc{n}:/etc/app:ro"]
"""
COUNT = 1000


def test_a_thousand_services(folder) -> None:
    text = "x-common: &common {restart: unless-stopped}\nservices:\n"
    text += "".join(SERVICE.format(n=n, port=10000 + n) for n in range(COUNT)) + "networks: {front: {}}\nvolumes: {data: {}}\n"
    project = folder.load(text).project
    last = project.services[f"svc{COUNT - 1}"]
    assert len(project.services) == COUNT
    assert (last.image, last.restart) == ("registry.example.com/app999:1.999.0", "unless-stopped")
    assert last.volumes[1].source == str(Path(folder.path, "conf", "svc999"))
    assert project.positions["services.svc999.environment.RATIO"].line == 2 + 7 * (COUNT - 1) + 4
