# Each target sets itself up: nothing else is to be installed by hand.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: demo test check bench bench-planning bench-ocpp services clean

demo: $(STAMP)   ## a depot run live on real sockets, with its panel in the browser
	$(BIN)/depot demo --speed 60

test: $(STAMP)   ## every test; those that need a server start it, or are skipped by name
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

check: $(STAMP)  ## style, types and import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(STAMP)  ## speed beside peers, printed and written to build/bench/
	$(BIN)/python -m benchmarks

bench-planning: $(STAMP)  ## planning beside its peers; build/bench/planning.json
	$(BIN)/python -m benchmarks planning

bench-ocpp: $(STAMP)  ## OCPP: throughput, crowds, virtual charge points, a virtual day; build/bench/ocpp.json
	$(BIN)/python -m benchmarks ocpp

services:        ## the real servers the tests use, from Debian's packages (root)
	sh deploy/test-services.sh

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache .hypothesis
