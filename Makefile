# `make demo` and `make test` set up everything themselves, in .venv.
PYTHON ?= python3
BIN := .venv/bin
# One test process a core: threads of the linear algebra would fight over them.
export OMP_NUM_THREADS ?= 1

.PHONY: demo test fast lint types docs bench clean

demo: .venv/base.done
	$(BIN)/activelab demo --folder demo

test: .venv/dev.done .venv/system.done .venv/label-studio.done
	$(BIN)/python -m pytest -m "" -n auto

fast: .venv/dev.done
	$(BIN)/python -m pytest -n auto

lint: .venv/dev.done
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/dev.done
	$(BIN)/mypy

docs: .venv/dev.done
	$(BIN)/mkdocs build --strict

bench: .venv/dev.done
	$(BIN)/pip install --group bench
	for script in benchmarks/[a-z]*.py; do $(BIN)/python $$script; done

# Debian ships venv apart from Python.
.venv/bin/python:
	$(PYTHON) -m venv .venv || { rm -rf .venv; apt-get install -y python3-venv && $(PYTHON) -m venv .venv; }
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"

.venv/base.done: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable ".[web]"
	touch $@

.venv/dev.done: .venv/base.done
	$(BIN)/python -m pip install --quiet --group test --group lint --group docs
	touch $@

# The tests run a real Label Studio server, in an environment of its own: it pins other versions of our libraries.
.venv/label-studio.done: .venv/bin/python
	$(PYTHON) -m venv .venv/label-studio
	.venv/label-studio/bin/python -m pip install --quiet "label-studio==1.23.2"
	touch $@

# The tests run a real browser, a real PostgreSQL and a real nginx.
.venv/system.done: .venv/bin/python
	{ command -v chromium && PATH="$$PATH:/usr/sbin" command -v nginx && ls /usr/lib/postgresql/*/bin/initdb; } >/dev/null 2>&1 || \
	  { SUDO=$$(test $$(id -u) = 0 || echo sudo); $$SUDO apt-get update -qq && \
	    DEBIAN_FRONTEND=noninteractive $$SUDO apt-get install -y -qq --no-install-recommends chromium postgresql nginx-light; } || \
	  { echo "Install chromium, postgresql and nginx, then repeat."; exit 1; }
	touch $@

clean:
	rm -rf .venv demo site dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
