# SemLink. `make` alone lists what there is; everything sets itself up first.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# What may be said on the command line: make demo PYTHON=python3.12 ARGS='--images 50'
PYTHON ?= python3
VENV ?= .venv
COMPOSE ?= docker compose
ARGS ?=

BIN := $(VENV)/bin
# Stamps: an installation is repeated when pyproject.toml changes, and only then.
RUNS := $(VENV)/.semlink-runs
DEVELOPS := $(VENV)/.semlink-develops
RELEASE := $(VENV)-release
RELEASES := $(RELEASE)/.semlink-releases

# Without an NVIDIA GPU, and as long as torch is not installed, the demo takes an installation without torch.
FULL ?=
EDGE := $(VENV)-edge
LIGHT := $(if $(FULL)$(wildcard /dev/nvidia0)$(wildcard $(VENV)/lib/python3*/site-packages/torch),,yes)

##@ Use
.PHONY: demo up console bench
demo: $(if $(LIGHT),$(EDGE)/.semlink-edge,$(RUNS))  ## start a link, send 200 pictures, print and draw what came of them (out/demo.png); FULL=1 installs all
	@$(if $(LIGHT),echo "no NVIDIA GPU and no torch here: this demo runs without torch; make demo FULL=1 installs everything")
	@$(if $(LIGHT),$(EDGE)/bin,$(BIN))/semlink demo $(ARGS)

up: $(RUNS)  ## run transmitter, channel and receiver until Ctrl-C
	@$(BIN)/semlink up $(ARGS)

console: $(RUNS)  ## show the running link on a page in the browser
	@$(BIN)/python -c 'import nicegui' 2>/dev/null || $(call PIP,$(VENV)) install --quiet $(call LOCKED,console)
	@$(BIN)/semlink console $(ARGS)

bench: $(RUNS)  ## measure throughput and latency of a link on this machine
	@$(BIN)/semlink bench $(ARGS)

##@ Compare
.PHONY: results paper paper-uoisc publish trained
DATA ?=
JOBS ?= $(shell $(PYTHON) -c 'import os; print(min(8, os.cpu_count()))')
SCENARIOS ?= paper bars authors pictures
TRAIN ?=
results: $(DEVELOPS) $(if $(TRAIN),trained)  ## compare every scheme on CIFAR-100 (DATA=DIR) into out/results; TRAIN=1 trains first
	@$(need_data)
	@# The first one is the page itself, the others are its chapters.
	@for scenario in $(SCENARIOS); do \
		folder=out/results; test $$scenario = $(firstword $(SCENARIOS)) || folder=$$folder/$$scenario; \
		$(BIN)/semlink evaluate $$scenario --data $(DATA) --jobs $(JOBS) --out $$folder $(ARGS); done
	@$(BIN)/semlink report out/results --data $(DATA) --scenario $(firstword $(SCENARIOS))

CLIP ?= ViT-B-32
WEIGHTS ?=
OUT ?= out/paper
paper: $(DEVELOPS)  ## the same with a real CLIP, codecs trained on it: CLIP=ViT-B-32 WEIGHTS=FILE DATA=DIR OUT=out/paper
	@$(need_data)
	@$(BIN)/semlink paper --clip $(CLIP) $(if $(WEIGHTS),--weights $(WEIGHTS)) --data $(DATA) --jobs $(JOBS) \
		--scenario $(firstword $(SCENARIOS)) --out $(OUT) $(ARGS)

VQA ?=
paper-uoisc: $(DEVELOPS)  ## the second paper's comparison with real networks: VQA=DIR, ARGS='--download --split nonhuman-human'
	@test -n "$(VQA)" || { echo "say where VQAv2 on COCO, or easy-VQA, is: make $@ VQA=DIR" >&2; exit 1; }
	@$(BIN)/python -c 'import transformers' 2>/dev/null || $(call PIP,$(VENV)) install --quiet $(call LOCKED,vqa)
	@$(BIN)/semlink paper-uoisc --data $(VQA) $(ARGS)

publish: $(DEVELOPS)  ## take out/results into docs, with drawn pictures for examples instead of the data set's own
	@rm -rf out/results/figures docs/figures
	@$(BIN)/semlink report out/results --data drawn --scenario $(firstword $(SCENARIOS))
	@cp out/results/results.md docs/results.md
	@cp -r out/results/figures docs/figures

