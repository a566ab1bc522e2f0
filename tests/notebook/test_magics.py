"""The magics in a real shell: what cells show, how they fail, what completes, and that unloading leaves nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from defang_nb.errors import ComposeError, UnsupportedError, UsageError
from tests.notebook.conftest import Notebook

SHOP = """%%compose shop
services:
  web:
    build: .
    ports: ["8000"]
    environment: {KEY: "${SECRET}"}
"""


def test_help_in_all_its_spellings(notebook: Notebook) -> None:
    for cell in ("%defang up --help", "%defang up?", "%defang up ?", "  %defang up??"):
        notebook.run(cell)
        assert notebook.error is None
        assert notebook.text.startswith("usage: %defang up [options]"), cell
    notebook.run("%defang config set?")
    assert notebook.text.startswith("usage: %defang config set")
    notebook.run("%defang --help")
    assert "commands:" in notebook.text


def test_the_magics_own_documentation_is_the_help(notebook: Notebook) -> None:
    assert "usage: %defang COMMAND" in notebook.shell.magics_manager.magics["line"]["defang"].__doc__
    assert "%%compose [name]" in notebook.shell.magics_manager.magics["cell"]["compose"].__doc__


def test_a_question_mark_elsewhere_stays_ipythons(notebook: Notebook) -> None:
    notebook.run("text = 'defang up?'")
    assert notebook.shell.user_ns["text"] == "defang up?"


def test_a_wrong_line_fails_the_cell_in_two_lines(notebook: Notebook) -> None:
    notebook.run("%defang up --bild")
    assert isinstance(notebook.error, UsageError)
    assert notebook.text == "UsageError: %defang up has no option --bild\nhint: did you mean --build?\n"


@pytest.fixture(autouse=True)
def app(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text('FROM python:3-slim\nCMD ["python", "-m", "http.server", "8000"]\n')


def test_what_a_cells_compose_text_comes_to(notebook: Notebook) -> None:
    notebook.run(SHOP)
    notebook.run("%defang compose config")
    assert notebook.error is None, notebook.text
    assert notebook.text.startswith("name: shop\n")
    assert 'KEY: "${SECRET}"' in notebook.text


def test_a_compose_cell_shows_its_services(notebook: Notebook) -> None:
    notebook.run(SHOP)
    assert notebook.error is None, notebook.text
    assert "shop · 1 service" in notebook.plain
    assert f"build {Path.cwd().name}" in notebook.plain
    assert "✘ SECRET (not set)" in notebook.plain
    assert "8000 ingress" in notebook.html


def test_a_wrong_compose_cell_fails_with_the_line_that_the_cell_shows(notebook: Notebook) -> None:
    notebook.run("\n\n%%compose\nservices:\n  web:\n    image: x\n    prots: [1]\n")
    assert isinstance(notebook.error, ComposeError)
    assert notebook.text.startswith("ComposeError: cell [2]:7:5: ")
    assert notebook.text.count("prots") == 2
    assert "    7 |     prots: [1]\n" in notebook.text
    assert "Traceback" not in notebook.text


def test_compose_text_is_not_expanded(notebook: Notebook) -> None:
    notebook.run("TAG = 'wrong'")
    notebook.run("%%compose\nname: shop\nservices:\n  cache:\n    image: redis:${TAG:-7}\n    labels: {a: '{TAG} $$TAG'}\n")
    assert notebook.error is None, notebook.text
    assert "redis:7" in notebook.plain


def test_what_a_stack_cannot_run_fails_the_cell_and_shows_the_project(notebook: Notebook) -> None:
    notebook.run("%%compose shop\nservices:\n  web:\n    image: nginx\n")
    assert isinstance(notebook.error, UnsupportedError)
    assert "cell [2]:4:5: " in notebook.text
    assert "nginx" in notebook.plain


def test_a_compose_cell_takes_one_name(notebook: Notebook) -> None:
    notebook.run("%%compose Not A name\nservices: {}\n")
    assert isinstance(notebook.error, UsageError)


def test_arguments_take_variables(notebook: Notebook) -> None:
    notebook.run("name = 'up'")
    notebook.run("%defang {name} --help")
    assert "usage: %defang up" in notebook.text
    notebook.run("%defang logs $missing")
    assert isinstance(notebook.error, UsageError)
    assert "no variable 'missing'" in notebook.text


def test_a_shown_listing_is_not_shown_twice_but_again_when_asked(notebook: Notebook) -> None:
    notebook.run("%defang deployments")
    assert notebook.error is None, notebook.text
    assert len(notebook.outputs) == 1
    notebook.run("listed = %defang deployments")
    notebook.run("listed")
    assert "Deployments on local" in notebook.plain


def test_completion(notebook: Notebook) -> None:
    assert notebook.complete("%defang con") == ["config"]
    assert notebook.complete("dep = %defang up --det") == ["--detach"]
    assert notebook.complete("%defang up --stack=lo") == ["--stack=local"]
    assert notebook.complete("%%compose\nservices:\n  web:\n    depe") == ["depends_on:"]
    notebook.run("token = 'x'\nnumber = 5")
    assert notebook.complete("%defang config set A --from-variable tok") == ["token"]
    notebook.run(SHOP)
    assert notebook.complete("%defang logs w") == ["web"]
    assert "SECRET" in notebook.complete("%defang config set ")


def test_settings_are_checked(notebook: Notebook) -> None:
    notebook.run("%config DefangMagics.stack = 'prod'")
    magics = notebook.shell.magics_manager.registry["DefangMagics"]
    assert magics.stack == "prod"
    notebook.run("%config DefangMagics.stack = 'Not Good'")
    assert magics.stack == "prod"
    for wrong in ("log_lines = 1", "log_lines = 10**9", "log_lines = 'many'", "widgets = 'perhaps'", "proxy = 'user/ada'"):
        before = (magics.log_lines, magics.widgets, magics.proxy)
        notebook.run(f"%config DefangMagics.{wrong}")
        assert (magics.log_lines, magics.widgets, magics.proxy) == before, wrong
    notebook.run("%config DefangMagics.proxy = '/user/ada/'")
    assert magics.link("http://localhost:8080/x?y=1") == "/user/ada/proxy/8080/x?y=1"


def test_unloading_leaves_nothing(bare: Notebook) -> None:
    def state() -> tuple[object, ...]:
        shell = bare.shell
        return (
            sorted(shell.magics_manager.magics["line"]),
            sorted(shell.magics_manager.magics["cell"]),
            list(shell.input_transformers_cleanup),
            list(shell.Completer.custom_matchers),
            [type(each).__name__ for each in shell.configurables],
            dict(shell.display_formatter.ipython_display_formatter.deferred_printers),
        )

    bare.run("%unload_ext defang_nb")  # IPython's own extension magics register themselves when first used
    before = state()
    bare.run("%load_ext defang_nb")
    bare.run("%reload_ext defang_nb")
    assert state() != before
    bare.run("%unload_ext defang_nb")
    assert bare.error is None
    assert state() == before
    bare.run("%defang up")
    assert "not found" in bare.text


def test_loading_loads_little() -> None:
    code = (
        "import sys, IPython.core.interactiveshell as i\n"
        "shell = i.InteractiveShell.instance()\n"
        "shell.run_line_magic('load_ext', 'defang_nb')\n"
        "print([m for m in ('grpc', 'msgspec', 'ipywidgets', 'rich', 'yaml', 'google.protobuf') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("url", "base", "expected"),
    [
        ("http://localhost:8080", "/user/a/", "/user/a/proxy/8080/"),
        ("http://127.0.0.1:80/x/y", "/user/a", "/user/a/proxy/80/x/y"),
        ("http://localhost:8080", "", "http://localhost:8080"),
        ("https://example.com:8080/", "/user/a/", "https://example.com:8080/"),
        ("postgres://localhost:5432/db", "/user/a/", "postgres://localhost:5432/db"),
    ],
)
def test_links_through_a_hub(url: str, base: str, expected: str) -> None:
    from defang_nb.client.links import proxied

    assert proxied(url, base) == expected


def test_compose_config_is_about_the_cell_and_points_into_it(notebook: Notebook) -> None:
    notebook.run(SHOP)
    notebook.run("%defang compose config --as-compose")
    assert notebook.error is None
    assert "name: shop" in notebook.text
    notebook.run("%%compose shop\nservices:\n\n  web: {image: '日本', ports: [\"80:80\", '99999']}\n")
    for command in ("%defang compose config", "%defang up"):
        notebook.run(command)
        assert isinstance(notebook.error, ComposeError)
        assert ":4:39: services.web.ports[1]: 99999 is out of range" in notebook.text
        assert "\n    4 |   web: {image: '日本', ports: [\"80:80\", '99999']}\n" in notebook.text
        assert "\n      | " + " " * 16 + "\u3000\u3000" + " " * 20 + "^\n" in notebook.text


def test_a_finding_of_the_provider_quotes_the_cell_without_its_secrets(notebook: Notebook) -> None:
    notebook.run("%%compose shop\nservices:\n  db: {image: redis, environment: {DB_PASSWORD: hunter22}, privileged: true}\n")
    assert notebook.error is None
    for shown in (notebook.plain, notebook.html):
        assert "privileged is ignored" in shown
        assert "{DB_PASSWORD: ••••••••}, privileged: true}" in shown
        assert "hunter22" not in shown


MEGABYTE = 2**20


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("services:\n  web:\n    image: redis:7\n    labels:\n" + "".join(f"      k{n}: v\n" for n in range(80_000)), ""),
        ("services:\n  web:\n    image: redis:7\n    command: " + "x" * MEGABYTE, ""),
        ("services:\n  web:\n    imagee: " + "x" * MEGABYTE, 'did you mean "image"?'),
        ("".join(f"key{n}: 1\n" for n in range(3_000)), "… and 980 more"),
        ("{" * MEGABYTE, "nested deeper than 100 levels"),
        ("services:\n  web: {image: 'a\x1b[31m<script>'}\n", "control characters are not allowed"),
    ],
    ids=["keys", "line", "wrong-line", "wrong-keys", "braces", "control"],
)
def test_a_compose_cell_of_a_megabyte_is_checked_or_told_in_a_few_lines(body: str, said: str, notebook: Notebook) -> None:
    notebook.run(f"%%compose big\n{body}\n")
    assert isinstance(notebook.error, ComposeError) == bool(said), notebook.text[:1000]
    assert said in notebook.text
    assert len(notebook.text) + len(notebook.html) < 30_000
    assert "\x1b[31m" not in notebook.text


def test_of_very_many_services_some_are_listed_and_the_rest_counted(notebook: Notebook) -> None:
    notebook.run("%%compose big\nservices:\n" + "".join(f"  s{n}: {{image: 'redis:7'}}\n" for n in range(400)))
    assert notebook.error is None
    assert "big · 400 services" in notebook.plain
    assert "… and 200 more services" in notebook.plain
