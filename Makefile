# Every gate is one command; each target sets up what it needs. `make` alone lists them. See CONTRIBUTING.md.
VENV ?= .venv
BIN := $(VENV)/bin
PYTHON ?= python3
JOBS ?= 2
# As root each of several starts a container engine of its own; else they would share the one that answers.
E2E_JOBS ?= $(if $(filter 0,$(shell id -u)),$(JOBS),1)

.DEFAULT_GOAL := help
.PHONY: help setup demo lab test goldens check e2e vscode crash-matrix fuzz fuzz-engine fuzz-compose bench compare screenshots proto format clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.ready ## make .venv with everything in it (the other targets do it by themselves)

# What JupyterLab loads is copied when the package is installed, also where that is editable.
$(VENV)/.ready: pyproject.toml $(wildcard defang_nb/notebook/labextension/static/*)
	@command -v $(PYTHON) >/dev/null || \
	  { echo "$(PYTHON) is not here: install Python 3.11 or newer, or say which one: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$(PYTHON) is too old: Python 3.11 or newer is needed; say which one: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "$(PYTHON) has no venv module: on Debian and Ubuntu, apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check uv
	$(BIN)/uv pip install -q --compile-bytecode --python $(BIN)/python -e '.[notebook]' --group test --group check --group e2e
	@touch $@

demo: setup ## run the quickstart headless against a real local cd; keeps artifacts/quickstart.ipynb and .html
	$(BIN)/python scripts/demo.py

lab: setup ## open the quickstart in JupyterLab
	$(BIN)/jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) --notebook-dir notebooks notebooks/quickstart.ipynb

test: setup ## the fast tests: no network, no Docker, no root
	$(BIN)/python -m pytest -q -m 'not e2e and not vscode' --timeout 200 -n $(JOBS)

check: setup ## format, lint, types, layers, generated code, documents and notebooks
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m defang_nb.wire.generate --check
	$(BIN)/python scripts/compose_support.py --check
	$(BIN)/python scripts/modes_page.py --check
	$(BIN)/python scripts/lint_docs.py

goldens: setup ## keep what cells show in each state anew, in tests/render/goldens (then read the difference)
	RECORD_GOLDENS=1 $(BIN)/python -m pytest -q tests/notebook/test_shown.py

# Not beside each other: all Podmans of a machine tell their containers' names to one and the same DNS.
PODMAN := tests/e2e/test_podman.py

e2e: setup ## real deployments, and a real JupyterLab in Chromium (keeps screenshots in artifacts/)
	$(BIN)/python -m pytest -q -p no:randomly -m e2e -n $(E2E_JOBS) --maxschedchunk 1 --ignore $(PODMAN)
	$(BIN)/python -m pytest -q -p no:randomly -m e2e $(PODMAN)

vscode: setup ## install VS Code in a browser, by npm (800 MB), and try the views there; EXTENSIONS="a.vsix b.vsix" where none can be fetched
	$(BIN)/python scripts/vscode.py $(VENV)/vscode $(EXTENSIONS)
	$(BIN)/python -m pytest -q -p no:randomly -m vscode

crash-matrix: setup ## kill cd at every boundary of its journal, one after the other (some minutes), as a table
	$(BIN)/python -m tests.crash.matrix

fuzz: fuzz-engine fuzz-compose ## many thousand random examples (long)

fuzz-engine: setup ## random projects, edits, deaths and faults against the deployment engine
	$(BIN)/python -m pytest -q -p no:randomly --hypothesis-profile fuzz --hypothesis-show-statistics tests/provision/test_machine.py

fuzz-compose: setup ## damaged Compose files, ten thousand by chance and then guided by coverage: SECONDS=600 FOLDERS="a b"
	$(BIN)/python -m pytest -q -p no:randomly --hypothesis-profile fuzz tests/compose/test_mutations.py
	$(BIN)/python -m tests.compose.fuzz --seconds $(or $(SECONDS),600) $(FOLDERS)

bench: setup ## speed and memory, as a table
	$(BIN)/python scripts/bench.py
	$(BIN)/python scripts/bench_engine.py
	$(BIN)/python scripts/bench_context.py
	$(BIN)/python scripts/bench_aws.py
	$(BIN)/python scripts/bench_containers.py
	$(BIN)/python scripts/bench_notebook.py

compare: setup ## the Compose loader beside docker compose: our cases, or the files of FOLDERS="a b"; RECORD=1 keeps its answers
	$(BIN)/python tests/compose/compare.py $(if $(RECORD),--record) $(if $(REFERENCE),--reference $(REFERENCE)) $(FOLDERS)

screenshots: setup ## make docs/deployment.png anew
	$(BIN)/python scripts/screenshot.py

proto: setup ## generate the gRPC code from proto/
	$(BIN)/python -m defang_nb.wire.generate

format: setup ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## remove .venv, caches and artifacts
	rm -rf $(VENV) artifacts .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
