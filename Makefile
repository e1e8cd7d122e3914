# Thin front of Meson and ninja. `make demo` and `make check` work on a fresh Debian 12 or Ubuntu machine.
CACHE ?= $(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME),$(HOME)/.cache)/kaito
export KAITO_CACHE := $(CACHE)

.PHONY: all debug demo check bench install clean deps format layers
all: build/release/kaito

build/release/kaito: deps
	@scripts/build.sh release
	@cp -f build/release/src/cmd/kaito $@

debug: deps
	@scripts/build.sh debug

# The main job end to end: tune a real model, publish the adapter as an image, serve it, ask it.
demo: all
	@scripts/demo.sh

# Unit and end-to-end tests under ASan and UBSan, fuzz corpora replayed, layer and style checks.
check: deps
	@scripts/check.sh

# Ours beside the peers that are installed (scripts/install_peers.sh installs them).
bench: all
	@bench/run.sh

install: all
	meson install -C build/release --no-rebuild

deps:
	@scripts/install_deps.sh

layers:
	@scripts/check_layers.sh

format:
	clang-format -i $$(git ls-files 'src/*.[ch]' 'tests/*.[ch]' 'fuzz/*.[ch]' 'bench/*.[ch]')

clean:
	rm -rf build
