# `make` alone explains what there is. ARGS="…" is passed on; PYTHON=… names the Python that makes the environment.
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test check bench screenshots env packages unpacked clean
PYTHON ?=
export PYTHON
ARGS ?=
# Whole files of tests go to as many processes as the cores can feed, in the order of tests/conftest.py: the slow come first.
# ARGS="-n 0" runs them in one process.
SPREAD = -n auto --dist loadfile --no-loadscope-reorder

help: ## say what each of these does
	@echo 'Valetkey: app passwords for mail. What `make` can do here:'
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-19s %s\n", $$1, $$2 }'

demo: .venv/run.stamp ## start portal, gateway and a mailbox with sample people (ARGS="--base-port N --state DIR")
	@exec .venv/bin/valetkey demo $(ARGS)

test: packages unpacked ## run all tests; as root on Debian, install the servers and clients they use (ARGS to pytest)
	@exec .venv/bin/python -m pytest $(SPREAD) $(ARGS)

check: .venv/dev.stamp ## look at form, lint, types, imports and the tree
	@exec scripts/check

bench: packages .venv/dev.stamp ## measure beside Dovecot in one run and print the ratios (ARGS to the benchmarks)
	@exec .venv/bin/python -m benchmarks $(ARGS)

screenshots: packages .venv/dev.stamp ## draw each page wide and narrow, light and dark, into screenshots/
	@exec .venv/bin/python -m tests.browser.screenshots $(ARGS)

env: .venv/dev.stamp ## make the environment .venv with everything for development
	@echo "The environment .venv is ready; .venv/bin/valetkey and .venv/bin/python -m pytest run from it."

packages: # what tests need besides Python; says or does nothing if all is there
	@scripts/install_test_packages

unpacked: .venv/dev.stamp # mail servers that cannot be installed; kept in .venv, which must be there before
	@scripts/unpack_test_packages

clean: ## remove the environment, caches, and what benchmarks and screenshots left
	rm -rf .venv build dist screenshots bench-results htmlcov .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests benchmarks scripts -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/run.stamp: requirements/run.txt pyproject.toml
	@scripts/environment run

.venv/dev.stamp: requirements/dev.txt pyproject.toml
	@scripts/environment dev
