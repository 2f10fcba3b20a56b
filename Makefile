# `make demo` and `make test` do all the set-up first. Nothing here is needed: README.md says how to go without make.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; exit; }; done; echo python3)
BIN := .venv/bin
READY := .venv/.ready

# One thread for each numerical library, as in the engine: more cost latency. Windows are painted into memory.
export OPENBLAS_NUM_THREADS := 1
export OMP_NUM_THREADS := 1
export MKL_NUM_THREADS := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
CHECKED := QT_QPA_PLATFORM=offscreen

# Half an hour of attacks by real processes (make cases) has its kinds in the tests: make test leaves it out.
QUICK := files-and-streams

.PHONY: help setup demo test lint types arrows doctest docs fast slow cases mutations bench soak results networks screens lock clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' Makefile

setup: $(READY)  ## virtual environment, pinned dependencies, libraries for Qt

demo: setup  ## everything once without hardware (options: make demo ARGS="--headless --out DIR")
	@$(BIN)/bci demo $(ARGS)

test: setup  ## all tests, and at the same time style, types, imports, doctests, documentation and case programs
	@$(BIN)/python tests/suite.py --beside --cases "$(QUICK)" $(ARGS)

lint: setup  ## ruff
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: setup  ## mypy, strict, on bci/, devices/ and gui/
	@$(BIN)/mypy

arrows: setup  ## import-linter: a package imports only from packages below it
	@$(BIN)/lint-imports --no-logo

doctest: setup  ## the examples in docstrings
	@$(CHECKED) $(BIN)/pytest -q --doctest-modules bci devices pipelines gui

docs: setup  ## the documentation site, into build/docs; a warning is an error
	@$(BIN)/python -m sphinx -b html -n -W --keep-going -q -j auto -d build/doctrees $(ARGS) docs build/docs
	@echo "the site begins at build/docs/index.html"

fast: setup  ## tests that take seconds
	@$(BIN)/python tests/suite.py --only "not slow" $(ARGS)

slow: setup  ## tests that take longer
	@$(BIN)/python tests/suite.py --only slow $(ARGS)

cases: setup  ## the case programs beside the project (../shared/cases), if they are there
	@$(BIN)/python tests/cases.py $(ARGS)

mutations: setup  ## plant small faults one by one, and see whether the tests notice them (one target: make mutations ARGS=guard)
	@$(CHECKED) $(BIN)/python tests/mutation $(ARGS)

bench: setup  ## benchmarks (one: make bench ONLY=latency)
	@status=0; for file in tests/benchmarks/bench_*$(ONLY)*.py; do \
		echo "== $$file"; $(BIN)/python $$file $(ARGS) || status=1; done; exit $$status

soak: setup  ## 40 minutes at 64 channels and 1 kHz with an actuator: memory, threads, handles, lateness
	@$(BIN)/python tests/benchmarks/soak.py --repaints 20000 $(ARGS)

results: setup  ## accuracy on the real recordings beside the project, into docs/results/results.md
	@cd tests/benchmarks && ../../$(BIN)/python -m results $(ARGS)

networks: setup  ## every decoder on the real recordings, into docs/results/networks-results.md; continues where it stopped
	@cd tests/benchmarks && nice -n 19 ../../$(BIN)/python -W ignore -m networks $(ARGS)

screens: setup  ## pictures of every window, into docs/screens
	@$(CHECKED) $(BIN)/python -m gui.screenshots $(ARGS)

clicks: setup  ## a whole session by real clicks under Xvfb, openbox and xdotool, with a picture of each step
	@$(BIN)/python tests/clicks.py $(ARGS)

lock: setup  ## write constraints.txt from what is installed
	@$(BIN)/python .ci/lock.py > .venv/constraints.new && mv .venv/constraints.new constraints.txt && touch $(READY)

clean:  ## remove the virtual environment and caches (never recordings)
	@rm -rf .venv build dist bci.egg-info docs/gallery docs/sg_execution_times.rst .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Entry points freeze at install, so a change of pyproject.toml installs anew.
$(READY): pyproject.toml constraints.txt .ci/setup .ci/qt-libraries
	@PYTHON=$(PYTHON) .ci/setup
	@.ci/qt-libraries
	@touch $@
