# SPDX-License-Identifier: Apache-2.0
# Everything runs from .venv. `make install` keeps it equal to deploy/requirements.lock; every other target runs it first.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# For `make simulate`, `make fuzz`, `make lease-race`, `make crash` and `make crash-import`.
SEED ?=
STEPS ?= 50000
KILLS ?= 30
EVENTS ?= 100000

# How many worker processes `make test` uses; a part of the suite finishes before workers would have started.
WORKERS ?= $(if $(TESTS),0,logical)

# For `make sbom`.
SBOM ?= build/sbom.json

# For `make lock`.
UPGRADE ?= --upgrade

COMPILE = $(RUN) -m piptools compile --quiet --strip-extras --generate-hashes --allow-unsafe \
	--no-header --no-annotate --no-emit-options --no-emit-index-url --no-emit-find-links --no-emit-trusted-host

# The interpreter that creates .venv; empty: the newest working Python >= 3.11 on PATH.
PYTHON ?=

VENV := .venv
RUN := $(VENV)/bin/python
# Named after what is installed and the folder: only a change of these installs again.
STAMP := $(VENV)/.installed-$(shell { cat deploy/requirements.lock pyproject.toml libs/pyproject.toml; pwd; } | cksum | tr ' ' '-')
ifeq ($(shell test -x $(RUN) && echo runs),)
.PHONY: $(STAMP)
endif

PROTOS = $(shell find protos -name '*.proto' 2>/dev/null | LC_ALL=C sort)
ROOMS = $(wildcard libs services deploy)

##@ Use
help: ## show this list
	@awk 'BEGIN { FS = ":.*## "; print "make <target>" } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' Makefile

demo: install ## play the SeatsCo story on four services and an embedded PostgreSQL
	@$(RUN) -m deploy.local demo

up: install ## run the mesh with its pages in the foreground, ports 7001 to 7006, and print links to them
	@$(RUN) -m deploy.local up

install: $(STAMP) ## create .venv from deploy/requirements.lock (does nothing if it is up to date)

##@ Check
# Without a browser, the browser tests alone are skipped.
test: install ## run every test on all cores (one folder: make test TESTS=tests/unit)
	@$(if $(if $(TESTS),$(findstring tests/browser,$(TESTS)),all),sh deploy/local/find-browser.sh $(RUN) install >/dev/null || true,:)
	@$(RUN) -m pytest --numprocesses=$(WORKERS) --dist=worksteal $(TESTS)

browser: install ## find a browser for the tests of the pages, or install chromium
	@sh deploy/local/find-browser.sh $(RUN) install

simulate: install ## compare the Ledger with its model, from SEED (default: random), for STEPS steps
	@PURSER_SIMULATE_SEED="$(or $(SEED),$$(od -An -N4 -tu4 /dev/urandom | tr -d ' '))" PURSER_SIMULATE_STEPS="$(STEPS)" \
		$(RUN) -m pytest tests/simulation --timeout=0

fuzz: install ## call every method with awkward requests, from SEED (default: random), for SECONDS (default: 60) seconds
	@$(RUN) -m tests.fuzz $(if $(SEED),--seed $(SEED)) $(if $(SECONDS),--seconds $(SECONDS))

crash: install ## kill -9 Ledgers and PostgreSQL KILLS (default: 30) times under load, from SEED, and verify all sums (with PURSER_CITUS_PROGRAMS: nodes of a Citus cluster)
	@$(RUN) -m tests.simulation.crash --kills $(KILLS) $(if $(SEED),--seed $(SEED)) $(if $(PURSER_CITUS_PROGRAMS),--citus $(PURSER_CITUS_PROGRAMS))

crash-import: install ## kill -9 importer, Ledger and PostgreSQL while EVENTS (default: 100000) are imported, from SEED, and verify
	@$(RUN) -m tests.simulation.crash_import --events $(EVENTS) $(if $(SEED),--seed $(SEED))

