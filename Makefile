# SPDX-License-Identifier: ISC
# Builds vmsup and vmproc, installs them, runs every test. See README.md.

VERSION := 0.1.0
BUILD ?= build
ifeq ($(origin CC),default)
CC := gcc
endif
CLANG ?= clang
PREFIX ?= /usr/local
SBINDIR ?= $(PREFIX)/sbin
LIBEXECDIR ?= $(PREFIX)/libexec/vmsup
MANDIR ?= $(PREFIX)/share/man
COMPLETIONDIR ?= $(PREFIX)/share/bash-completion/completions
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d
UNITDIR ?= $(PREFIX)/lib/systemd/system
PKG_CONFIG ?= pkg-config
# What vmproc is built with: musl, as docs/decisions.md says; gcc and clang take
# glibc.
VMPROC_CC ?= musl-gcc
WERROR ?=
EXTRA ?=

WARNINGS := -Wall -Wextra -Wshadow -Wvla -Wcast-qual -Wformat=2 \
	-Wstrict-prototypes -Wmissing-prototypes -Wimplicit-fallthrough -Wundef
HARDENING ?= -O2 -fstack-protector-strong -fstack-clash-protection \
	-D_FORTIFY_SOURCE=3
CPPFLAGS += -I. -D_GNU_SOURCE -DVMSUP_VERSION='"$(VERSION)"'
ALL_CFLAGS = -std=gnu17 -g $(WARNINGS) $(WERROR) $(HARDENING) -fPIE -MMD -MP \
	$(EXTRA) $(CFLAGS)
ALL_LDFLAGS = -Wl,-z,relro,-z,now,-z,noexecstack $(EXTRA) $(LDFLAGS)

SUPERVISOR_PACKAGES := libseccomp libcap-ng libnl-3.0 libmnl libnftnl \
	jansson libconfig smartcols
SUPERVISOR_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(SUPERVISOR_PACKAGES))
SUPERVISOR_LIBS := $(shell $(PKG_CONFIG) --libs $(SUPERVISOR_PACKAGES))

