# Every target sets itself up: the virtual environment and the pinned packages are made when they are missing or old.
PYTHON ?= python3
BIN := .venv/bin
BABEL := $(BIN)/python -m babel.messages.frontend --quiet
export FLASK_APP := wsgi.py
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo up test test-faults test-conformance check bench format translations clean
.DEFAULT_GOAL := demo

.venv/run: requirements.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

.venv/dev: requirements-dev.txt requirements.txt .venv/run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

demo: .venv/run
	$(BIN)/python -m flask demo

up: .venv/run
	$(BIN)/python -m flask up

test: .venv/dev
	$(BIN)/python -m pytest -n 4

test-faults: .venv/dev
	$(BIN)/python -m pytest -m faults

test-conformance: .venv/dev
	$(BIN)/python -m bench.conformance

check: .venv/dev
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m ruff check .
	$(BIN)/python -m mypy
	$(MAKE) test

bench: .venv/dev
	$(BIN)/python -m bench

format: .venv/dev
	$(BIN)/python -m ruff format .
	$(BIN)/python -m ruff check --fix .

# Takes the sentences of app/ and workers/wording/ into the Turkish catalogue, and compiles it. Between two runs: translate what is empty.
translations: .venv/run
	mkdir -p var
	$(BABEL) extract -F pyproject.toml -k lazy --no-location --omit-header --sort-output -o var/messages.pot .
	$(BABEL) update -N --width 120 --ignore-obsolete --ignore-pot-creation-date -i var/messages.pot -d workers/wording/translations -l tr
	$(BABEL) compile -d workers/wording/translations -l tr

clean:
	rm -rf .venv .venv-bench var .pytest_cache .mypy_cache .ruff_cache
