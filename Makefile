# SPDX-License-Identifier: Apache-2.0
# slipway. `make` builds build/<variant>/slipway; `make check` sets up what the tests need and runs them all.
MAKEFLAGS += -r --no-print-directory
.SUFFIXES:
.SECONDARY:
.DEFAULT_GOAL := all

VERSION := 0.1.0
CC := gcc
AR := ar
PREFIX ?= /usr/local
DESTDIR ?=
SAN ?=
CI ?=

ifneq ($(filter clang%,$(notdir $(CC))),)
COMPILER := clang
else
COMPILER := gcc
endif
VARIANT := $(COMPILER)$(if $(SAN),-san)
B := build/$(VARIANT)

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings -Wcast-qual -Wvla \
	-Wformat=2 -Wundef $(if $(CI),-Werror)
ifeq ($(SAN),)
MODE := -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong
LINKMODE := -pie -Wl,-z,relro,-z,now -Wl,--as-needed
else
MODE := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
LINKMODE := -pie -fsanitize=address,undefined
endif
CPPFLAGS := -D_GNU_SOURCE -I. -DSLIPWAY_VERSION='"$(VERSION)"'
CFLAGS := -std=gnu17 -fPIE -fno-strict-aliasing $(MODE) $(WARN)
BANNED := -include base/banned.h
LDLIBS := -larchive -lcrypto -ljansson -lseccomp -lz -lzstd -ldeflate -lpthread -ldl

# The rooms, lowest first; each is an archive. BELOW_x: what x may see.
ROOMS := base aws registry runtime builder deploy cli
BELOW_base := base
BELOW_aws := aws base
BELOW_registry := registry aws base
BELOW_runtime := runtime base
BELOW_builder := builder registry runtime aws base
BELOW_deploy := deploy registry aws base
BELOW_cli := cli deploy builder registry runtime aws base