# A room is a folder; what each program is made of is a list of rooms.
ipc_SRC := $(wildcard ipc/*.c)
# The half of sandbox/ that a VM process runs; the rest is the supervisor's.
sandbox_vmproc_SRC := sandbox/stage2.c
sandbox_SRC := $(filter-out $(sandbox_vmproc_SRC),$(wildcard sandbox/*.c))
# The rooms of supervisor/, from the bottom up, and what each of them uses.
ROOMS := lib config net control host vm state life takeover instance api cli
lib_USES := ipc
config_USES := lib $(lib_USES)
net_USES := lib $(lib_USES)
control_USES := lib $(lib_USES)
host_USES := control $(control_USES)
vm_USES := host config net sandbox $(host_USES)
state_USES := vm $(vm_USES)
life_USES := state $(state_USES)
takeover_USES := life $(life_USES)
instance_USES := takeover $(takeover_USES)
api_USES := instance $(instance_USES)
top_USES := api $(api_USES)
cli_USES := top $(top_USES)
top_SRC := $(filter-out supervisor/main.c,$(wildcard supervisor/*.c))
$(foreach room,$(ROOMS),$(eval $(room)_SRC := $(wildcard supervisor/$(room)/*.c)))
supervisor_SRC := $(top_SRC) $(foreach room,$(ROOMS),$($(room)_SRC))
vmproc_SRC := sandbox/stage2.c
sandbox_SRC := $(filter-out $(sandbox_vmproc_SRC),$(wildcard sandbox/*.c))
supervisor_SRC := $(filter-out supervisor/main.c,$(wildcard supervisor/*.c \
	$(foreach room,api cli config control host instance lib life net state \
	takeover vm,supervisor/$(room)/*.c)))
vmproc_SRC := $(filter-out vmproc/main.c,$(wildcard vmproc/*.c \
	$(foreach room,builtin kvm virtio,vmproc/$(room)/*.c)))

# Objects are kept apart: there is a room and a program called vmproc. Rooms of
# vmproc's are compiled twice: for vmproc and its stand-ins with VMPROC_CC, for
# unit tests, sanitizers and fuzzers with CC.
OBJ := $(BUILD)/obj
CAGED_OBJ := $(BUILD)/obj-caged
objects = $(patsubst %.c,$(OBJ)/%.o,$(1))
SUPERVISOR_OBJ := $(call objects,$(supervisor_SRC) $(sandbox_SRC) $(ipc_SRC))
VMPROC_OBJ := $(call objects,$(vmproc_SRC) $(sandbox_vmproc_SRC) $(ipc_SRC))
caged_objects = $(patsubst %.c,$(CAGED_OBJ)/%.o,$(1))

.PHONY: all
all: $(BUILD)/vmsup $(BUILD)/vmproc

$(BUILD)/vmsup: $(OBJ)/supervisor/main.o $(SUPERVISOR_OBJ)
	$(CC) $(ALL_CFLAGS) -pie $(ALL_LDFLAGS) -o $@ $^ $(SUPERVISOR_LIBS)

# Static, so that it starts in an empty room; links nothing but libc. musl-gcc
# doesn't know -static-pie, so it is told what that is; and it sees no headers
# of the kernel's, so it is shown these, and none of glibc's.
ifeq ($(notdir $(lastword $(VMPROC_CC))),musl-gcc)
CAGED_CPPFLAGS := -idirafter $(CAGED_OBJ)/headers
link_caged = $(VMPROC_CC) $(ALL_CFLAGS) -static -nostartfiles \
	-Wl,-pie,--no-dynamic-linker,-z,text $(ALL_LDFLAGS) -o $(1) \
	-l:rcrt1.o -l:crti.o $(2) -l:crtn.o
else
link_caged = $(VMPROC_CC) $(ALL_CFLAGS) -static-pie $(ALL_LDFLAGS) -o $(1) $(2)
endif

$(BUILD)/vmproc: $(call caged_objects,vmproc/main.c $(vmproc_SRC) \
		$(sandbox_vmproc_SRC) $(ipc_SRC))
	$(call link_caged,$@,$^)

# Never another compiler in silence; changed, it compiles all of them anew.
$(CAGED_OBJ)/compiler: FORCE
	@command -v $(lastword $(VMPROC_CC)) >/dev/null || { \
		echo "vmproc is built with $(VMPROC_CC), which isn't here:" \
			"install musl-tools, or choose another compiler" \
			"(make VMPROC_CC=gcc)" >&2; exit 1; }
	@mkdir -p $(@D)
	@echo "$(VMPROC_CC)" | cmp -s - $@ || echo "$(VMPROC_CC)" >$@

# Where the kernel's headers are, by this system's compiler.
$(CAGED_OBJ)/headers: $(CAGED_OBJ)/compiler
	@rm -rf $@ && mkdir -p $@
	@for header in linux/types.h asm/types.h asm-generic/types.h \
		video/edid.h; do \
		found=$$(echo "#include <$$header>" | $(CC) -E -M -x c - | \
			grep -o "[^ ]*/$$header" | head -n 1); \
		ln -s "$${found%/*}" "$@/$${header%/*}" || exit 1; \
	done

$(CAGED_OBJ)/%.o: %.c $(CAGED_OBJ)/compiler | $(CAGED_OBJ)/headers
	@mkdir -p $(@D)
	$(VMPROC_CC) $(CPPFLAGS) $(CAGED_CPPFLAGS) $(ALL_CFLAGS) -c -o $@ $<

.PHONY: FORCE
FORCE:

# The interface text is part of the program: org.varlink.service gives it out.
$(OBJ)/supervisor/api/interface.inc: supervisor/api/io.vmsup.varlink
	@mkdir -p $(@D)
	sed -e 's/[\\"]/\\&/g' -e 's/^.*$$/"&\\n"/' $< >$@
$(OBJ)/supervisor/%.o: CPPFLAGS += -I$(OBJ)

# The part of ACPI that is a program: compiled, then made bytes of a C array.
IASL ?= iasl
$(OBJ)/vmproc/kvm/dsdt.inc: vmproc/kvm/acpi.asl
	@mkdir -p $(@D)
	$(IASL) -p $(@D)/dsdt $< >$(@D)/dsdt.log 2>&1 || \
		{ cat $(@D)/dsdt.log >&2; exit 1; }
	od -An -v -tx1 $(@D)/dsdt.aml | sed 's/ \(..\)/0x\1,/g' >$@
ACPI_OBJ := $(OBJ)/vmproc/kvm/acpi.o $(CAGED_OBJ)/vmproc/kvm/acpi.o
$(ACPI_OBJ): $(OBJ)/vmproc/kvm/dsdt.inc
$(ACPI_OBJ): CPPFLAGS += -I$(OBJ)
$(OBJ)/supervisor/%.o $(OBJ)/sandbox/%.o $(OBJ)/tests/%.o: \
	CPPFLAGS += $(SUPERVISOR_CFLAGS)

$(OBJ)/%.o: %.c | $(OBJ)/supervisor/api/interface.inc
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -c -o $@ $<

# What one room of supervisor/ is linked with: itself, and what it uses.
room_objects = $(call objects,$(foreach room,$(1) $($(1)_USES),$($(room)_SRC)))

# ---- tests: tests/unit/ROOM/test_*.c, each linked with the room it tests, those
# of supervisor/ROOM with nothing that is above it

unit_tests = $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/$(1)/test_*.c))
UNIT_SUPERVISOR := $(call unit_tests,supervisor) \
	$(call unit_tests,supervisor/*)
UNIT_VMPROC := $(call unit_tests,vmproc)
UNIT_IPC := $(call unit_tests,ipc)
UNIT_SANDBOX := $(call unit_tests,sandbox)
UNIT := $(UNIT_IPC) $(UNIT_SANDBOX) $(UNIT_VMPROC) $(UNIT_SUPERVISOR)

$(call unit_tests,supervisor): $(call room_objects,top)
$(foreach room,$(ROOMS),$(eval $(call unit_tests,supervisor/$(room)): \
	$(call room_objects,$(room))))
$(UNIT_SUPERVISOR): $(BUILD)/%: $(OBJ)/%.o
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -pie $(ALL_LDFLAGS) -o $@ $^ $(SUPERVISOR_LIBS) \
		-lcmocka
$(UNIT_VMPROC): $(BUILD)/%: $(OBJ)/%.o $(VMPROC_OBJ)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -pie $(ALL_LDFLAGS) -o $@ $^ -lcmocka
$(UNIT_IPC): $(BUILD)/%: $(OBJ)/%.o $(call objects,$(ipc_SRC))
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -pie $(ALL_LDFLAGS) -o $@ $^ -lcmocka
$(UNIT_SANDBOX): $(BUILD)/%: $(OBJ)/%.o $(call objects,$(sandbox_SRC) \
		$(ipc_SRC))
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -pie $(ALL_LDFLAGS) -o $@ $^ $(SUPERVISOR_LIBS) \
		-lcmocka

# Programs that stand in the VM process's place, built as it is: tests/cage/*.c,
# or rooms there
STANDIN_FILES := $(filter-out %/filters %/unlisted,$(patsubst %.c,$(BUILD)/%,\
	$(wildcard tests/cage/*.c)))
STANDIN_ROOMS := $(addprefix $(BUILD)/tests/cage/,hostile probe sweep)
STANDINS := $(STANDIN_FILES) $(STANDIN_ROOMS)
$(STANDIN_FILES): $(BUILD)/%: $(CAGED_OBJ)/%.o
$(BUILD)/tests/cage/hostile: \
	$(call caged_objects,$(wildcard tests/cage/hostile/*.c))
$(BUILD)/tests/cage/probe: \
	$(call caged_objects,$(wildcard tests/cage/probe/*.c))
$(BUILD)/tests/cage/sweep: \
	$(call caged_objects,$(wildcard tests/cage/sweep/*.c))
$(BUILD)/tests/cage/hardening: $(call caged_objects,vmproc/relro.c)
$(STANDINS): $(call caged_objects,$(addprefix vmproc/,calls.c lock.c place.c \
		thread.c) \
		$(sandbox_vmproc_SRC) $(ipc_SRC))
	@mkdir -p $(@D)
	$(call link_caged,$@,$^)

# Programs that tests and benches run: tests/system/*.c, tests/bench/*.c
TOOLS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/system/*.c tests/bench/*.c))
$(TOOLS): $(BUILD)/%: $(OBJ)/%.o
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -pie $(ALL_LDFLAGS) -o $@ $^

# A stand-in for the supervisor, for one kvm guest; and what tries filters
SOLO := $(BUILD)/tests/lab/solo $(BUILD)/tests/cage/filters
$(BUILD)/tests/cage/filters: $(call objects,vmproc/lock.c)
$(SOLO): $(BUILD)/%: $(OBJ)/%.o $(call objects,$(sandbox_SRC) \
		$(sandbox_vmproc_SRC) $(ipc_SRC))
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -pie $(ALL_LDFLAGS) -o $@ $^ $(SUPERVISOR_LIBS)

# The supervisor without the lists of set-up: for what must hold behind them
UNLISTED := $(BUILD)/tests/cage/unlisted
$(UNLISTED): $(OBJ)/tests/cage/unlisted.o $(OBJ)/supervisor/main.o \
		$(SUPERVISOR_OBJ)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -pie $(ALL_LDFLAGS) -Wl,--wrap=filter_compile \
		-o $@ $^ $(SUPERVISOR_LIBS)

.PHONY: tests unit check asan fuzz fuzz-build lint layers format bench
tests: all $(UNIT) $(STANDINS) $(TOOLS) $(SOLO) $(UNLISTED)

LAB := $(sort $(wildcard tests/lab/*.bats))
RUN := BUILD=$(BUILD) prove --timer --failures --comments --exec tests/run

unit: $(UNIT)
	prove --exec tests/run $(UNIT)

check: tests
	$(RUN) $(UNIT) $(sort $(wildcard tests/cage/*.bats tests/system/*.bats)) \
		$(LAB)

# Of those, real guests: under KVM, in an emulated machine if need be.
.PHONY: lab
lab: tests
	$(RUN) $(LAB)

ASAN := -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer
asan:
	ASAN_OPTIONS=detect_stack_use_after_return=1 \
		$(MAKE) BUILD=build-asan HARDENING=-O1 EXTRA="$(ASAN)" unit

# What threads share in a VM process: a machine with every device, and the locks.
# What is written to memory that a guest shares with a device isn't judged: no
# test has a driver. (gcc warns of fences, which the sanitizer doesn't see: they
# are for that memory.)
TSAN := -fsanitize=thread -Wno-tsan
THREADED := $(addprefix $(BUILD)/tests/unit/vmproc/,test_kvm_machine test_lock)
.PHONY: tsan threaded
tsan:
	$(MAKE) BUILD=build-tsan HARDENING=-O1 EXTRA="$(TSAN)" threaded
threaded: $(THREADED)
	TSAN_OPTIONS=report_thread_leaks=0 prove --exec tests/run $(THREADED)

# One harness per parser of untrusted bytes: tests/fuzz/ROOM/fuzz_*.c, linked as
# the unit tests are
FUZZ_SECONDS ?= 60
fuzzers = $(patsubst %.c,$(BUILD)/%,$(wildcard tests/fuzz/$(1)/fuzz_*.c))
FUZZ_SUPERVISOR := $(call fuzzers,supervisor/*)
FUZZ_VMPROC := $(call fuzzers,vmproc)
FUZZ_IPC := $(call fuzzers,ipc)
FUZZ := $(FUZZ_SUPERVISOR) $(FUZZ_VMPROC) $(FUZZ_IPC)
$(foreach room,$(ROOMS),$(eval $(call fuzzers,supervisor/$(room)): \
	$(call room_objects,$(room))))
$(FUZZ_SUPERVISOR): $(BUILD)/%: $(OBJ)/%.o
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -fsanitize=fuzzer -o $@ $^ $(SUPERVISOR_LIBS)
$(FUZZ_VMPROC): $(BUILD)/%: $(OBJ)/%.o $(VMPROC_OBJ)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -fsanitize=fuzzer -o $@ $^
$(FUZZ_IPC): $(BUILD)/%: $(OBJ)/%.o $(call objects,$(ipc_SRC))
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -fsanitize=fuzzer -o $@ $^
fuzz-build: $(FUZZ)
fuzz:
	$(MAKE) BUILD=build-fuzz CC=$(CLANG) HARDENING=-O1 fuzz-build \
		EXTRA="$(ASAN) -fsanitize=fuzzer-no-link"
	scripts/fuzz build-fuzz/tests/fuzz $(FUZZ_SECONDS)

C_FILES = $(shell git ls-files '*.c' '*.h')
lint: layers $(OBJ)/supervisor/api/interface.inc $(OBJ)/vmproc/kvm/dsdt.inc
	@scripts/lint $(OBJ) $(C_FILES)
# Which room uses which, by the objects; and each header by itself.
layers: tests
	@scripts/layers scripts/layers.table $(BUILD) $(CPPFLAGS) -I$(OBJ) \
		$(SUPERVISOR_CFLAGS)
format:
	clang-format -i $(C_FILES)

# And real guests beside QEMU's: minutes, where the lab is emulated.
bench: tests
	BUILD=$(BUILD) tests/bench/run
	BUILD=$(BUILD) tests/lab/bench

# ---- install

INSTALL ?= install
# The places of the programs, in what names them.
PLACES := -e 's|@SBINDIR@|$(SBINDIR)|g' -e 's|@LIBEXECDIR@|$(LIBEXECDIR)|g'
.PHONY: install
install: all
	$(INSTALL) -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(LIBEXECDIR) \
		$(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(MANDIR)/man7 \
		$(DESTDIR)$(MANDIR)/man8 $(DESTDIR)$(COMPLETIONDIR) \
		$(DESTDIR)$(SYSUSERSDIR) $(DESTDIR)$(TMPFILESDIR) \
		$(DESTDIR)$(UNITDIR)
	$(INSTALL) -m 755 $(BUILD)/vmsup $(DESTDIR)$(SBINDIR)/vmsup
	$(INSTALL) -m 755 $(BUILD)/vmproc $(DESTDIR)$(LIBEXECDIR)/vmproc
	$(INSTALL) -m 644 man/vmsup.conf.5 $(DESTDIR)$(MANDIR)/man5
	$(INSTALL) -m 644 man/vmsup-protocol.7 $(DESTDIR)$(MANDIR)/man7
	$(INSTALL) -m 644 man/vmsup.8 man/vmproc.8 $(DESTDIR)$(MANDIR)/man8
	$(INSTALL) -m 644 scripts/completion/vmsup.bash \
		$(DESTDIR)$(COMPLETIONDIR)/vmsup
	$(INSTALL) -m 644 scripts/systemd/vmsup.sysusers \
		$(DESTDIR)$(SYSUSERSDIR)/vmsup.conf
	$(INSTALL) -m 644 scripts/systemd/vmsup.tmpfiles \
		$(DESTDIR)$(TMPFILESDIR)/vmsup.conf
	$(INSTALL) -m 644 scripts/systemd/vmsup.socket $(DESTDIR)$(UNITDIR)
	$(INSTALL) -m 644 /dev/null $(DESTDIR)$(UNITDIR)/vmsup.service
	sed $(PLACES) scripts/systemd/vmsup.service.in \
		>$(DESTDIR)$(UNITDIR)/vmsup.service
	$(INSTALL) -m 755 /dev/null $(DESTDIR)$(LIBEXECDIR)/service-stop
	sed $(PLACES) scripts/systemd/service-stop.in \
		>$(DESTDIR)$(LIBEXECDIR)/service-stop

.PHONY: clean
clean:
	rm -rf $(BUILD) build-*

-include $(shell find $(BUILD) -name '*.d' -type f 2>/dev/null)
