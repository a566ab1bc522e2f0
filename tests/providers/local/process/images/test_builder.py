"""Builds, offline: real virtual environments, real children, wheels made on the spot."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from defang_nb.errors import BuildError
from defang_nb.model.value import ConfigRef
from defang_nb.providers.local.process.images import layers
from defang_nb.providers.local.process.images.image import command_of, environment_of, load, rewrite
from defang_nb.providers.local.process.images.process import run
from defang_nb.providers.local.process.images.venvs import prune


def files_in(folder):
    return sorted(each.relative_to(folder).as_posix() for each in Path(folder).rglob("*") if each.is_file())


def runs(pid):
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().split()[2] != "Z"


async def output(image):
    lines = []
    words = [rewrite(word, image) for word in command_of(image, None, None)]
    code = await run(words, cwd=image.host_path("."), env=environment_of(image, os.environ), on_line=lines.append)
    return code, lines


async def test_an_app_is_built_and_runs(write, wheel, bench):
    name = wheel("greeting", "word = 'hello'\n")
    context = write(
        Dockerfile="FROM python:PY-slim\nENV WHO=/srv/app/who.txt\nWORKDIR /srv/app\n"
        "RUN apt-get update && apt-get install -y curl\n"
        "COPY requirements.txt *.whl ./\nRUN pip install --no-cache-dir -r requirements.txt\nCOPY . .\n"
        "RUN python -c \"open('made.txt', 'w').write('made')\" && rm -rf /var/lib/apt/lists/*\n"
        'EXPOSE 8000\nCMD ["python", "main.py"]\n',
        requirements_txt=f"./{name}\n",
        main_py="import greeting, os\nprint(greeting.word, open(os.environ['WHO']).read(), open('made.txt').read())\n",
        who_txt="world",
    )
    image = await bench.build(context)
    assert await output(image) == (0, ["hello world made"])
    assert (image.workdir, image.exposed, image.kind.value) == ("/srv/app", (8000,), "python")
    assert image.path_map["/srv/app"].endswith("/root/srv/app")
    assert "left out: apt-get install -y curl" in bench.text
    assert bench.steps[0] == (f"[1/7] FROM python:{image.python}-slim", False)
    assert load(bench.builder.folder(bench.prepared(context).source.reference)) == image


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="images of Python 3.12 and later have no setuptools")
async def test_setuptools_is_there_as_in_the_official_image(write, wheel, bench):
    name = wheel("legacy", "import pkg_resources\nword = pkg_resources.__name__\n")
    context = write(
        Dockerfile=f"FROM python:PY\nCOPY {name} /w/\nRUN pip install /w/{name}\n"
        "CMD python -c 'import legacy; print(legacy.word)'\n"
    )
    code, lines = await output(await bench.build(context))
    assert (code, lines[-1]) == (0, "pkg_resources")


@pytest.mark.parametrize(("version", "wanted"), [("3.10", ["setuptools<80"]), ("3.11", ["setuptools<80"]), ("3.12", [])])
def test_setuptools_comes_from_the_index_when_the_interpreter_has_none(version, wanted, tmp_path, monkeypatch):
    monkeypatch.setattr(layers, "_DEBIAN_WHEELS", tmp_path)
    found = layers.preinstalled(str(tmp_path / "bin" / "python"), version)
    assert [layer.command[-1] for layer in found] == wanted


async def test_a_changed_source_file_installs_nothing_again(write, wheel, bench):
    name = wheel("greeting")
    dockerfile = (
        "FROM python:PY\nWORKDIR /app\nCOPY requirements.txt *.whl ./\nRUN pip install -r requirements.txt\n"
        "COPY . .\nCMD python main.py\n"
    )
    context = write(Dockerfile=dockerfile, requirements_txt=f"./{name}\n", main_py="print(1)\n")
    first = await bench.build(context)
    assert [cached for line, cached in bench.steps if "pip" in line] == [False]
    write(main_py="print(2)\n")
    second = await bench.build(context)
    assert [cached for line, cached in bench.steps if "pip" in line] == [False, True]
    assert first.venv == second.venv and first.root != second.root
    assert await output(second) == (0, ["2"])
    again = await bench.build(context)
    assert again == second and bench.lines[-1] == "built already"


async def test_two_builds_at_once_share_one_environment(write, wheel, bench):
    name = wheel("greeting")
    context = write(
        Dockerfile=f"FROM python:PY AS a\nWORKDIR /app\nCOPY . .\nRUN pip install ./{name}\nFROM a AS b\nENV B=1\nCMD x\n"
    )
    images = await asyncio.gather(bench.build(context, target="b"), bench.build(context, target="a"), bench.build(context))
    assert len({image.venv for image in images}) == 1
    assert images[0].env == {"B": "1"}


async def test_stages_are_copied_between(write, bench):
    context = write(
        Dockerfile="FROM python:PY AS make\nWORKDIR /build\nCOPY make.py .\nRUN python make.py\n"
        "FROM python:PY\nWORKDIR /app\nCOPY --from=make /build/out ./static\nCOPY --from=make /build/*.log /logs/\n"
        "COPY <<EOF conf/a.ini\nkey=$PWD\nEOF\nCMD x\n",
        make_py="import os\nos.mkdir('out')\nopen('out/a', 'w').write('1')\nopen('b.log', 'w').write('2')\n",
    )
    image = await bench.build(context)
    assert files_in(image.root) == ["app/conf/a.ini", "app/static/a", "logs/b.log"]
    assert image.host_path("conf/a.ini").read_text() == "key=/app\n"


async def test_a_failing_command_is_told_with_its_line_and_the_end_of_its_log(write, bench):
    context = write(
        Dockerfile="FROM python:PY\nWORKDIR /app\nCOPY . .\nRUN python bad.py\nCMD x\n",
        bad_py="print('about to fail: getaddrinfo ENOTFOUND example.com')\nraise SystemExit(3)\n",
    )
    with pytest.raises(BuildError) as caught:
        await bench.build(context)
    assert "could not reach the network" in caught.value.hint
    assert "exit code 3" in caught.value.message
    assert "about to fail" in caught.value.hint
    assert [(each.position.file, each.position.line) for each in caught.value.diagnostics] == [("Dockerfile", 4)]
    assert [each for each in bench.builder.images.iterdir() if not each.name.endswith(".lock")] == []


async def test_an_installation_that_fails_leaves_no_environment(write, bench):
    context = write(Dockerfile="FROM python:PY\nRUN pip install there-is-no-such-thing\nCMD x\n")
    with pytest.raises(BuildError, match="installing packages failed") as caught:
        await bench.build(context)
    assert caught.value.diagnostics[0].position.line == 2
    assert [each for each in bench.builder.venvs.folder.iterdir() if each.is_dir()] == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("FROM python:PY\nCOPY nothing.txt /app/\n", "no nothing.txt"),
        ("FROM python:PY\nRUN pip install -r nothing.txt\n", "requirements file nothing.txt"),
        ("FROM nginx\n", "base image nginx"),
        ("FROM python:PY\nRUN echo $(id)\n", "command substitution"),
    ],
)
async def test_what_can_not_be_built(write, bench, text, message):
    with pytest.raises(BuildError, match=message.replace(".", r"\.")):
        await bench.build(write(Dockerfile=text))


async def test_removals_and_copies_stay_inside_the_image(write, bench, tmp_path):
    outside = tmp_path / "precious"
    outside.mkdir()
    (outside / "file").write_text("x")
    context = write(
        Dockerfile=f"FROM python:PY\nWORKDIR /app\n"
        f"RUN rm -rf {outside} /../../..{outside} && mkdir -p {outside}/more && ln -s {outside} out\n"
        "COPY main.py out/\nCMD x\n",
        main_py="",
    )
    image = await bench.build(context)
    assert [each.name for each in outside.iterdir()] == ["file"]
    assert (Path(image.root) / f".{outside}" / "main.py").is_file()


async def test_configuration_values_in_build_arguments_are_kept_out_of_log_and_image(write, bench):
    context = write(
        Dockerfile="FROM python:PY\nARG TOKEN\nARG PLAIN\nENV URL=https://$TOKEN@host P=$PLAIN\nWORKDIR /app\n"
        "RUN python -c \"import os; print('got', os.environ['TOKEN'], os.environ['URL'])\"\nCMD x\n",
    )
    image = await bench.build(context, args={"TOKEN": (ConfigRef("KEY"),), "PLAIN": ("p",)}, values={"TOKEN": "s3cr3t-value"})
    assert "got *** https://***@host" in bench.text
    assert image.env == {"P": "p"}
    assert image.secret_env == {"URL": ("https://", ConfigRef("KEY"), "@host")}
    stored = [each for each in bench.folder.rglob("*") if each.is_file() and not each.is_symlink()]
    assert [each for each in stored if b"s3cr3t-value" in each.read_bytes()] == []


async def test_cancelling_ends_the_child_and_leaves_nothing(write, bench, tmp_path):
    started = tmp_path / "started"
    context = write(
        Dockerfile="FROM python:PY\nWORKDIR /app\nCOPY . .\nRUN python wait.py\nCMD x\n",
        wait_py=f"import os, subprocess, sys, time\nc = subprocess.Popen(['sleep', '1000'])\n"
        f"open('{started}.new', 'w').write(f'{{os.getpid()}} {{c.pid}}')\nos.rename('{started}.new', '{started}')\n"
        f"time.sleep(1000)\n",
    )
    building = asyncio.ensure_future(bench.build(context))
    while not started.exists():
        assert not building.done()
        await asyncio.sleep(0.02)
    building.cancel()
    with pytest.raises(asyncio.CancelledError):
        await building
    assert not [pid for pid in started.read_text().split() if runs(pid)]
    assert list(bench.builder.images.iterdir()) == []


async def test_unused_environments_are_removed_after_a_day(write, wheel, bench):
    name = wheel("greeting")
    image = await bench.build(write(Dockerfile=f"FROM python:PY\nWORKDIR /app\nCOPY . .\nRUN pip install ./{name}\nCMD x\n"))
    other = bench.builder.venvs.folder / "unused"
    other.mkdir()
    now = other.stat().st_mtime
    assert prune(bench.builder.venvs.folder, bench.builder.images, now) == []
    assert prune(bench.builder.venvs.folder, bench.builder.images, now + 90_000) == [other]
    assert files_in(image.venv)


async def test_without_a_dockerfile_it_is_detected(write, wheel, bench):
    name = wheel("greeting", "word = 'hi'\n")
    context = write(requirements_txt=f"./{name}\n", main_py="import greeting\nprint(greeting.word)\n")
    image = await bench.build(context)
    assert await output(image) == (0, ["hi"])
    assert "detected Python" in bench.lines[0]


async def test_a_folder_of_static_files_serves_itself(write, bench):
    image = await bench.build(write(**{"index.html": "hello", "css__a.css": "x"}))
    assert image.kind.value == "static" and image.venv == ""
    assert image.host_path("index.html").read_text() == "hello"
    assert command_of(image, None, None)[:2] == ["/bin/sh", "-c"]


@pytest.mark.e2e
async def test_packages_from_the_index_with_a_cut_off(write, bench, monkeypatch, tmp_path):
    monkeypatch.delenv("UV_OFFLINE")
    context = write(Dockerfile="FROM python:PY\nRUN pip install six\nCMD python -c 'import six; print(six.__version__)'\n")
    prepared = bench.prepared(context)
    from defang_nb.build import archive

    archive(prepared.manifest, tmp_path / "a.tar.gz")
    image = await bench.builder.build(
        prepared.source, tmp_path / "a.tar.gz", bench.emit, args={}, exclude_newer="2021-01-01T00:00:00Z"
    )
    assert await output(image) == (0, ["1.15.0"])
