# `make` lists the targets. Each target sets up what it needs.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV ?= .venv
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PY := $(BIN)/python
PYTEST := $(PY) -m pytest
ARGS ?=

# Unset what a shell may carry over from another environment.
unexport PYTHONPATH
unexport PYTHONHOME

.PHONY: help setup demo test test-all test-plain test-faults check format bench bench-limit bench-fleet bench-memory score score-ffmpeg soak bench-delay rolling chaos docs pins clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 12

setup: $(STAMP)  ## makes $(VENV) with everything in it, from the pinned versions

$(STAMP): requirements-dev.txt pyproject.toml hatch_build.py $(wildcard detectors/native/*.[ch])
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer was not found. Name one: make PYTHON=/path/to/python3.12" >&2; exit 2; }
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(PY) -c 'import sys; from detectors.native import kernels; sys.exit(kernels is None)' \
		|| echo "Without a C compiler and Python's headers, the kernels in C were left out: watching will cost more CPU." >&2
	@touch $@

demo: $(STAMP)  ## live channels made here, with faults on a schedule, watched (FOREVER=1 goes on until Ctrl-C)
	$(BIN)/glitchwatch demo $(if $(FOREVER),--forever) $(ARGS)

test: $(STAMP)  ## every test but the slow ones (ARGS="-k black" narrows them down)
	$(PYTEST) -m "not slow" $(ARGS)

test-all: $(STAMP)  ## every test
	$(PYTEST) $(ARGS)

test-plain: $(STAMP)  ## the detectors' tests once more, as where the package was built without a compiler
	$(PYTEST) -p tests.without_kernels -m "not slow" tests/unit/detectors tests/property tests/golden $(ARGS)

test-faults: $(STAMP)  ## workers, controller, store and sources that are killed, hung, cut off; prints what each took
	$(PYTEST) -m faults -rP $(ARGS)

check: $(STAMP)  ## style, types, who imports whom, generated files up to date; changes nothing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(PY) -m mypy $(wildcard contracts detectors store worker controller glitchwatch tests benchmarks hatch_build.py)
	$(BIN)/lint-imports
	$(PY) -m glitchwatch.catalogue_docs --check

format: $(STAMP)  ## lays the code out and repairs what can be repaired safely
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# What is compared with: the system's FFmpeg, or the one in a wheel.
define ffmpeg
@command -v ffmpeg >/dev/null || $(PY) -c 'import imageio_ffmpeg' 2>/dev/null \
	|| $(PY) -m pip install --quiet --disable-pip-version-check 'imageio-ffmpeg>=0.6' \
	|| echo "FFmpeg is not at hand: measured without it." >&2
endef

bench: $(STAMP)  ## what watching costs beside decoding alone and beside FFmpeg's filters (ARGS=--quick)
	$(call ffmpeg)
	$(PY) -m benchmarks.speed $(ARGS)

bench-fleet: $(STAMP)  ## 5,000 streams on 120 worker processes that decode nothing: time to assign, to move, and what it costs
	$(PY) -m benchmarks.fleet $(ARGS)

bench-memory: $(STAMP)  ## what a watch with all detectors keeps in memory, at 360p and at 1080p
	$(PY) -m benchmarks.memory $(ARGS)

bench-limit: $(STAMP)  ## fails where a check of 1080p costs more than 1.25 times decoding alone (two minutes)
	$(PY) -m benchmarks.speed --short --rasters 1080p30 --seconds 20 --pairs 5 --limit 1.25 $(ARGS)

score: $(STAMP)  ## how well each detector finds faults injected into real footage
	$(call ffmpeg)
	$(PY) -m benchmarks.score --write $(ARGS); status=$$?; $(PY) -m glitchwatch.catalogue_docs && exit $$status

score-ffmpeg: $(STAMP)  ## which faults are found that FFmpeg's own filters make, and we did not write
	$(call ffmpeg)
	$(PY) -m benchmarks.by_ffmpeg --write $(ARGS)
	$(PY) -m glitchwatch.catalogue_docs

soak: $(STAMP)  ## a long run against channels made here; memory and descriptors must stay flat
	$(PY) -m glitchwatch.origin.soak $(ARGS)

bench-delay: $(STAMP)  ## how long after publication a fault is known at the API (ARGS="--minutes 4 --seed 1")
	$(PY) -m benchmarks.endurance delay $(ARGS)

rolling: $(STAMP)  ## ten minutes of six channels while all workers are restarted again and again
	$(PY) -m benchmarks.endurance rolling $(ARGS)

chaos: $(STAMP)  ## half an hour of six channels while everything is killed, paused and cut off
	$(PY) -m benchmarks.endurance chaos $(ARGS)

docs: $(STAMP)  ## writes detectors/catalogue.json, the pages and the pictures in docs/ again
	$(PY) -m benchmarks.pictures
	$(PY) -m glitchwatch.catalogue_docs

UV := UV_PYTHON_DOWNLOADS=never $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url --no-emit-find-links

pins: $(STAMP)  ## resolves the dependencies anew: requirements.txt and requirements-dev.txt
	$(UV) --upgrade -o requirements.txt pyproject.toml
	$(UV) --upgrade --extra dev -c requirements.txt -o requirements-dev.txt pyproject.toml

clean:  ## removes what was made here, the environment included
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -not -path './.venv*' -prune -exec rm -rf {} +
