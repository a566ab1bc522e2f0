# Every gate is one command; each target sets up what it needs. See CONTRIBUTING.md.
VENV ?= .venv
BIN := $(VENV)/bin
PYTHON ?= python3

.PHONY: setup check test
setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q uv
	$(BIN)/uv pip install -q --python $(BIN)/python -e '.[notebook]' --group test --group check --group e2e
	touch $@

test: setup
	$(BIN)/pytest -q -m 'not e2e'
