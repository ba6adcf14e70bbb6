# Two commands on a fresh machine: `make demo` shows the main job, `make test` runs every test.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

# One worker more than cores: tests wait for servers half of the time.
WORKERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
PYTEST  := $(BIN)/python -m pytest -n $(WORKERS)

.PHONY: demo test soak drill night pythons check lint setup format lock document release sbom audit clean

demo: $(READY)  ## one batch of three mailboxes, end to end, on this machine
	$(BIN)/python -m tests.demo

test: debian-packages lint  ## every test, against real servers; of large matrices a sample that the commit chooses
	$(BIN)/python .ci/tests.py $(PYTEST)

soak: debian-packages lint  ## the same without sampling: for the night
	MAILHAUL_TEST_SOAK=1 $(PYTEST) --timeout 3600

drill: debian-packages $(READY)  ## random imports under random faults: SEED=7 MINUTES=10 STORE=mdbox WITHOUT=UIDPLUS,LITERAL+
	$(BIN)/python -m tests.drill --minutes $(or $(MINUTES),5) --store $(or $(STORE),maildir) \
		$(if $(SEED),--seed $(SEED)) $(if $(WITHOUT),--without $(WITHOUT))

night: debian-packages $(READY)  ## seven faults, one after the other, and the alarms that the operator gets
	$(BIN)/python -m tests.drill.night

pythons: $(READY)  ## the unit tests on each Python from 3.11 to 3.14 that this machine has
	sh .ci/pythons

check: lint  ## the fast inner loop
	$(PYTEST) tests/unit tests/property

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

setup: $(READY)

.PHONY: debian-packages
debian-packages:
	sh .ci/debian-packages

$(READY): requirements-dev.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Mailhaul needs Python 3.11 or later.")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -q importer providers
	touch $@

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

document: $(READY)  ## the pages of docs/ that are made from the code
	$(BIN)/python -m docs.generate

lock: $(READY)  ## resolve the dependencies anew
	$(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra dev pyproject.toml -o requirements-dev.lock
	$(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra otlp --constraint requirements-dev.lock pyproject.toml -o requirements-otlp.lock
	$(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra release --constraint requirements-dev.lock pyproject.toml -o requirements-release.lock
	$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' | $(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --constraint requirements-dev.lock - -o requirements-build.lock

release: $(READY)  ## wheel and sdist of this commit in dist/, checked and tried, and its tag; CHECK=1: without the tag
	$(BIN)/python .ci/release.py $(if $(CHECK),--check)

sbom:  ## dist/sbom.cdx.json (CycloneDX) and dist/licences.md: what a release installs
	PYTHON="$(PYTHON)" sh .ci/supply-chain sbom

audit:  ## looks the locked versions up among known vulnerabilities; needs the internet
	PYTHON="$(PYTHON)" sh .ci/supply-chain audit

clean:
	rm -rf build dist $(VENV) .demo .mypy_cache .ruff_cache .pytest_cache .hypothesis