need_data = test -n "$(DATA)" || { echo "say where CIFAR-100 is: make $@ DATA=DIR" >&2; exit 1; }

trained: $(DEVELOPS)
	@$(need_data)
	@for name in clip-tiny kbsc kbsc-authors nested nested-unlabelled label vq-digital deepjscc swinjscc digital-pictures; do \
		$(BIN)/semlink train $$name --data $(DATA); done

##@ Develop
.PHONY: setup test test-quick check docs protos milvus-server compose-test gpu-check clean
setup: $(DEVELOPS)  ## make .venv and install everything, the tools of developers too

# One thread in each of two processes: with one for each core the two wait for each other at every sum.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder
test: $(DEVELOPS)  ## run all tests, in two processes
	@$(PYTEST) $(ARGS)

test-quick: $(DEVELOPS)  ## run the tests of files that take less than 5 s, in two processes
	@$(PYTEST) -m 'not slow' $(ARGS)

check: lint types layers protos-check docs  ## lint, types, layers, generated code, documentation: what CI checks beside the tests

docs: $(DEVELOPS)  ## build the documentation into out/site; it needs no network
	@echo "documentation"
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@! grep -rlE '<(script|link|img)[^>]+(src|href)="https?://' out/site --include='*.html' \
		|| { echo "these pages load something from the network" >&2; exit 1; }

protos: $(DEVELOPS)  ## generate the protobuf modules anew
	@$(call PROTOC,.)
	@$(BIN)/python -m tests.tools.write_channel_options

milvus-server: .venv-milvus/bin/milvus-server  ## install a Milvus server for tests, into .venv-milvus (150 MB)

.venv-milvus/bin/milvus-server:
	@$(PYTHON) -m venv .venv-milvus
	@.venv-milvus/bin/python -m pip install --quiet --disable-pip-version-check milvus==2.3.5 setuptools

compose-test:  ## build the containers and put them through a test (COMPOSE='docker compose')
	@COMPOSE='$(COMPOSE)' .ci/compose-test

gpu-check:  ## test and measure on one NVIDIA GPU, without network, into out/gpu; .ci/gpu-check PYTHON carry packs for it
	@.ci/gpu-check $(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON))

clean:  ## remove caches and build leftovers; .venv and out stay
	@rm -rf build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -path ./$(VENV) -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

##@ Attack
.PHONY: fuzz chaos soak
SECONDS ?= 60
SEED ?=
INPUTS ?=
fuzz: $(DEVELOPS)  ## change inputs of each group of parsers, and messages to the services, for SECONDS=60 each; GROUPS='files sockets'
	@$(BIN)/python -m tests.fuzz $(SECONDS) $(GROUPS) $(if $(SEED),--seed $(SEED)) $(if $(INPUTS),--runs $(INPUTS))

MINUTES ?= 10
chaos: $(DEVELOPS)  ## kill, stop, fill and reset a link under load for MINUTES=10, into out/chaos/report.md; the same SEED=1 does the same
	@$(BIN)/python -m tests.chaos $(MINUTES) $(if $(SEED),--seed $(SEED))

HOURS ?= 1
soak: $(DEVELOPS)  ## run a link for HOURS=1 and draw memory, descriptors, threads and latency, into out/soak.png
	@$(BIN)/python -m tests.soak $(HOURS)

##@ Release
.PHONY: lock audit release
UPGRADE ?=
VERSION ?=
lock: $(RELEASES)  ## resolve every extra anew into locks/, with hashes; UPGRADE=1 takes the newest versions
	@UPGRADE=$(UPGRADE) .ci/lock $(RELEASE)/bin/python

audit: $(RELEASES)  ## look the locked packages up in the lists of known faults; needs the network
	@.ci/audit $(RELEASE)/bin/python

release: $(RELEASES)  ## build and try what is published, into dist/: wheel, sdist, SBOM, images; VERSION=0.2.0 begins a version
	@VERSION=$(VERSION) COMPOSE='$(COMPOSE)' .ci/release $(RELEASE)/bin/python

.PHONY: help
help:
	@awk 'BEGIN { FS = ":.*## *" } \
		/^##@/ { printf "%s%s\n", (NR > 1 ? "\n" : ""), substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# --- the parts of check -----------------------------------------------------------------------------------------------

