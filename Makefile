# What can be done here. `make` alone prints this list.

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GO    ?= go
BUILD := $(GO) build -trimpath -ldflags "-s -w"

.PHONY: help
help: ## print this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## the programs, static, into bin/
	@mkdir -p bin
	CGO_ENABLED=0 $(BUILD) -o bin/ ./cmd/...

.PHONY: demo
demo: setup build ## two real services built, signed, run, and every cheat refused
	$(GO) run -exec scripts/as-root ./e2e/demo

.PHONY: test
test: setup lint ## every check and test but the end-to-end ones (asks for root)
	scripts/test

.PHONY: lint
lint: setup ## vet, gofumpt, staticcheck, shellcheck
	scripts/lint

.PHONY: e2e
e2e: setup build peers ## end to end, beside the real cosign and ko
	scripts/test -tags e2e ./e2e/...

.PHONY: e2e-full
e2e-full: setup build peers ## the same with everything that takes minutes
	scripts/test -tags e2e,full -timeout 60m ./e2e/...

.PHONY: bench
bench: setup build peers ## figures, side by side with cosign, ko, runc and sha256
	scripts/bench

.PHONY: fuzz
fuzz: ## every fuzzer for FUZZTIME (30s) each
	scripts/fuzz

.PHONY: soak
soak: ## the laws over many more values, and the race detector, again and again
	scripts/soak

.PHONY: peers
peers: ## the real cosign and ko into bin/peers/
	scripts/peers

.PHONY: setup
setup: ## install the Debian packages that tests and demo need
	scripts/setup

.PHONY: clean
clean: ## remove bin/
	rm -rf bin
