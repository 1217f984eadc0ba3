# Two commands do all their own set-up: `make audit` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
HOSTS ?= local://
BASELINE ?= voip-core
SITE ?=
WORKERS ?= auto

.PHONY: help audit test lint mutation lab-packages clean

help:
	@echo "make audit   audit this machine (or HOSTS=...) and write report.xml"
	@echo "make test    run every test; installs the system packages they need where it may"
	@echo "make lint    ruff, mypy, the layer rule"
	@echo "make mutation  which changes of the SCCP codec no test notices (half an hour on two cores)"
	@echo "make clean   remove the virtual environment and caches"

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

audit: $(VENV)/.installed
	$(BIN)/callgate audit $(HOSTS) --baseline $(BASELINE) $(if $(SITE),--site $(SITE)) --junit report.xml

lab-packages:
	@sh .ci/lab-packages

test: $(VENV)/.installed-dev lint lab-packages
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal tests

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

mutation: $(VENV)/.installed-dev
	$(BIN)/python bench/mutation.py

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
