# `make demo` and `make test` set up everything themselves, in .venv.
PYTHON ?= python3
BIN := .venv/bin
# One test process a core: threads of the linear algebra would fight over them.
export OMP_NUM_THREADS ?= 1

.PHONY: demo test fast lint types docs bench floors bare size dist wheel site audit clean

demo: .venv/base.done
	$(BIN)/activelab demo --folder demo

test: .venv/dev.done .venv/system.done .venv/label-studio.done
	$(BIN)/python -m pytest -m "" -n auto --dist worksteal

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

# The lowest versions that pyproject.toml declares, in an environment of its own, on the lowest Python if it is here.
floors: .venv/floors.done
	env -u ACTIVELAB_DATA -u CI .venv/floors/bin/python -m pytest -n auto -p no:cacheprovider --hypothesis-seed=0 $(FLOOR_TESTS)

FLOOR_PYTHON ?= $(shell command -v python3.11 || echo $(PYTHON))
FLOOR_EXTRAS := crowdkit huggingface label-studio plots postgresql scale web
# What calls other libraries: not what needs a browser, a network of a gigabyte, a cluster or another server; nor real
# data, which is large; nor what is our own arithmetic alone.
FLOOR_TESTS := $(filter-out $(addprefix tests/,test_architecture.py test_deploy.py test_docs.py test_images.py test_migration.py test_notebooks.py test_packaging.py \
  test_advice.py test_properties.py test_strategies.py test_core_against_naive.py tables/test_hostile_files.py test_aggregation.py test_calibration.py \
  test_conformance.py test_errors.py test_labels.py test_multiannotator.py test_planning.py test_whole.py agreement/% assignment/% audit/% \
  consensus/test_a% consensus/test_b% consensus/test_d% consensus/test_h% consensus/test_o% consensus/test_s% label_studio/% multilabel/% \
  simulation/% stopping/% \
  scale/test_scale_clusters.py scale/test_scale_errors.py scale/test_scale_stores.py web/%),$(filter-out tests/project/%,$(wildcard tests/test_*.py \
  tests/*/test_*.py))) $(addprefix tests/project/test_project_,import.py migrations.py settings.py training.py) \
  tests/web/test_web_api.py tests/web/test_web_predictions.py \
  --deselect tests/project/test_project_training.py::test_a_network_of_sentences_that_is_not_there

.venv/floors.done: .venv/bin/python .venv/system.done pyproject.toml
	rm -rf .venv/floors && $(FLOOR_PYTHON) -m venv .venv/floors
	.venv/floors/bin/python -m pip install --quiet uv
	.venv/floors/bin/uv pip compile --quiet --resolution lowest-direct --python .venv/floors/bin/python \
	  $(FLOOR_EXTRAS:%=--extra %) --output-file .venv/floors/floors.txt pyproject.toml >/dev/null
	.venv/floors/bin/uv pip install --quiet --python .venv/floors/bin/python -r .venv/floors/floors.txt \
	  pytest pytest-xdist pytest-randomly hypothesis polars krippendorff statsmodels psutil
	.venv/floors/bin/uv pip install --quiet --python .venv/floors/bin/python --no-deps --editable .
	touch $@

# The tests of the core, where nothing of databases, servers and browsers is installed.
bare: .venv/bare.done
	env -u ACTIVELAB_DATA -u CI .venv/bare/bin/python -m pytest -n auto -p no:cacheprovider --hypothesis-seed=0 tests/acquisition tests/consensus/test_bayesian.py \
	  tests/consensus/test_consensus.py tests/test_labels.py \
	  -k "not crowdkit"

.venv/bare.done: .venv/bin/python pyproject.toml
	rm -rf .venv/bare && $(PYTHON) -m venv .venv/bare
	.venv/bare/bin/python -m pip install --quiet --editable ".[pandas]" polars pytest pytest-xdist \
	  pytest-randomly hypothesis
	touch $@

# What `pip install activelab` weighs, the environment and pip included.
size: .venv/bin/python
	rm -rf .venv/size && $(PYTHON) -m venv .venv/size
	@empty=$$(du -sm .venv/size | cut -f1) && .venv/size/bin/python -m pip install --quiet . && echo "$$(du -sm \
	  .venv/size | cut -f1) MB, $$(.venv/size/bin/python -m pip list --format=freeze | wc -l) packages; $$empty MB of it pip's own"

dist: .venv/dev.done
	rm -rf dist && $(BIN)/python -m pip install --quiet --group release
	$(BIN)/python -m build --outdir dist . && $(BIN)/twine check --strict dist/*.whl dist/*.tar.gz

# What a stranger gets: the wheel, which is built from the sdist, in an environment with nothing else, and the demo there.
wheel: dist
	rm -rf .venv/wheel && $(PYTHON) -m venv .venv/wheel && mkdir .venv/wheel/empty
	.venv/wheel/bin/python -m pip install --quiet dist/*.whl
	cd .venv/wheel/empty && ../bin/activelab --version && ../bin/activelab demo

# This version of the documentation beside the others, as a commit on the local branch gh-pages; nothing is pushed.
site: export PATH := $(CURDIR)/$(BIN):$(PATH)
site: .venv/dev.done
	mike deploy --config-file mkdocs.versions.yml --update-aliases \
	  $$(python -c "import activelab; print('.'.join(activelab.__version__.split('.')[:2]))") latest
	mike set-default --config-file mkdocs.versions.yml latest

# Known weaknesses of what a server installs, and the list of it (SBOM, CycloneDX) in dist/. What cannot be looked up
# is a failure; ActiveLab itself is not.
audit: .venv/bin/python
	rm -rf .venv/audit && $(PYTHON) -m venv --without-pip .venv/audit && mkdir -p dist
	$(BIN)/python -m pip --python .venv/audit install --quiet ".[web,postgresql,label-studio,plots]"
	$(BIN)/python -m pip install --quiet --group release
	$(BIN)/cyclonedx-py environment .venv/audit --pyproject pyproject.toml --output-file dist/activelab.cdx.json
	$(BIN)/python -m pip --python .venv/audit uninstall --quiet --yes activelab
	$(BIN)/pip-audit --strict --path .venv/audit/lib/python3*/site-packages

# Debian ships venv apart from Python.
.venv/bin/python:
	$(PYTHON) -m venv .venv || { rm -rf .venv; apt-get install -y python3-venv && $(PYTHON) -m venv .venv; }
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"

.venv/base.done: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable ".[web,plots]"
	touch $@

.venv/dev.done: .venv/base.done
	$(BIN)/python -m pip install --quiet --editable . --group test --group lint --group docs
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