lease-race: install ## race eight clients with leases past zero, strike STRIKES (default: 60) times, from SEED, and compare all they used
	@$(RUN) -m tests.simulation.lease_race $(if $(STRIKES),--strikes $(STRIKES)) $(if $(SEED),--seed $(SEED))

go-caller: install ## generate stubs for Go, build a caller with them and run it (cold: 2 min; needs Go and its module proxy)
	@PURSER_GO_CALLER=1 $(RUN) -m pytest tests/e2e/test_go_caller.py

lint: install ## ruff, buf lint, buf format, buf breaking against main
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@sh deploy/local/protos.sh lint

types: install ## mypy --strict over libs, services, deploy and tests/types (pairs it must reject)
	@$(RUN) -m mypy --strict $(ROOMS) tests/types

protos-check: install ## fail when what was generated from protos/ is not up to date
	@sh deploy/local/protos.sh check

##@ Operate
edge: install ## run the mesh with two Ledgers behind Envoy on port 7007: JSON over HTTP, gRPC-web, gRPC; prints curl lines
	@$(RUN) -m deploy.local edge

rolling: install ## restart two replicas of every service ROUNDS (default: 3) times under load, and count what callers see (PREVIOUS=commit: upgrade from it first; ROLLBACK=commit: go back to it first)
	@$(RUN) -m tests.rolling $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(PREVIOUS),--previous $(PREVIOUS)) $(if $(ROLLBACK),--rollback $(ROLLBACK))

chaos: install ## let faults strike a whole mesh under load for MINUTES (default: 10), from SEED (ONLY="disk full"), and compare everything
	@$(RUN) -m tests.simulation.chaos $(if $(MINUTES),--minutes $(MINUTES)) $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only "$(ONLY)")

restore-drill: install ## promote a standby, and restore a lost server to an instant, under load (ANSWERS=1000), from SEED
	@$(RUN) -m tests.simulation.recovery.drill $(if $(ANSWERS),--answers $(ANSWERS)) $(if $(SEED),--seed $(SEED))

image-check: install ## carry out the steps of the image's Dockerfile in a plain folder, and serve from there (2 min; needs no container engine)
	@PURSER_IMAGE_CHECK=1 $(RUN) -m pytest tests/e2e/test_image.py

citus: install ## run the Ledger's tests on the Citus cluster whose coordinator PURSER_CITUS_URL names (TESTS="tests/store/ledger …")
	@test -n "$$PURSER_CITUS_URL" || { echo "purser: set PURSER_CITUS_URL to a coordinator, such as postgresql://postgres@127.0.0.1:9700/purser; deploy/citus/README.md says how one gets Citus for a trial"; exit 1; }
	@rm -rf build/citus-statements
	@PURSER_CITUS_STATEMENTS=build/citus-statements $(RUN) -m pytest --timeout=300 \
		$(or $(TESTS),tests/store/ledger tests/rpc/ledger tests/e2e/test_story.py tests/simulation/test_races_two_replicas.py)
	@$(if $(TESTS),,PURSER_CITUS_STATEMENTS=build/citus-statements) $(RUN) -m pytest tests/citus
	@PURSER_SIMULATE_STEPS=$(or $(CITUS_STEPS),2000) $(RUN) -m pytest tests/simulation/test_model.py --timeout=0
	@$(if $(PURSER_CITUS_PROGRAMS),$(RUN) -m tests.simulation.crash --kills $(KILLS) --citus $(PURSER_CITUS_PROGRAMS),echo "purser: PURSER_CITUS_PROGRAMS names no folder of a PostgreSQL with Citus: no node was killed")
	@$(RUN) -m tests.perf run --only P25

sbom: install ## write the bill of materials of the image's packages (CycloneDX) into SBOM (default: build/sbom.json)
	@mkdir -p $(dir $(SBOM))
	@$(RUN) -m cyclonedx_py requirements --pyproject pyproject.toml --output-reproducible --of JSON --output-file $(SBOM) \
		deploy/image/requirements.lock