.PHONY: lint types layers protos-check
lint: $(DEVELOPS)
	@echo "lint"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(DEVELOPS)
	@echo "types"
	@$(BIN)/mypy

layers: $(DEVELOPS)
	@echo "layers"
	@$(BIN)/lint-imports

GENERATED := protos/semlink/v1
PROTOC = $(BIN)/python -m grpc_tools.protoc -I. \
	--python_out=$(1) --grpc_python_out=$(1) \
	--plugin=protoc-gen-mypy=$(BIN)/protoc-gen-mypy --mypy_out=quiet:$(1) \
	--plugin=protoc-gen-mypy_grpc=$(BIN)/protoc-gen-mypy_grpc --mypy_grpc_out=quiet:$(1) \
	$(GENERATED)/*.proto

protos-check: $(DEVELOPS)
	@echo "generated code"
	@anew=$$(mktemp -d); trap 'rm -rf "$$anew"' EXIT; \
	$(call PROTOC,"$$anew"); \
	diff -r -x '*.proto' -x '__init__.py' -x '__pycache__' -x 'py.typed' $(GENERATED) "$$anew/$(GENERATED)" \
		|| { echo "the modules in $(GENERATED) are not those of the .proto files: run make protos" >&2; exit 1; }
	@echo "up to date"

# --- installation -----------------------------------------------------------------------------------------------------

# What is installed is in locks/, with hashes, one file for each extra of pyproject.toml: `make lock` writes them. pip says
# a lot. Errors stay, warnings about this machine's own set-up go, and of the rest only the large downloads, which are what
# one waits for. SemLink itself comes last, and brings nothing along.
PIP = $(1)/bin/python -m pip --disable-pip-version-check
LOCKED = --require-hashes $(patsubst %,--requirement locks/%.txt,build $(1))
define INSTALL
@echo "installing SemLink with $(1) into $(2) (the first time about $(3))"
@$(call PIP,$(2)) install --progress-bar off $(call LOCKED,$(1)) \
	2> >(grep --line-buffered -v '^WARNING: ' >&2) | awk ' \
	/(Downloading|Using cached) .*[(][0-9.]+ [MG]B[)]/ { split($$(NF - 2), part, "-"); \
		printf "  %s %s %s %s\n", part[1], part[2], $$(NF - 1), $$NF; fflush() } \
	/^Installing collected packages/ { print "  unpacking"; fflush() }'
@$(call PIP,$(2)) install --quiet --no-deps --no-build-isolation --editable .
endef

$(RUNS): pyproject.toml locks/services.txt locks/plot.txt | $(BIN)/python
	$(call INSTALL,services plot,$(VENV),2 minutes and 7 GB)
	@touch $@

# Apart from the other one: faiss-cpu must not lie beside faiss-gpu.
$(EDGE)/.semlink-edge: pyproject.toml locks/edge.txt | $(EDGE)/bin/python
	$(call INSTALL,edge,$(EDGE),half a minute and 0.6 GB)
	@touch $@

$(DEVELOPS): pyproject.toml locks/lab.txt locks/dev.txt locks/milvus-lite.txt | $(BIN)/python
	$(call INSTALL,lab dev,$(VENV),2 minutes and 7 GB)
	@# Alone: it asks for faiss-cpu, which must not lie beside faiss-gpu.
	@$(call PIP,$(VENV)) install --quiet --no-deps --require-hashes --requirement locks/milvus-lite.txt
	@touch $(RUNS) $@

$(RELEASES): locks/release.txt | $(RELEASE)/bin/python
	@$(call PIP,$(RELEASE)) install --quiet $(call LOCKED,release)
	@touch $@

$(BIN)/python $(EDGE)/bin/python $(RELEASE)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		is=$$($(PYTHON) -c 'import platform; print("Python", platform.python_version())' 2>/dev/null || echo "no Python"); \
		echo "SemLink needs Python 3.11 or newer, and $(PYTHON) is $$is." >&2; \
		echo "Name another, for example: make $(MAKECMDGOALS) PYTHON=python3.11" >&2; exit 1; }
	@echo "making $(@:/bin/python=) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(@:/bin/python=) || { rm -f $@; \
		echo "$(PYTHON) cannot make a virtual environment; on Debian: apt-get install python3-venv" >&2; exit 1; }
