# Onhook's commands. A fresh Debian 12 with python3, git and make is enough.
SHELL := /bin/bash
BIN := .venv/bin

.PHONY: setup run test mutants vendor-tests check lint types imports generate lock bench clean

setup: .venv/.ready ## make .venv with .venv/bin/onhook

.venv/.ready: pyproject.toml locks/dev.txt tools/setup.sh
	bash tools/setup.sh
	@touch $@

run: setup ## start the server with its built-in carrier, place first calls, keep serving
	$(BIN)/onhook run --first-calls

test: setup ## every test
	$(BIN)/python -m pytest -n 2 --dist loadgroup

vendor-tests: setup ## the vendor's own live tests, downloaded and run unmodified against this server
	$(BIN)/python -m tools.vendor_tests --all

mutants: setup ## break every rule of the endings, and see which page notices; rewrites docs/mutation-check.md
	$(BIN)/python tools/mutate_rules.py

check: setup lint types imports test ## all that CI does

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/python tools/generate_acs.py --check
	$(BIN)/python tools/generate_docs.py --check

types: setup
	$(BIN)/mypy
	$(BIN)/pyright

imports: setup
	$(BIN)/lint-imports

generate: setup ## rewrite what is generated from spec/ and from the code's own tables
	$(BIN)/python tools/generate_acs.py
	$(BIN)/python tools/generate_docs.py

lock: ## write the lock files anew (names, versions, hashes; no addresses)
	bash tools/lock.sh

bench: setup ## calls a second and legs of audio a core, beside peers in the same run
	bash tools/setup.sh bench
	$(BIN)/python bench/calls.py
	$(BIN)/python bench/incoming.py
	$(BIN)/python bench/media.py
	$(BIN)/python bench/explanations.py
	$(BIN)/python bench/recognition.py

clean:
	rm -rf .venv .onhook