##@ Measure
bench: install ## measure P1 to P28 next to a bare echo (ONLY=P1,P4 ROUNDS=5 SECONDS=2 BENCH_ENTRIES=1000000 BENCH_LINES=1000000)
	@$(RUN) -m tests.perf run $(if $(ONLY),--only $(ONLY)) $(if $(ROUNDS),--rounds $(ROUNDS)) \
		$(if $(SECONDS),--seconds $(SECONDS)) $(if $(BENCH_ENTRIES),--entries $(BENCH_ENTRIES)) \
		$(if $(BENCH_LINES),--lines $(BENCH_LINES))

bench-layers: install ## measure the cost of each layer of an Authorize, starting with a bare echo (ROUNDS=5 SECONDS=2)
	@$(RUN) -m tests.perf layers $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SECONDS),--seconds $(SECONDS))

bench-lane: install ## measure the CPU time of an Authorize in the gate's lane, and which code spends it (ROUNDS=5 SECONDS=2)
	@$(RUN) -m tests.perf lane $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SECONDS),--seconds $(SECONDS))

bench-picture: install ## draw the latest results into a PNG (PICTURE=tests/perf/results/bench.png)
	@$(RUN) -m tests.perf picture $(if $(PICTURE),--into $(PICTURE))

picture: browser ## draw the customer's page of `make up` into the picture that README.md shows
	@$(RUN) -m tests.browser.picture

##@ Change
protos: install ## regenerate libs/purser, and the help of the command line, from protos/
	@sh deploy/local/protos.sh generate

stubs: install ## generate stubs for another language: make stubs TEMPLATE=protos/buf.gen.go.yaml OUT=../service/stubs
	@sh deploy/local/protos.sh stubs $(RUN) $(TEMPLATE) $(OUT)

format: install ## format the code with ruff and buf
	@$(RUN) -m ruff check --fix --quiet .
	@$(RUN) -m ruff format .
	@sh deploy/local/protos.sh format

lock: install ## resolve both pyproject.toml again into deploy/requirements.lock, and those of the image (UPGRADE= keeps the versions)
	@$(RUN) -c 'import sys; sys.exit("purser: make the lock with the oldest supported Python: make clean; make PYTHON=python3.11 lock" if sys.version_info[:2] != (3, 11) else 0)'
	@$(RUN) deploy/local/requirements.py | $(COMPILE) $(UPGRADE) --output-file deploy/requirements.lock -
	@$(RUN) deploy/local/requirements.py traces | $(COMPILE) --constraint deploy/requirements.lock --output-file deploy/image/requirements.lock -
	@echo hatchling | $(COMPILE) --constraint deploy/requirements.lock --output-file deploy/image/build.lock -

clean: ## remove .venv and all caches, but not the data of `make up` in .purser
	@rm -rf $(VENV) dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find libs services deploy tests -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

$(STAMP):
	@python=$$(sh deploy/local/find-python.sh "$(PYTHON)") || exit 1; \
	if ! { $(RUN) -c '' && grep -qF "$(CURDIR)/$(VENV)" $(VENV)/pyvenv.cfg; } >/dev/null 2>&1; then \
		echo "purser: creating $(VENV) with $$python (once; about 20 s)"; \
		"$$python" -m venv --clear $(VENV) || exit 1; \
	fi; \
	rm -f $(VENV)/.installed-*; \
	$(RUN) -m pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes -r deploy/requirements.lock && \
	$(RUN) -m pip install --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation --editable ./libs --editable . && \
	touch $@

.PHONY: help demo up install test browser edge rolling restore-drill image-check citus sbom simulate fuzz crash crash-import lease-race chaos go-caller lint types protos-check bench bench-layers bench-lane bench-picture picture protos stubs format lock clean
