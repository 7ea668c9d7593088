# `make run` builds and serves, `make test` runs all tests. Each target installs the packages that it needs.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin

# The folder of the environment for the Python of this host: after an upgrade of the host there is none, and it is made again.
PYTHON := $(shell /usr/bin/python3 -c 'import sys; print("python%d.%d" % sys.version_info[:2])' 2>/dev/null)
ENVIRONMENT := $(VENV)/lib/$(PYTHON)

# Debian packages: for `make run`, and in addition for the tests, the image, the benchmarks and the kernel matrix.
RUN_PACKAGES := libbpf1 linux-libc-dev python3-bpfcc python3-venv
TEST_PACKAGES := bpftool bpftrace btrfs-progs buildah chromium curl debootstrap dmsetup e2fsprogs ethtool fonts-dejavu-core gcc gdb \
	iproute2 libc6-dev maven mount default-jdk-headless prometheus prometheus-alertmanager strace systemd \
	tmux util-linux xfsprogs
# Debian's package conflicts with other packages of kubectl.
TEST_PACKAGES += $(if $(shell command -v kubectl),,kubernetes-client)

IMAGE_PACKAGES := buildah debootstrap
BENCH_PACKAGES := prometheus-process-exporter
GRAFANA := tests/dashboards/grafana
GRAFANA_PACKAGES := $(if $(shell command -v npm),,npm)
MATRIX_PACKAGES := busybox-static kmod mmdebstrap qemu-system-arm qemu-system-x86

ARGS ?=
SUITE ?=
NEW ?=
SECONDS ?= 600

LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header

.PHONY: help setup dashboards dashboards-check run demo top doctor test matrix matrix-modes instructions engines kafka chart deb packages lint format docs bench bench-kafka kafka-demo screenshots soak fleet image lock version clean clean-cache audit

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 18

setup: $(VENV)/.run ## install the Debian packages and .venv/bin/copy-exporter

run: $(VENV)/.run ## install everything, then serve (ARGS="--web.listen-address :9000")
	@exec $(BIN)/copy-exporter serve $(ARGS)

demo: $(VENV)/.run ## run the zero-copy experiment on this host (ARGS="--size 1GiB")
	@$(BIN)/copy-exporter demo $(ARGS)

top: $(VENV)/.run ## show in the terminal what processes move at the moment (ARGS="http://HOST:10435/")
	@exec $(BIN)/copy-exporter top $(ARGS)

doctor: $(VENV)/.run ## show which probes this kernel supports, and how to fix the others
	@$(BIN)/copy-exporter doctor $(ARGS)

test: $(VENV)/.matrix lint ## run lint and all tests, also on two other kernels (ARGS="-k sendfile")
	@$(if $(ARGS),,echo "running all tests, also in virtual machines: about 30 minutes" >&2)
	@$(BIN)/python -m pytest $(ARGS)

matrix: $(VENV)/.matrix ## run the probe tests on all kernels, emulated; writes docs/kernels.md
	@$(BIN)/python -m pytest -m "(vm or matrix) and not modes" tests/matrix/test_matrix.py $(ARGS)

matrix-modes: $(VENV)/.matrix ## run the probe tests in the other modes of preemption of 6.1, 6.12 and sid
	@$(BIN)/python -m pytest -m modes tests/matrix/test_matrix.py $(ARGS)

instructions: $(VENV)/.matrix ## count instructions per system call on 6.1 and 6.12, emulated (ARGS=--accept)
	@$(BIN)/python -m pytest -m "vm or matrix" --capture=no --durations=0 tests/matrix/test_instructions.py $(ARGS)

engines: $(VENV)/.test ## run rules and queries on Prometheus 3, VictoriaMetrics and Thanos, built once with Go
	@./tests/support/build-go tests/engines/versions.txt $${COPY_EXPORTER_CACHE:-.cache}/engines
	@$(BIN)/python -m pytest -m engines --durations=3 tests/engines $(ARGS)
	@$(BIN)/python -m bench.remote_write

chart: $(VENV)/.test ## check the Helm chart with helm, built once with Go
	@./tests/support/build-go tests/packaging/programs.txt $${COPY_EXPORTER_CACHE:-.cache}/go
	@$(BIN)/python -m pytest -m chart tests/packaging/test_chart.py $(ARGS)

deb: $(VENV)/.run ## build the Debian package for a release into dist/ (SUITE=trixie)
	@./deploy/install-packages $(IMAGE_PACKAGES)
	@./deploy/deb/build $(SUITE)

packages: $(VENV)/.test ## install, start, upgrade and remove the Debian package in a fresh root of each release
	@$(BIN)/python -m pytest -m packages --durations=0 tests/packages $(ARGS)

lint: $(VENV)/.test ## check style and types with ruff and mypy
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary

