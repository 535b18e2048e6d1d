# Waldo. `make run` runs a robot, `make test` all the tests; `make help` lists the other targets.
# On Debian 12, everything needed besides Go 1.26 is installed if it is missing.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

GO      ?= go
FUZZTIME ?= 10s
BIN     := $(CURDIR)/bin
BUILD   := $(CURDIR)/build
TOOLS   := $(BIN)/tools
# Without gRPC's trace pages, which nobody sees, a device takes 4 MB less memory; Opus decoding does not need files.
# Without debug symbols a program is a third smaller; traces of panics, and profiles, do not need them.
LDFLAGS := -s -w
BUILDFLAGS = -trimpath -tags grpcnotrace,nolibopusfile -ldflags '$(LDFLAGS)'
PYTHON  := $(BUILD)/venv/bin/python
FIRMWARE := $(BUILD)/firmware
# The tests of firmware/ and e2e/ read this variable.
export WALDO_FIRMWARE := $(FIRMWARE)
# VENV is touched when the folder of PYTHON is complete.
VENV    := $(BUILD)/venv/ready
# The Python with the oldest tools that work, which generate the API for Python; READY as above.
PROTOC  := $(BUILD)/protoc/bin/python
PROTOC_READY := $(BUILD)/protoc/ready
# The packages of the tests' reader in Node.
READERS := e2e/readers/node_modules/.package-lock.json
# The packages with which the tests drive Firefox.
FIREFOX := e2e/firefox/node_modules/.package-lock.json
# The packages that the package for npm needs, and those with which it is built and tested.
NPM     := clients/npm/node_modules/.package-lock.json
# The packages of the page's type check, including the generator of its types.
WEB     := services/webrtc-gateway/web/node_modules/.package-lock.json

# The modules of go.work, as folders. e2e is tested last, with the programs built from the others.
MODULES  = $(shell $(GO) list -m -f '{{.Dir}}' | sed 's|^$(CURDIR)/||')
# The kinds of devices: each is a module of services/ with its own program.
KINDS   := audio camera input peer player recorder replay rtsp-ingest serial uplink
# Kinds that do not need a C library are linked without one: nothing to load at start, and 2 MB less memory.
STATIC  := input player recorder serial uplink
# The modules that must build without a C compiler, and for which machines.
PURE    := api pkg recording rendezvous cmd/waldo services/input services/player services/recorder services/serial services/uplink services/webrtc-gateway
MACHINES := arm64 arm amd64
# The architectures, in Debian's words, that packages are made for.
ARCHITECTURES ?= amd64 arm64 armhf

# each runs a command in every named module, prints the module, and fails at the end if the command failed in any.
each = failed=; for m in $(1); do echo "── $$m"; (cd $$m && $(2)) || failed="$$failed $$m"; done; \
	[ -z "$$failed" ] || { echo "failed in:$$failed" >&2; exit 1; }

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' Makefile | expand -t 15

.PHONY: run
run: deps build ## run the built-in robot; HTTP=127.0.0.1:8081 serves the page elsewhere, ROBOT=robot.yaml runs yours
	@exec $(BIN)/waldo up $(ROBOT) $(if $(HTTP),--http $(HTTP))

.PHONY: build
build: ## build waldo and the programs of all devices and of the gateway into bin/
	@mkdir -p $(BIN)
	@cd cmd/waldo && $(GO) build $(BUILDFLAGS) -o $(BIN)/waldo .
	@cd services/webrtc-gateway && $(GO) build $(BUILDFLAGS) -o $(BIN)/waldo-gateway .
	@for kind in $(STATIC); do (cd services/$$kind && CGO_ENABLED=0 $(GO) build $(BUILDFLAGS) -o $(BIN)/waldo-$$kind .); done
	@for kind in $(filter-out $(STATIC),$(KINDS)); do (cd services/$$kind && $(GO) build $(BUILDFLAGS) -o $(BIN)/waldo-$$kind .); done
	@cd services/rtsp-ingest && CGO_ENABLED=0 $(GO) build $(BUILDFLAGS) -o $(BIN)/fakecam ./fakecam/cmd/fakecam
	@# Programs are read from the disk again, as after a boot. The linker's output lies in memory in pieces of up to
	@# 2 MiB, which Linux 6.18 maps whole: up to 8 MB more in a process that needs a page of each.
	@sync $(BIN)/waldo-* && for program in $(BIN)/waldo-*; do dd if=$$program iflag=nocache count=0 status=none; done

.PHONY: firmware
firmware: deps-firmware ## build the rover's firmware and the simulated board that runs it into build/firmware/
	@firmware/build $(FIRMWARE)

