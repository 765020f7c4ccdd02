# Godwit. `make demo` shows it, `make test` proves it, `make help` lists the rest.

SWIFT ?= swift
# Build of the demo: debug, which it shares with the tests. What is measured and installed is a release build.
CONFIGURATION ?= debug
PREFIX ?= /usr/local
DESTDIR ?=
# Arguments of the demo, such as DEMO="--corpus talk.jsonl --json".
DEMO ?=

SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
PYTHON_HOME := .build-python
REQUIREMENTS := $(wildcard Tests/Interop/requirements.txt)
# Options of the benchmarks: BENCH=--json. Texts for the codecs of texts: CORPUS=FILE. For links, see `bench`.
BENCH ?=
CORPUS ?=
EMULATOR ?=
CORPUS_100 ?=
CORPUS_1000 ?=
GODWIT = .build/$(CONFIGURATION)/godwit
GODWIT_BENCH_PROGRAM = .build/release/godwit-bench
PROTOS := $(wildcard Sources/GodwitBatch/*.proto)
# What swift format looks at: everything that people write.
SWIFT_FILES := find Package.swift Sources Tests Benchmarks -name '*.swift' ! -name '*.pb.swift' ! -name '*.generated.swift' \
	! -path '*/Generated/*' -print0
PACKAGES := ca-certificates curl git groff-base iproute2 libbrotli-dev libcurl4-openssl-dev libsodium-dev libsqlite3-dev \
	pkg-config protobuf-compiler python3 python3-venv

.PHONY: help deps packages build demo test lint format bench docs proto primers install clean
.DEFAULT_GOAL := help

help:
	@echo 'make demo      two nodes, six processes and a bad link, live (DEMO="--json" adds arguments)'
	@echo 'make test      everything that is tested'
	@echo 'make deps      what both need: Debian packages and a Python for the cross checks'
	@echo 'make lint      the style and docs/coverage.md, checked;  make format: both, applied'
	@echo 'make bench     codecs, spool, routing, growth, clients and links, release build (BENCH="--json"; BENCH_LARGE=1: ten'
	@echo '               million items, a million messages of history; CORPUS=FILE: texts; EMULATOR=PROGRAM CORPUS_100=FILE'
	@echo '               CORPUS_1000=FILE: links)'
	@echo 'make docs      the manual, checked and as text in .build/docs'
	@echo 'make proto     generated code of the batch format, made again from its .proto files'
	@echo 'make primers   the Brotli primers, made again from dictionaries/*.txt'
	@echo 'make install   godwit, its manual, profiles and phrase model under PREFIX=$(PREFIX)'

deps: packages $(if $(REQUIREMENTS),$(PYTHON_HOME)/.stamp)
	@command -v $(SWIFT) >/dev/null || { echo 'deps: Swift 6.3 is missing, see https://www.swift.org/install' >&2; exit 69; }

packages:
	@missing=''; \
	for package in $(PACKAGES); do \
		dpkg-query -W -f='$${Status}' $$package 2>/dev/null | grep -q 'install ok installed' \
			|| missing="$$missing $$package"; \
	done; \
	[ -z "$$missing" ] && exit 0; \
	command -v apt-get >/dev/null || { echo "deps: no apt-get here; install what these are on your system:$$missing" >&2; exit 69; }; \
	echo "deps: installing$$missing"; \
	$(SUDO) apt-get update -q && $(SUDO) env DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -q --no-install-recommends $$missing

$(PYTHON_HOME)/.stamp: $(REQUIREMENTS) | packages
	python3 -m venv $(PYTHON_HOME)
	$(PYTHON_HOME)/bin/pip install --quiet --disable-pip-version-check -r $(REQUIREMENTS)
	@touch $@

build: deps
	$(SWIFT) build -c $(CONFIGURATION) --product godwit

demo: build
	@$(GODWIT) demo $(DEMO)

test: deps lint
	$(SWIFT) build --build-tests
	@SWIFT=$(SWIFT) .ci/tests

# The table of requirements is looked at before anything is built: it takes a tenth of a second, and tests half an hour.
lint:
	@python3 -B Tests/Coverage/coverage.py --check
	@$(SWIFT_FILES) | xargs -0 $(SWIFT) format lint --strict --parallel --configuration .swift-format

format:
	@python3 -B Tests/Coverage/coverage.py --write
	@$(SWIFT_FILES) | xargs -0 $(SWIFT) format format --in-place --parallel --configuration .swift-format

# Each prints a table, or with BENCH=--json one JSON object, and leaves that object in .build/bench for later comparison.
# Links need root, an emulator (EMULATOR=PROGRAM, see Benchmarks/link.sh) and two conversations (CORPUS_100, CORPUS_1000).
bench: CONFIGURATION = release
bench: export GODWIT_BENCH = 1
bench: build
	$(SWIFT) build -c release --product godwit-bench
	@mkdir -p .build/bench
	@$(GODWIT_BENCH_PROGRAM) codec --save .build/bench $(BENCH)
	@$(GODWIT_BENCH_PROGRAM) spool-enqueue --save .build/bench $(BENCH)
	@$(GODWIT_BENCH_PROGRAM) spool-scale $(if $(BENCH_LARGE),--large) --save .build/bench $(BENCH)
	@Benchmarks/memory.sh .build/bench/memory.json $(BENCH)
	@Benchmarks/routing.sh .build/bench/routing.json
	@$(if $(BENCH_LARGE),GROWTH_LARGE=1) Benchmarks/growth.sh .build/bench/growth.json
	@Benchmarks/client.sh .build/bench/client.json
	@$(GODWIT) demo --json > .build/bench/demo.json && cat .build/bench/demo.json
ifneq ($(EMULATOR),)
	@Benchmarks/links.sh $(EMULATOR) $(CORPUS_100) $(CORPUS_1000) .build/bench/links.json $(filter --json,$(BENCH))
endif
ifneq ($(CORPUS),)
	@$(GODWIT) dictionary bench --json $(CORPUS) > .build/bench/dictionary.json
	@$(GODWIT) dictionary bench $(filter --json,$(BENCH)) $(CORPUS)
endif

docs: deps
	@mkdir -p .build/docs
	@for page in docs/man/*.1; do \
		complaints=$$(groff -man -Tutf8 -ww -z $$page 2>&1); \
		[ -z "$$complaints" ] || { echo "$$complaints" >&2; exit 1; }; \
		groff -man -Tutf8 -P -bcou $$page > .build/docs/$$(basename $$page .1).txt; \
	done
	@echo 'docs: the manual is in .build/docs'

proto: deps
	$(SWIFT) build --product protoc-gen-swift
	protoc --plugin=.build/debug/protoc-gen-swift --proto_path=Sources/GodwitBatch --swift_out=Sources/GodwitBatch \
		--swift_opt=UseAccessLevelOnImports=true --swift_opt=Visibility=Package $(PROTOS)

primers: deps
	$(SWIFT) build --build-tests
	GODWIT_WRITE_PRIMERS=1 $(SWIFT) test --skip-build --disable-xctest --filter ShippedPrimerTests

install: CONFIGURATION = release
install: build
	install -D -m 755 $(GODWIT) $(DESTDIR)$(PREFIX)/bin/godwit
	install -d $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/godwit/profiles \
		$(DESTDIR)$(PREFIX)/share/godwit/models
	install -m 644 docs/man/*.1 $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 644 profiles/*.yaml $(DESTDIR)$(PREFIX)/share/godwit/profiles
	install -m 644 models/*.gpm $(DESTDIR)$(PREFIX)/share/godwit/models
	install -D -m 644 LICENSE $(DESTDIR)$(PREFIX)/share/doc/godwit/LICENSE

clean:
	rm -rf .build
