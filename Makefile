# Two commands for readers: `make book` and `make test`. `make help` lists the others.

# Any Python from 3.11 on; `make PYTHON=/path/to/python book` chooses another one.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
CONFORMANCE := .venv-conformance
BENCH := .venv-bench
FORWARD := .venv-forward
BOOK := _build/html/index.html
# Which notebooks; all, unless it is given.
NOTEBOOKS :=

# The matrices of the course are small: more threads only get in each other's way.
export OPENBLAS_NUM_THREADS = 1
export OMP_NUM_THREADS = 1
export MKL_NUM_THREADS = 1
export VECLIB_MAXIMUM_THREADS = 1

.DEFAULT_GOAL := help
.PHONY: help book test chapter lint unit claims notebooks html browser-test lab refresh runs clean \
	pdf practice vendor links bench times conformance coverage mutants claim-mutants matrix \
	matrix-quick requirements forward release student

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# An environment of the chosen Python: $(call environment,FOLDER,REQUIREMENTS)
define environment
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or newer was found. Install one, or name it: make PYTHON=/path/to/python $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(1)
	$(1)/bin/python -m pip install --quiet --disable-pip-version-check -r $(2)
endef

$(STAMP): requirements.txt pyproject.toml
	$(call environment,$(VENV),requirements.txt)
	@touch $@

book: $(STAMP) ## build the HTML and say where it is
	$(BIN)/jupyter-book build -W -n --keep-going . --quiet
	@echo
	@echo "The book is at $(CURDIR)/$(BOOK)"
	@echo "Open that file in a browser, or serve it, which makes the search work too:"
	@echo "    $(BIN)/python -m http.server --directory _build/html"

test: lint unit notebooks html ## run every check that needs no browser
	@echo "All checks passed."

chapter: $(STAMP) ## check one chapter only (KEY=bias; the keys are in tools/pages.py)
	$(BIN)/python tools/chapter.py $(KEY)

lint: $(STAMP) ## check style and types
	$(BIN)/ruff check .
	$(BIN)/mypy

unit: $(STAMP) ## run the tests of the package, of the claims and of the fixtures
	$(BIN)/python -m pytest tests --ignore=tests/html --ignore=tests/browser -n 2 --dist worksteal -q -m "not seeds"

claims: $(STAMP) ## run the claims with all seeds, and compute each stored run again for one
	$(BIN)/python -m pytest tests/claims tests/chapters/test_stored.py -n 2 -q

notebooks: $(STAMP) ## execute every notebook and compare its outputs with the stored ones
	$(BIN)/python tools/notebooks.py test $(NOTEBOOKS)

html: $(STAMP) ## build the HTML afresh, with warnings as errors, and test it
	rm -rf _build
	$(BIN)/jupyter-book build -W -n --keep-going . --quiet
	$(BIN)/python -m pytest tests/html -n 2 -q

$(VENV)/.browser: tests/browser/requirements.txt $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r tests/browser/requirements.txt
	@touch $@

browser-test: $(VENV)/.browser book ## open every page in the system's Chromium and test it
	$(BIN)/python -m pytest tests/browser -n 2 --dist worksteal -q

lab: $(STAMP) ## open JupyterLab on the chapters
	$(BIN)/jupyter lab book

refresh: $(STAMP) ## execute the notebooks and store their outputs (NOTEBOOKS=book/x.ipynb for one)
	$(BIN)/python tools/notebooks.py refresh $(NOTEBOOKS)

runs: $(STAMP) ## compute the stored runs anew (RUNS=name for one; some minutes)
	$(BIN)/python tools/runs.py $(RUNS)

practice: $(STAMP) ## write the practice notebooks of the exercises in the chapters
	$(BIN)/python tools/practice.py

pdf: $(VENV)/.browser book ## print the whole book as _build/pdf/batch-normalization.pdf
	$(BIN)/python tools/pdf.py

release: $(STAMP) ## put HTML, PDF, wheel and checksums into dist/ (RELEASING.md)
	rm -rf _build
	$(MAKE) pdf
	$(BIN)/python tools/maintain/release.py

student: $(STAMP) ## begin as a student: the wheel in a fresh environment (PYTHON=… for another one)
	$(BIN)/python tools/maintain/student.py $(PYTHON)

vendor: $(STAMP) ## fetch the vendored files anew (maintainers)
	$(BIN)/python tools/vendor.py

links: $(STAMP) ## check the external links
	$(BIN)/jupyter-book build . --builder linkcheck

bench: $(BENCH)/.installed ## measure the package beside PyTorch and write the book's page (4 minutes)
	$(BENCH)/bin/python -m benchmarks.run
	$(BENCH)/bin/python -m benchmarks.report

$(BENCH)/.installed: benchmarks/requirements.txt
	$(call environment,$(BENCH),benchmarks/requirements.txt)
	@touch $@

times: $(STAMP) ## measure how long each notebook takes and write the book's page
	$(BIN)/python tools/maintain/execution_times.py

conformance: $(CONFORMANCE)/.installed ## compute the fixtures again with PyTorch, Keras, Flax and ONNX
	$(CONFORMANCE)/bin/python tests/conformance/make_fixtures.py --check

$(CONFORMANCE)/.installed: tests/conformance/requirements.txt
	$(call environment,$(CONFORMANCE),tests/conformance/requirements.txt)
	@touch $@

coverage: $(STAMP) ## measure which branches of the package the tests take
	$(BIN)/python -m pytest tests/unit tests/check tests/property tests/chapters tests/conformance \
		tests/claims -n 2 -q --cov --cov-fail-under=98

mutants: $(VENV)/.maintain ## change the code in many small ways and see that a unit test notices each
	$(BIN)/python tools/maintain/mutants.py

claim-mutants: $(STAMP) ## make each claim false and see its test turn red (SLOW=1 for all; two minutes)
	$(BIN)/python tools/claim_mutants.py $(if $(SLOW),--slow)

$(VENV)/.maintain: tools/maintain/requirements.txt $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r tools/maintain/requirements.txt
	@touch $@

matrix: $(STAMP) ## compare the outputs on other versions, kernels and settings
	$(BIN)/python tools/maintain/matrix.py

matrix-quick: $(STAMP) ## the same, once, on Nehalem kernels without optional processor features
	$(BIN)/python tools/maintain/matrix.py --quick

forward: $(STAMP) ## build the book on the newest Sphinx, MyST-NB and theme, without Jupyter Book
	$(call environment,$(FORWARD),tools/maintain/forward-requirements.txt --upgrade --upgrade-strategy eager)
	$(BIN)/python tools/maintain/forward.py $(FORWARD)/bin/python

requirements: $(VENV)/.maintain ## compile requirements.txt (UPGRADE=--upgrade for the newest versions)
	UV_CUSTOM_COMPILE_COMMAND="make requirements" $(BIN)/uv pip compile requirements.in \
		-o requirements.txt --universal --python-version 3.11 --quiet $(UPGRADE)

clean: ## remove what was built, and the environments
	rm -rf _build build dist .venv* .mutants
