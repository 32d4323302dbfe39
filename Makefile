# `make demo` and `make test` set up everything themselves, in .venv.
PYTHON ?= python3
BIN := .venv/bin
# A test process more than cores, since browsers and servers are waited for; threads of the linear algebra would
# fight over the cores.
export PYTEST_XDIST_AUTO_NUM_WORKERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
export OMP_NUM_THREADS ?= 1
# Programs that are started again and again are compiled once, whatever the environment says.
export PYTHONDONTWRITEBYTECODE :=
# uv installs several times as fast as pip, and does not read its settings: it looks where pip is told to look.
UV := .venv/bin/uv pip install --quiet --python
ifdef PIP_FIND_LINKS
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
endif
ifdef PIP_INDEX_URL
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
endif
export UV_HTTP_TIMEOUT ?= 180

.PHONY: demo test fast lint types docs bench floors bare dist wheel site audit clean

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
	$(UV) .venv --group bench
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

.venv/floors.done: .venv/bin/uv .venv/system.done pyproject.toml
	rm -rf .venv/floors && $(FLOOR_PYTHON) -m venv --without-pip .venv/floors
	$(BIN)/uv pip compile --quiet --resolution lowest-direct --python .venv/floors \
	  $(FLOOR_EXTRAS:%=--extra %) --output-file .venv/floors/floors.txt pyproject.toml >/dev/null
	$(UV) .venv/floors -r .venv/floors/floors.txt \
	  pytest pytest-xdist pytest-randomly hypothesis polars krippendorff statsmodels psutil
	$(UV) .venv/floors --no-deps --editable .
	touch $@

# The tests of the core, where nothing of databases, servers and browsers is installed.
bare: .venv/bare.done
	env -u ACTIVELAB_DATA -u CI .venv/bare/bin/python -m pytest -n auto -p no:cacheprovider --hypothesis-seed=0 tests/acquisition tests/consensus/test_bayesian.py \
	  tests/consensus/test_consensus.py tests/test_labels.py \
	  -k "not crowdkit"

.venv/bare.done: .venv/bin/uv pyproject.toml
	rm -rf .venv/bare && $(PYTHON) -m venv --without-pip .venv/bare
	$(UV) .venv/bare --editable ".[pandas]" polars pytest pytest-xdist pytest-randomly hypothesis
	touch $@

dist: .venv/dev.done
	rm -rf dist
	$(BIN)/python -m build --installer uv --outdir dist . && $(BIN)/twine check --strict dist/*.whl dist/*.tar.gz

# What a stranger gets: the wheel, which is built from the sdist, installed by pip in an environment with nothing else;
# what that weighs, and the demo there.
wheel: dist
	rm -rf .venv/wheel && $(PYTHON) -m venv .venv/wheel && mkdir .venv/wheel/empty
	@empty=$$(du -sm .venv/wheel | cut -f1) && .venv/wheel/bin/python -m pip install --quiet dist/*.whl && echo "$$(du -sm \
	  .venv/wheel | cut -f1) MB, $$(.venv/wheel/bin/python -m pip list --format=freeze | wc -l) packages; $$empty MB of it pip's own"
	cd .venv/wheel/empty && ../bin/activelab --version && ../bin/activelab demo

# This version of the documentation beside the others, as a commit on the local branch gh-pages; nothing is pushed.
site: export PATH := $(CURDIR)/$(BIN):$(PATH)
site: .venv/dev.done
	mike deploy --config-file mkdocs.versions.yml --update-aliases \
	  $$(python -c "import activelab; print('.'.join(activelab.__version__.split('.')[:2]))") latest
	mike set-default --config-file mkdocs.versions.yml latest

# Known weaknesses of what a server installs, and the list of it (SBOM, CycloneDX) in dist/. What cannot be looked up
# is a failure; ActiveLab itself is not.
audit: .venv/dev.done
	rm -rf .venv/audit && $(PYTHON) -m venv --without-pip .venv/audit && mkdir -p dist
	$(UV) .venv/audit ".[web,postgresql,label-studio,plots]"
	$(BIN)/cyclonedx-py environment .venv/audit --pyproject pyproject.toml --output-file dist/activelab.cdx.json
	$(BIN)/uv pip uninstall --quiet --python .venv/audit activelab
	$(BIN)/pip-audit --strict --path .venv/audit/lib/python3*/site-packages

# Debian ships venv apart from Python.
.venv/bin/uv:
	$(PYTHON) -m venv .venv || { rm -rf .venv; apt-get install -y python3-venv && $(PYTHON) -m venv .venv; }
	$(BIN)/python -m pip install --quiet uv

.venv/base.done: .venv/bin/uv pyproject.toml
	$(UV) .venv --editable ".[web,plots]"
	touch $@

.venv/dev.done: .venv/base.done
	$(UV) .venv --editable . --group test --group lint --group docs --group release
	touch $@

# The tests run a real Label Studio server, in an environment of its own: it pins other versions of our libraries.
.venv/label-studio.done: .venv/bin/uv
	$(PYTHON) -m venv --without-pip .venv/label-studio
	$(UV) .venv/label-studio "label-studio==1.23.2"
	touch $@

# The tests run a real browser, a real PostgreSQL and a real nginx. Where there is no Chromium without windows, that
# with windows does.
APT := apt-get install -y -qq --no-install-recommends
PACKAGES := postgresql nginx-light
.venv/system.done: .venv/bin/uv
	{ command -v chromium-headless-shell && PATH="$$PATH:/usr/sbin" command -v nginx && ls /usr/lib/postgresql/*/bin/initdb; } >/dev/null 2>&1 || \
	  { export DEBIAN_FRONTEND=noninteractive SUDO=$$(test $$(id -u) = 0 || echo sudo); $$SUDO apt-get update -qq && \
	    { $$SUDO $(APT) chromium-headless-shell $(PACKAGES) || $$SUDO $(APT) chromium $(PACKAGES); }; } || \
	  { command -v chromium && PATH="$$PATH:/usr/sbin" command -v nginx && ls /usr/lib/postgresql/*/bin/initdb; } >/dev/null || \
	  { echo "Install chromium, postgresql and nginx, then repeat."; exit 1; }
	touch $@

clean:
	rm -rf .venv demo site dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
