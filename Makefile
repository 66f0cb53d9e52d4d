# Needs Python 3.11 or newer, git and make. All else is set up here, in .venv, when first needed.
SHELL := bash
.SHELLFLAGS := -o pipefail -ec
.ONESHELL:
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory --no-builtin-rules

ifeq (,$(filter oneshell,$(.FEATURES)))
$(error GNU make 3.82 or newer is needed, this is $(MAKE_VERSION); try: gmake)
endif

# What is built depends on the repository and the zoo, and on nothing of the reader's: one thread for each process,
# whatever the machine has (with two, chapter 7 did not come to its end; why is not known yet), this checkout's
# package and this environment's kernel, and no settings of matplotlib, IPython or Jupyter.
export OMP_NUM_THREADS := 1
export PYTHONPATH := $(CURDIR)
export MPLCONFIGDIR := $(CURDIR)/.venv/matplotlib
export IPYTHONDIR := $(CURDIR)/.venv/ipython
export JUPYTER_CONFIG_DIR := $(CURDIR)/.venv/jupyter
export JUPYTER_DATA_DIR := $(CURDIR)/.venv/share/jupyter
export JUPYTER_PREFER_ENV_PATH := 1
unexport JUPYTER_PATH JUPYTER_CONFIG_PATH MATPLOTLIBRC MPLBACKEND PYTHONSTARTUP PYTHONWARNINGS PYTHONHOME
# What is compiled is kept: some hundred processes import the same modules. Pip would compile four times as many.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
ZOO := $(or $(TSRNN_ZOO),trained_models)
# All that a page can depend on, besides the pages themselves: `make inputs` lists the files.
INPUTS := tsrnn constraints.txt book/_static bench workflow/config.yaml tools/kernels.py

.PHONY: help inputs book pdf lab test bench test-cluster clean

help:  ## show this list (the default)
	@sed -nE 's/^([a-z-]+):.*## /make \1\t/p' Makefile | expand -t 20

book: $(READY)  ## run the notebooks where needed, render and check the site in _build/html
	@mkdir -p _build
	mkdir _build/lock || { echo "error: another build runs here; if none does: rmdir _build/lock" >&2; exit 1; }
	trap 'rmdir _build/lock' EXIT
	$(BIN)/python tools/run_notebooks.py --strip
	$(MAKE) -j2 live explore
	# Sphinx and its cache of executed notebooks know pages and cells only. All is made anew when anything else changes.
	$(MAKE) -s inputs | tr '\n' '\0' | xargs -0 sha256sum > _build/inputs.new
	cmp -s _build/inputs.new _build/inputs || rm -rf _build/.jupyter_cache _build/.doctrees
	mv _build/inputs.new _build/inputs
	# Pages that were renamed or taken out would stay in the site.
	cmp -s _toc.yml _build/toc.yml || rm -rf _build/html _build/.doctrees
	cp _toc.yml _build/toc.yml
	# A failure may leave what should not be kept: pages that Sphinx would not warn of again, runs that went wrong.
	rm -rf _build/kept
	if [ -d _build/.jupyter_cache ]; then cp -R _build/.jupyter_cache _build/kept; fi
	$(BIN)/python tools/execute.py
	$(BIN)/jupyter-book build . -W --keep-going || {
	  rm -rf _build/.doctrees _build/.jupyter_cache
	  if [ -d _build/kept ]; then mv _build/kept _build/.jupyter_cache; fi
	  exit 1
	}
	rm -rf _build/kept
	cp -R book/_static/live _build/html/_static/  # Sphinx does so only when a page has changed
	# What no page loads, nearly half of the site: MathJax bundled in other ways, and maps for debuggers
	find _build/html/_static/mathjax -maxdepth 1 -name '*-*.js' ! -name tex-chtml.js -delete
	find _build/html -name '*.map' -delete
	$(BIN)/python tools/check_site.py

.PHONY: live explore
live explore:
	TSRNN_ZOO="$(ZOO)" $(BIN)/python -m tsrnn.book.$@

# Chapter 11 runs chapter 1, so that one is an input, too; a cell that changes is seen without this list. The live
# figures are none: no notebook reads them.
inputs:
	@find -L $(INPUTS) "$(ZOO)" notebooks/01_* -type f ! -path '*/state/*' ! -name '*.pyc' \
	  ! -name '.*' ! -path '*/_static/live/*' | LC_ALL=C sort

pdf: book  ## print the whole book to _build/book.pdf, in chromium; no TeX
	@tools/get_chromium
	$(BIN)/jupyter-book build . --builder singlehtml -W --keep-going
	$(BIN)/python tools/print_book.py

# The kernel imports this checkout's package, and the figures of a chapter lie beside the folder of chapters.
lab: .venv/lab  ## open the chapters in JupyterLab, to run and change them
	@$(BIN)/jupyter lab --LabApp.default_url=/lab/tree/notebooks $(if $(filter 0,$(shell id -u)),--allow-root)

test:  ## check everything: style, types, unit tests, notebooks, book, the site in a browser
	@mkdir -p _build
	set -x
	$(MAKE) -j2 tools/get_chromium $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(MAKE) -j2 types units
	$(BIN)/python tools/run_notebooks.py
	$(MAKE) book
	$(MAKE) -j2 tools/look.py tools/check_live.py tools/check_explore.py
	{ set +x; } 2> /dev/null
	echo "All checks passed. The unit tests once more:"
	tail -n 1 _build/pytest.txt

.PHONY: tools/get_chromium types units
tools/get_chromium:
	$@

types:
	$(BIN)/mypy tsrnn tools

units:
	$(BIN)/pytest -n auto | tee _build/pytest.txt

.PHONY: tools/look.py tools/check_live.py tools/check_explore.py
tools/look.py tools/check_live.py tools/check_explore.py:
	$(BIN)/python $@

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
	$(BIN)/pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt -e '.[book,dev]'
	$(BIN)/python -c 'import matplotlib.font_manager'  # which says on stderr that it looks for fonts, once
	touch $@

.venv/lab .venv/workflow: $(READY)
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(@F)]'
	touch $@