format: $(VENV)/.test ## format the code with ruff
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --quiet --fix .

docs: $(VENV)/.run ## write docs/metrics.md from the code
	@$(BIN)/python -m exporter.metrics.docs > docs/metrics.md

dashboards: $(VENV)/.test ## write dashboards/grafana/*.json and the recording rules from the code
	@$(BIN)/python -m dashboards.generate

dashboards-check: $(VENV)/.test $(GRAFANA)/node_modules/.data ## test what panels show, with Grafana's own code from npm
	@$(BIN)/python -m pytest -m grafana tests/dashboards $(ARGS)

kafka: $(VENV)/.test ## run the tests of brokers alone, also the long ones (ARGS="-k twin")
	@$(BIN)/python -m pytest -v -m "kafka or not kafka" tests/kafka $(ARGS)

bench: $(VENV)/.bench ## measure the figures of docs/performance.md
	@$(BIN)/python -m bench $(ARGS)

soak: $(VENV)/.test ## check that counts are exact after 10 minutes of mixed load, and of random calls (SECONDS=60)
	@$(BIN)/python -m tests.soak $(SECONDS)
	@$(BIN)/python -m tests.soak.random_calls $(SECONDS)

fleet: $(VENV)/.test ## measure series per host and a Prometheus that scrapes 200 hosts (docs/fleet.md)
	@$(BIN)/python -m bench.series
	@$(BIN)/python -m bench.fleet $(ARGS)

image: $(VENV)/.run ## build the image copy-exporter:VERSION with buildah (BASE=base image)
	@./deploy/install-packages $(IMAGE_PACKAGES)
	@./deploy/image/build

lock: $(VENV)/.test ## write the pinned packages of the image and of the Debian package
	@$(LOCK) pyproject.toml --output-file deploy/image/requirements.txt
	@$(LOCK) pyproject.toml --extra top --output-file deploy/deb/requirements.txt
	@echo 'hatchling>=1.25' | $(LOCK) - --output-file deploy/image/build-requirements.txt

version: ## print the version, or set it in all files (NEW=0.2.0)
	@./deploy/version $(NEW)

audit: $(VENV)/.run ## list known vulnerabilities of the Python packages in the image
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[audit]'
	@$(BIN)/pip-audit --strict --disable-pip --progress-spinner off --requirement deploy/image/requirements.txt

kafka-demo: $(VENV)/.test ## run a real broker and show what is copied, by listener and topic
	@$(BIN)/python -m bench.kafka.demo

screenshots: $(VENV)/.test $(GRAFANA)/node_modules/.ui ## take the pictures for the docs, beside a real broker under load (ARGS="--widths 1500 800")
	@$(BIN)/python -m bench.kafka.screenshots $(ARGS)

bench-kafka: $(VENV)/.test ## measure a real broker with and without the exporter (ARGS="--rounds 10")
	@$(BIN)/python -m bench.kafka $(ARGS)

clean: ## remove .venv and built packages; .cache with downloads and images stays
	@rm -rf $(VENV) dist build

clean-cache: ## remove .cache: downloads, images, built engines
	@rm -rf .cache

$(ENVIRONMENT):
	@./deploy/install-packages $(RUN_PACKAGES)
	@echo "making the environment $(VENV): a few seconds" >&2
	@/usr/bin/python3 -m venv --clear --system-site-packages $(VENV)

$(VENV)/.run: pyproject.toml $(ENVIRONMENT)
	@./deploy/install-packages $(RUN_PACKAGES)
	@echo "installing Python packages into $(VENV): less than a minute" >&2
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[top]'
	@touch $@

$(VENV)/.test: $(VENV)/.run
	@./deploy/install-packages $(TEST_PACKAGES)
	@echo "installing Python packages for the tests into $(VENV): about a minute" >&2
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

$(GRAFANA)/node_modules/.data: $(GRAFANA)/package-lock.json
	@./deploy/install-packages $(GRAFANA_PACKAGES)
	@echo "downloading Grafana's code from npm: at most 125 MB on disk" >&2
	@npm ci --prefix $(GRAFANA) --omit=dev --silent
	@touch $@

$(GRAFANA)/node_modules/.ui: $(GRAFANA)/package-lock.json
	@./deploy/install-packages $(GRAFANA_PACKAGES)
	@echo "downloading Grafana's code from npm: 125 MB on disk" >&2
	@npm ci --prefix $(GRAFANA) --silent
	@touch $@ $(GRAFANA)/node_modules/.data

$(VENV)/.bench: $(VENV)/.test
	@./deploy/install-packages $(BENCH_PACKAGES)
	@touch $@

$(VENV)/.matrix: $(VENV)/.test
	@./deploy/install-packages $(MATRIX_PACKAGES)
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev,matrix]'
	@touch $@
