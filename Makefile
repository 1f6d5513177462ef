# Everything here works from a fresh clone: each target makes the environment it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test torture test-parity parity-zoo lint clean

demo: $(VENV)/ready  ## the main job end to end on an embedded stand-in Hub
	$(BIN)/hfscan demo

test: lint $(VENV)-hub0/ready  ## all that must hold before a change lands
	$(BIN)/python -m pytest
	$(VENV)-hub0/bin/python -m pytest tests/minihub tests/hub

RUNS ?= 1000
SEED ?= 1

torture: $(VENV)/ready  ## crawls under every fault, kills and damage: an hour; RUNS=, SEED=
	$(BIN)/python tests/torture/torture.py --runs $(RUNS) --seed $(SEED)

lint: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# newest dependencies, no framework: what a user of the base install has
$(VENV)/ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"  # the first that knows groups
	$(BIN)/python -m pip install --quiet --editable . --group dev
	touch $@

test-parity: $(VENV)-parity/ready  ## the frameworks themselves: 4 GB, some minutes
	$(VENV)-parity/bin/python -m pytest tests/parity

parity-zoo: $(VENV)-parity/ready  ## every architecture that has both classes: hours
	$(VENV)-parity/bin/python -m hfscan.parity.zoo --out docs/parity-zoo.md

$(VENV)-parity/ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)-parity
	$(VENV)-parity/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	$(VENV)-parity/bin/python -m pip install --quiet --editable ".[parity]" --group dev
	touch $@

# the oldest huggingface_hub that is supported in practice: with requests instead of httpx
$(VENV)-hub0/ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)-hub0
	$(VENV)-hub0/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	$(VENV)-hub0/bin/python -m pip install --quiet --editable . --group dev "huggingface_hub==0.36.*"
	touch $@

clean:
	rm -rf .venv* build dist demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
