/* SPDX-License-Identifier: ISC */
/*
 * What of the supervisor outlives its process, as JSON: in a file for who
 * starts after a crash, in a memfd for the program that replaces this one.
 *
 * Fields have names (fields.h): unknown ones are passed over, absent ones keep
 * what the caller preset, a wrong one is an error that names it. Enumerators
 * go by name, addresses as text. Counts and times (CLOCK_MONOTONIC, good for
 * one boot) are numbers of up to 63 bits, saved as INT64_MAX if over that; what
 * must be exact (inodes, ids of requests) is text, "0x1f". Texts for people are
 * cleaned of what a terminal would obey and cut off to the room there is. Of
 * rings longer than ours, the last entries are taken.
 *
 * Saves return a new reference, NULL without memory. Loads return 0; -EINVAL or
 * -ENOMEM with problem set: "state of vm0: config.restart.delay_min_ms is not a
 * number from 1 to 86400000". What was loaded before the error stays: the
 * object is whole, and freed as always. Nothing is looked at twice: whether
 * what is in the fields makes sense together, or is still so, is for the
 * caller to find out.
 */
#ifndef VMSUP_SUPERVISOR_STATE_H
#define VMSUP_SUPERVISOR_STATE_H

#include <jansson.h>

#include "supervisor/config/config.h"
#include "supervisor/events.h"
#include "supervisor/problem.h"
#include "supervisor/vm.h"

/* Of the documents made of these. To be raised when an older program would
 * misread them; new fields are no reason. */
#define STATE_VERSION 1

enum state_extent {
	STATE_CRASH, /* what holds without the process that saved it */
	STATE_UPGRADE, /* all: descriptors, deadlines, logs, what is under way */
};

/* All but the VMs. */
json_t *state_config_save(const struct config *config);
int state_config_load(struct config *config, const json_t *object,
		      struct problem *problem);

/* One VM's. A MAC or address that is loaded also sets has_mac, has_ipv4,
 * has_ipv6; vm is preset, with the defaults or zeroed. */
json_t *state_vm_config_save(const struct vm_config *vm);
int state_vm_config_load(struct vm_config *vm, const json_t *object,
			 struct problem *problem);

/*
 * A VM, its configuration included; its pings are not. What is known of the
 * process (pid to protocol) is saved only if there is one (pid_fd >= 0): with
 * pid preset to 0, it stays 0 if there was none.
 */
json_t *state_vm_save(const struct vm *vm, enum state_extent extent);
/*
 * Loads what is there, whatever its extent was. vm is preset as a new one:
 * zeroed, descriptors -1. Descriptors are numbers only, the caller's to check
 * and own. Sources and timers are left alone but for timer.due_ns and
 * heartbeat.due_ns: not 0 if that timer was armed (saved only then), for
 * loop_timer_at() once fire and ctx are set.
 */
int state_vm_load(struct vm *vm, const json_t *object, struct problem *problem);

/*
 * A machine: null for none. Descriptors only in STATE_UPGRADE. The loaded one
 * is the caller's, also after an error; *machine is NULL if there is none.
 * whose: the VM's name, for messages.
 */
json_t *state_machine_save(const struct machine_config *machine,
			   enum state_extent extent);
int state_machine_load(struct machine_config **machine, const json_t *object,
		       enum state_extent extent, const char *whose,
		       struct problem *problem);

/* The past ones and their count, not the listeners: an object. */
json_t *state_events_save(const struct events *events);
int state_events_load(struct events *events, const json_t *object,
		      struct problem *problem);

#endif