sources = $(sort $(wildcard $(1)/*.c))
objects = $(patsubst %.c,$(B)/%.o,$(1))
archive = $(B)/lib$(1).a
archives = $(foreach room,$(BELOW_$(1)),$(call archive,$(room)))

# cli/main.c is left out of its archive, so that tests may link the rest.
SRC_base := $(call sources,base)
SRC_aws := $(call sources,aws)
SRC_registry := $(call sources,registry)
SRC_runtime := $(call sources,runtime)
SRC_builder := $(call sources,builder)
SRC_deploy := $(call sources,deploy)
SRC_cli := $(filter-out cli/main.c,$(call sources,cli))

UNIT_SRC := $(call sources,tests/unit)
UNIT := $(patsubst tests/unit/%.c,$(B)/unit/%,$(UNIT_SRC))
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
REPLAY := $(patsubst tests/fuzz/fuzz_%.c,$(B)/replay/%,$(FUZZ_SRC))
FUZZ := $(patsubst tests/fuzz/fuzz_%.c,build/fuzz/%,$(FUZZ_SRC))
HELPERS := $(patsubst tests/helpers/%.c,$(B)/helpers/%,$(wildcard tests/helpers/*.c))

.PHONY: all check check-unit check-it check-fuzz lint fuzz golden deps demo bench install clean ci helpers
all: $(B)/slipway

# Changed flags rebuild everything and nothing else does.
FLAGS := $(CC) $(CPPFLAGS) $(CFLAGS) $(LINKMODE) $(LDLIBS)
$(B)/flags: force
	@mkdir -p $(@D); printf '%s\n' '$(subst ','\'',$(FLAGS))' | cmp -s - $@ || printf '%s\n' '$(subst ','\'',$(FLAGS))' > $@
.PHONY: force
force:

# V=1 shows the commands.
V ?=
Q := $(if $(V),,@)
say = $(if $(V),,@echo "  $(1) $(2)")

$(B)/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(call say,cc,$<)
	$(Q)$(CC) $(CPPFLAGS) $(BANNED) $(CFLAGS) -MMD -MP -c $< -o $@

define room_rule
$(call archive,$(1)): $(call objects,$(SRC_$(1)))
	@rm -f $$@
	@$(AR) rcsD $$@ $$^
endef
$(foreach room,$(ROOMS),$(eval $(call room_rule,$(room))))

$(B)/slipway: $(B)/cli/main.o $(call archives,cli)
	$(call say,ld,$@)
	$(Q)$(CC) $(LINKMODE) -o $@ $^ $(LDLIBS)

# tests/unit/<room>_<file>.c links its room and those below, nothing else.
define unit_rule
$(B)/unit/$(1): $(B)/tests/unit/$(1).o $(B)/tests/tap.o $(call archives,$(firstword $(subst _, ,$(1))))
	@mkdir -p $$(@D)
	$(Q)$(CC) $(LINKMODE) -o $$@ $$^ $(LDLIBS)
endef
$(foreach t,$(UNIT_SRC),$(eval $(call unit_rule,$(basename $(notdir $(t))))))

$(B)/replay/%: $(B)/tests/fuzz/fuzz_%.o $(B)/tests/fuzz/replay.o $(call archives,cli)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LINKMODE) -o $@ $^ $(LDLIBS)

# libFuzzer wants clang; the rooms are compiled once more, with coverage.
FUZZ_FLAGS := $(CPPFLAGS) $(BANNED) -std=gnu17 -O1 -g -fno-strict-aliasing -fsanitize=fuzzer-no-link,address,undefined \
	-fno-sanitize-recover=all
FUZZ_OBJ := $(patsubst %.c,build/fuzz/%.o,$(foreach room,base aws registry runtime builder deploy,$(SRC_$(room))))
build/fuzz/%.o: %.c
	@mkdir -p $(@D)
	$(call say,fuzz,$<)
	$(Q)clang $(FUZZ_FLAGS) -MMD -MP -c -o $@ $<
build/fuzz/%: build/fuzz/tests/fuzz/fuzz_%.o $(FUZZ_OBJ)
	$(Q)clang -fsanitize=fuzzer,address,undefined -o $@ $^ $(LDLIBS)
fuzz: $(FUZZ)
	tests/fuzz/run $(FUZZ)

$(B)/helpers/%: tests/helpers/%.c $(call archives,cli) $(B)/flags
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(LINKMODE) -o $@ $< $(call archives,cli) $(LDLIBS)
# Runs inside images, which have no libraries.
$(B)/helpers/attack $(B)/helpers/owners: $(B)/helpers/%: tests/helpers/%.c $(B)/flags
	@mkdir -p $(@D)
	$(CC) -D_GNU_SOURCE -std=gnu17 -O1 $(WARN) -static -o $@ $<
helpers: $(HELPERS)

check-unit: $(UNIT)
	tests/run --build $(B) $(UNIT)
check-fuzz: $(REPLAY)
	tests/run --build $(B) $(REPLAY)
check-it: $(B)/slipway $(HELPERS)
	tests/run --build $(B) $(sort $(wildcard tests/it/*.sh))
# One run, one closing line. `deps` first: a fresh machine needs nothing else.
check:
	tests/setup/deps build test
	$(MAKE) check-all SAN=$(SAN) CC=$(CC) CI=$(CI)
.PHONY: check-all
check-all: $(B)/slipway $(UNIT) $(REPLAY) $(HELPERS)
	tests/run --build $(B) $(UNIT) $(REPLAY) $(sort $(wildcard tests/it/*.sh))

deps:
	tests/setup/deps
# Apart from the rest, for they take the network and minutes: Debian of other architectures under our emulation; slipway itself
# for arm64, its unit tests under QEMU.
.PHONY: units check-foreign check-arm64 deps-arm64
units: $(UNIT) $(REPLAY)
check-foreign:
	tests/setup/deps build test foreign
	$(MAKE) all helpers
	BUILD=$(B) tests/run --timeout 7200 --build $(B) tests/foreign/prove
deps-arm64:
	tests/setup/deps build foreign
check-arm64: deps-arm64
	$(MAKE) $(B)/helpers/guest
	BUILD=$(B) tests/foreign/arm64
lint: $(B)/slipway $(UNIT) $(REPLAY)
	tests/setup/deps lint
	BUILD=$(B) tests/lint/run
demo:
	tests/setup/deps build test
	$(MAKE) $(B)/slipway
	SLIPWAY=$(CURDIR)/$(B)/slipway tests/demo/run
bench:
	tests/setup/deps build test
	$(MAKE) $(B)/slipway
	SLIPWAY=$(CURDIR)/$(B)/slipway tests/bench/run
format:
	git ls-files '*.[ch]' | xargs clang-format -i
.PHONY: format
golden: $(UNIT)
	GOLDEN=1 tests/run --build $(B) $(UNIT)
ci:
	tests/ci

install: $(B)/slipway
	install -D -m 755 $(B)/slipway $(DESTDIR)$(PREFIX)/bin/slipway
	for page in man/*.1; do install -D -m 644 $$page $(DESTDIR)$(PREFIX)/share/man/man1/$${page##*/}; done
	for page in man/*.5; do install -D -m 644 $$page $(DESTDIR)$(PREFIX)/share/man/man5/$${page##*/}; done
clean:
	rm -rf build

-include $(shell find $(B) build/fuzz -name '*.d' 2>/dev/null)
