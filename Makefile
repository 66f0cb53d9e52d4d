# Needs Python 3.11 or newer, git and make. All else is set up here, in .venv, when first needed.
SHELL := bash
.SHELLFLAGS := -o pipefail -ec
.ONESHELL:
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory --no-builtin-rules

# One thread for each process, so that a page does not depend on the machine's cores. (With two, chapter 7 did not
# come to its end in a build; why is not known yet.)
export OMP_NUM_THREADS ?= 1

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
ZOO := $(or $(TSRNN_ZOO),trained_models)

.PHONY: help book pdf test bench test-cluster clean

help:  ## show this list (the default)
	@sed -nE 's/^([a-z-]+):.*## /make \1\t/p' Makefile | expand -t 20

book: $(READY)  ## run the notebooks where needed, render and check the site in _build/html
	@mkdir -p _build
	$(BIN)/python tools/run_notebooks.py --stored
	TSRNN_ZOO="$(ZOO)" $(BIN)/python -m tsrnn.book.live
	# Sphinx and its cache of executed notebooks know pages and cells only. All is made anew when anything else changes.
	# (Chapter 10 runs chapter 1.)
	# The live figure is no part of that: no notebook reads it, and all of it is copied below.
	find tsrnn $(ZOO) constraints.txt book/_static notebooks/01_* -type f ! -path '*/state/*' ! -name '*.pyc' \
	  ! -path '*/_static/live/*' \
	  | LC_ALL=C sort | xargs -d '\n' sha256sum > _build/inputs.new
	cmp -s _build/inputs.new _build/inputs || rm -rf _build/.jupyter_cache _build/.doctrees
	mv _build/inputs.new _build/inputs
	# Sphinx warns of a page only when it reads it: after a failure, all pages are read again.
	$(BIN)/jupyter-book build . -W --keep-going || { rm -rf _build/.doctrees; exit 1; }
	cp -r book/_static/live _build/html/_static/  # Sphinx does so only when a page has changed
	$(BIN)/python tools/check_site.py

pdf: book  ## print the whole book to _build/book.pdf, in chromium; no TeX
	@tools/get_chromium
	$(BIN)/jupyter-book build . --builder singlehtml -W --keep-going
	$(BIN)/python tools/print_book.py

test: $(READY)  ## check everything: style, types, unit tests, notebooks, book, the site in a browser
	@mkdir -p _build
	tools/get_chromium
	set -x
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy tsrnn tools
	$(BIN)/pytest | tee _build/pytest.txt
	$(BIN)/python tools/run_notebooks.py
	$(MAKE) book
	$(BIN)/python tools/look.py
	$(BIN)/python tools/check_live.py
	{ set +x; } 2> /dev/null
	echo "All checks passed. The unit tests once more:"
	tail -n 1 _build/pytest.txt

bench: $(READY)  ## time training and analyses; the machine should be idle
	@$(BIN)/python bench/train_step.py
	$(BIN)/python bench/timescales.py

test-cluster: .venv/workflow  ## disturb a sweep on a real Slurm, which is started on this machine (root, Debian)
	@$(BIN)/python tools/test_cluster.py

clean:  ## remove all that was built, but not .venv
	@rm -rf _build

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
	  echo "error: Python 3.11 or newer is needed, '$(PYTHON)' is not; try: make PYTHON=/path/to/python3.11" >&2
	  exit 1
	}
	echo "Setting up .venv (once, a few minutes)"
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[book,dev]'
	touch $@

.venv/workflow: $(READY)
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[workflow]'
	touch $@
