# make demo: the main job on built-in data. make test: the whole suite. make docs: the documentation as a site.
# make dist: wheel and sdist. make sbom: what a plain install brings. All set up what they need in .venv.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check bench docs dist sbom clean

demo: .venv/core
	$(BIN)/ecgenough demo --out demo

test: .venv/dev
	$(BIN)/python -m pytest -n 2 tests

check: .venv/dev
	$(BIN)/ruff check src tests benchmarks examples website docs/notebooks
	$(BIN)/ruff format --check src tests benchmarks examples website docs/notebooks
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/dev
	$(BIN)/python -m benchmarks

docs: .venv/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --clean --strict --site-dir site
	@echo "The site: site/index.html; to search in it: python3 -m http.server -d site"

dist: .venv/dev
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist

# Of dist/plain, a fresh environment with the wheel and the core dependencies alone, as a user gets them.
sbom: dist .venv/release
	$(PYTHON) -m venv dist/plain
	dist/plain/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt dist/*.whl
	$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --of JSON -o dist/sbom.cdx.json dist/plain

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/core: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

.venv/dev: .venv/core
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $@

.venv/docs: .venv/core
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[baselines,docs]"
	touch $@

.venv/release: .venv/core
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[release]"
	touch $@

clean:
	rm -rf .venv demo dist site