.PHONY: test
test: deps deps-test build firmware $(TOOLS)/grpcurl $(VENV) $(READERS) $(FIREFOX) $(NPM) ## run all tests, including those in browsers; TESTFLAGS goes to go test
	@# Tests wait for three quarters of their time, so two packages share a processor. lint finds what vet would.
	@WALDO_REQUIRE_PULSE=1 $(GO) test -race -vet=off -p $$(($$(nproc) * 2)) $(TESTFLAGS) $(patsubst %,./%/...,$(filter-out e2e,$(MODULES)))
	@echo "── pkg/control, a million histories"; cd pkg && $(GO) test ./control -run Histories -histories 1000000
	@# These mostly wait; what each prints comes when it has ended.
	@$(MAKE) -j2 --output-sync=target test-python test-page test-npm
	@$(MAKE) e2e

.PHONY: test-page test-python test-npm
test-page:
	@echo "── services/webrtc-gateway/web"; node --test services/webrtc-gateway/web/tests/*.test.js
test-python: python
	@echo "── clients/python"; cd clients/python && WALDO_BIN=$(BIN) $(PYTHON) -m pytest -q
	@WALDO_BIN=$(BIN) scripts/test-python-versions $(BUILD)/python/*.whl $(BUILD)/python-versions ends
test-npm:
	@echo "── clients/npm"; cd clients/npm && npm run --silent build && WALDO_BIN=$(BIN) npm test --silent

.PHONY: python
python: $(VENV) ## build the Python package, as a wheel and an sdist, into build/python/
	@rm -rf $(BUILD)/python && $(PYTHON) -m build --outdir $(BUILD)/python clients/python >/dev/null

.PHONY: python-versions
python-versions: deps build python ## test the Python package with every Python at hand, and the lowest and the newest packages
	@WALDO_BIN=$(BIN) scripts/test-python-versions $(BUILD)/python/*.whl $(BUILD)/python-versions

.PHONY: cpp
cpp: deps-test ## build the example in C++ into build/cpp/
	@$(MAKE) --silent -j2 -C examples/cpp BUILD=$(BUILD)/cpp

.PHONY: npm
npm: $(NPM) ## build the npm package into build/npm/
	@rm -rf $(BUILD)/npm && mkdir -p $(BUILD)/npm && cd clients/npm && npm pack --silent --pack-destination $(BUILD)/npm

.PHONY: e2e
e2e: deps deps-test build firmware npm cpp $(TOOLS)/grpcurl $(VENV) $(READERS) $(FIREFOX) ## run only the end-to-end tests, with real programs and real browsers
	@echo "── e2e"; cd e2e && WALDO_BIN=$(BIN) WALDO_PYTHON=$(PYTHON) WALDO_NPM=$(BUILD)/npm \
		WALDO_CPP=$(BUILD)/cpp/robot $(GO) test -race -vet=off -count=1 -parallel 6 -timeout 60m $(TESTFLAGS) ./...

.PHONY: bench
bench: deps deps-test deps-bench build firmware $(TOOLS)/grpcurl $(PYTHON) ## measure latency, recovery, cost of viewers, and single packages; BENCH=name for some
	@echo "── the whole, in Chromium"; cd e2e && WALDO_BIN=$(BIN) WALDO_PYTHON=$(PYTHON) \
		$(GO) test -run '^$$' -bench '$(or $(BENCH),.)' -benchtime 1x -timeout 3h .
ifndef BENCH
	@echo "── the firmware's watchdogs"; cd firmware && $(GO) test -run '^$$' -bench . -benchtime 1x .
	@echo "── the gateway beside a bare fan-out on pion"; cd services/webrtc-gateway && $(GO) run ./fanoutbench
	@echo "── 1,000 reports a second of an input device, for a minute"; cd services/input && \
		$(GO) test -run '^$$' -bench ThousandASecond -benchtime 60000x ./evdev
endif
	@$(call each,pkg recording rendezvous services/audio services/camera services/input services/recorder services/replay services/rtsp-ingest services/serial services/uplink services/webrtc-gateway sound video,$(GO) test -run '^$$' -bench '$(or $(BENCH),.)' ./... | grep -v 'no test files')

.PHONY: bench-compare
bench-compare: deps ## compare the benchmarks of packages with those of the commit BASE; also WITH=commit, BENCH, PACKAGES, RENAMED=old=new
	@[ -n "$(BASE)" ] || { echo "name the commit to compare with, as in: make bench-compare BASE=main~10 PACKAGES=pkg/bus" >&2; exit 2; }
	@cd tools/benchcompare && $(GO) build -o $(TOOLS)/benchcompare . && cd $(CURDIR) && $(TOOLS)/benchcompare \
		-bench '$(or $(BENCH),.)' -packages '$(or $(PACKAGES),.)' -renamed '$(RENAMED)' $(COMPAREFLAGS) $(BASE) $(WITH)

.PHONY: promises
promises: deps deps-test build ## compare the numbers of docs/numbers.md with yardsticks of the same run, in minutes; fails if one is lost
	@echo "── the whole, in Chromium"; cd e2e && WALDO_BIN=$(BIN) $(GO) test -run '^$$' -bench . -benchtime 1x -timeout 20m ./promises
	@echo "── a viewer beside bare pion"; cd services/webrtc-gateway && $(GO) run ./fanoutbench -viewers 10,10,10 -window 5s -check -ratio 1.3

.PHONY: fuzz
fuzz: deps ## run every fuzz target for FUZZTIME (10s)
	@GO=$(GO) FUZZTIME=$(FUZZTIME) scripts/fuzz $(MODULES)

.PHONY: lab
lab: deps build ## test with real drivers in a virtual machine (deploy/vm)
	@deploy/vm/lab test

.PHONY: lint
lint: deps $(TOOLS)/golangci-lint $(WEB) $(NPM) $(VENV) ## look for mistakes and violations of the style
	@$(call each,$(MODULES),$(TOOLS)/golangci-lint run ./...)
	@echo "── types of the page"; cd services/webrtc-gateway/web && npx --no-install tsc
	@echo "── types of the npm package"; cd clients/npm && npm run --silent build && npm run --silent check
	@echo "── the Python package"; cd clients/python && $(PYTHON) -m ruff check -q && $(PYTHON) -m mypy

.PHONY: tools
tools: deps $(TOOLS)/grpcurl ## build the tools of the README, grpcurl, into bin/tools/

.PHONY: format
format: $(TOOLS)/golangci-lint $(TOOLS)/buf ## format Go and protobuf files
	@$(call each,$(MODULES),$(TOOLS)/golangci-lint fmt ./...)
	@$(TOOLS)/buf format -w

.PHONY: generate
generate: $(TOOLS)/buf $(WEB) $(PROTOC_READY) ## generate api/gen, the types of the page, and the modules of the Python and npm packages, from api/proto
	@PATH=$(TOOLS):$$PATH buf generate
	@cd examples/thermometer && PATH=$(TOOLS):$$PATH buf generate
	@scripts/generate-python $(PROTOC) clients/python/src

.PHONY: check
check: deps $(TOOLS)/buf $(WEB) $(PROTOC_READY) ## check the API, generated code, go.mod files, imports, where codecs are named, and builds without go.work
	@GO=$(GO) PATH=$(TOOLS):$$PATH PROTOC=$(PROTOC) scripts/check-api
	@scripts/check-imports
	@scripts/check-codecs
	@GO=$(GO) scripts/check-links
	@$(call each,$(MODULES),GOWORK=off $(GO) mod tidy -diff && GOWORK=off $(GO) build -o /dev/null ./...)

.PHONY: cross
cross: ## build the modules without C for arm64, arm and amd64, and one with C for arm64
	@for arch in $(MACHINES); do for m in $(PURE); do echo "── $$m $$arch"; \
		(cd $$m && CGO_ENABLED=0 GOOS=linux GOARCH=$$arch $(GO) build -o /dev/null ./...); done; \
		echo "── video/camera $$arch"; (cd video && CGO_ENABLED=0 GOOS=linux GOARCH=$$arch $(GO) build -o /dev/null ./camera); \
		echo "── services/rtsp-ingest $$arch, passing through"; (cd services/rtsp-ingest && CGO_ENABLED=0 GOOS=linux GOARCH=$$arch \
			$(GO) build -o /dev/null ./connect ./mjpeg ./rtmp ./rtsp); done
	@echo "── services/camera arm64, with C libraries"; deploy/packages/build foreign arm64 $(GO) build -C services/camera -o /dev/null .

.PHONY: packages
packages: deps $(TOOLS)/nfpm ## build Debian packages into build/packages/ for ARCHITECTURES (amd64 arm64 armhf)
	@for arch in $(ARCHITECTURES); do \
		deploy/packages/build programs $$arch $(BUILD)/packages/programs-$$arch; \
		NFPM=$(TOOLS)/nfpm deploy/packages/build packages $$arch $(BUILD)/packages/programs-$$arch $(BUILD)/packages/$$arch; done

.PHONY: images
images: ## build container images of waldo and the gateway into build/images/, without a container engine; IMAGES=arm64 for some
	@scripts/deps ca-certificates
	@GO=$(GO) deploy/images/build $(IMAGES)

.PHONY: images-test
images-test: ## build this machine's container images, and run the cloud side of a fleet from them as its files say
	@$(MAKE) images IMAGES=$$($(GO) env GOARCH)
	@deploy/images/check

.PHONY: packages-test
packages-test: ## build this machine's packages, and install, upgrade and purge them in a bare Debian; CUTS=20 cuts the power more often
	@$(MAKE) packages ARCHITECTURES=$$(dpkg --print-architecture)
	@CUTS=$(CUTS) deploy/packages/check

.PHONY: packages-bench
packages-bench: ## measure how soon a watched camera is back under systemd, in a bare Debian; BENCH=name for some
	@$(MAKE) packages ARCHITECTURES=$$(dpkg --print-architecture)
	@BENCH=$(or $(BENCH),.) deploy/packages/check

.PHONY: deps
deps: ## install the Debian packages needed to build, if missing
	@GO=$(GO) scripts/deps go gcc g++ libc6-dev pkg-config libavcodec-dev libavutil-dev libopenh264-dev libturbojpeg0-dev libvpx-dev \
		libyuv-dev portaudio19-dev libopus-dev libopusfile-dev libsamplerate0-dev

.PHONY: deps-firmware
deps-firmware: ## install the Debian packages needed to build the firmware, if missing
	@scripts/deps gcc libc6-dev libsimavr-dev libelf-dev gcc-avr avr-libc binutils-avr arduino-core-avr

.PHONY: deps-test
deps-test: ## install the Debian packages needed to test, if missing
	@scripts/deps chromium conntrack curl ffmpeg firefox-esr flite fonts-dejavu-core iproute2 libasound2-plugins libgrpc++-dev libnss3-tools libprotobuf-dev nftables nginx-light nodejs protobuf-compiler-grpc pulseaudio python3-venv xvfb \
		gir1.2-gst-plugins-bad-1.0 gir1.2-gst-rtsp-server-1.0 gir1.2-gstreamer-1.0 gstreamer1.0-libav gstreamer1.0-nice gstreamer1.0-plugins-bad python3-gi

.PHONY: deps-bench
deps-bench: ## install the Debian packages that the benchmarks compare with, if missing
	@scripts/deps coturn

.PHONY: venv
venv: deps-test $(VENV) ## install the Python package, editable, and what its tests and the examples need, into build/venv/

.PHONY: clean
clean: ## remove everything that was built
	rm -rf $(BIN) $(BUILD)

# Tools are pinned in tools/go.mod, and rebuilt when it changes.
$(TOOLS)/buf: PACKAGES = github.com/bufbuild/buf/cmd/buf google.golang.org/protobuf/cmd/protoc-gen-go google.golang.org/grpc/cmd/protoc-gen-go-grpc
$(TOOLS)/golangci-lint: PACKAGES = github.com/golangci/golangci-lint/v2/cmd/golangci-lint
$(TOOLS)/grpcurl: PACKAGES = github.com/fullstorydev/grpcurl/cmd/grpcurl
$(TOOLS)/%: tools/go.mod tools/go.sum
	@mkdir -p $(TOOLS)
	@echo "building $* of tools/go.mod"; cd tools && GOWORK=off $(GO) build -o $(TOOLS)/ $(PACKAGES)
	@touch $@

# The program that makes Debian packages has a module of its own: its dependencies are many, and nobody else's.
$(TOOLS)/nfpm: deploy/packages/nfpm/go.mod deploy/packages/nfpm/go.sum
	@mkdir -p $(TOOLS)
	@echo "building nfpm of deploy/packages/nfpm/go.mod"; cd deploy/packages/nfpm && GOWORK=off $(GO) build -o $@ github.com/goreleaser/nfpm/v2/cmd/nfpm
	@touch $@

# The Python package, editable, with what its tests, the examples and e2e need from PyPI.
$(VENV): clients/python/pyproject.toml clients/python/requirements-test.txt e2e/requirements.txt
	@scripts/deps python3-venv
	@rm -rf $(BUILD)/venv && mkdir -p $(BUILD)
	@/usr/bin/python3 -m venv $(BUILD)/venv
	@$(BUILD)/venv/bin/pip install --quiet --disable-pip-version-check \
		-e clients/python -r clients/python/requirements-test.txt -r e2e/requirements.txt
	@touch $@

$(PROTOC_READY): clients/python/requirements-generate.txt
	@scripts/deps python3-venv
	@rm -rf $(BUILD)/protoc && mkdir -p $(BUILD)
	@/usr/bin/python3 -m venv $(BUILD)/protoc
	@$(BUILD)/protoc/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

$(READERS) $(FIREFOX) $(NPM) $(WEB): %/node_modules/.package-lock.json: %/package-lock.json
	@scripts/deps nodejs npm
	@cd $* && npm ci --silent --no-audit --no-fund
	@touch $@
