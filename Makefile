# The two commands are `make demo` and `make test`; both make the environment first, and both may be stopped and repeated.
PYTHON ?= python3.11
RUN := .venv/bin/python
export GOMP_SPINCOUNT ?= 30000
export THP_MEM_ALLOC_ENABLE ?= 1

.DEFAULT_GOAL := help
.PHONY: help env demo test fast lint check clean

help:  ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-6s %s\n", $$1, $$2}'

env:  ## .venv with everything pinned; a few minutes, 15 more for mmcv the first time; nothing when it is there
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) not found: install Python 3.11, or name it: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) tools/bootstrap.py

demo: env  ## generated streets -> trained segmentor -> scores, submission and pictures; about 10 minutes on two cores
	@$(RUN) tools/demo.py

test: env  ## every test, slow ones too
	@$(RUN) -m pytest tests

fast: env  ## the tests without the slow ones
	@$(RUN) -m pytest tests -m "not slow"

lint: env  ## what pre-commit checks
	@$(RUN) -m ruff check .

check: env  ## the table of this environment
	@$(RUN) tools/check_env.py

clean:  ## what builds and tests leave behind; keeps .venv, data/, work_dirs/
	@rm -rf build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
	@find . -path ./.venv -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
