/* SPDX-License-Identifier: ISC */
/* What enumerators are called in documents: for tables of fields. */
#ifndef VMSUP_SUPERVISOR_STATE_NAMES_H
#define VMSUP_SUPERVISOR_STATE_NAMES_H

const char *names_vhost(unsigned int policy);
const char *names_guest(unsigned int kind); /* below GUEST_KINDS */
const char *names_orphan(unsigned int policy); /* below ORPHAN_POLICIES */
const char *names_guard(unsigned int policy); /* below GUARD_POLICIES */
const char *names_allow(unsigned int what); /* below ALLOWS */
/* below GUARD_REASONS */
const char *names_guard_reason(unsigned int reason);
const char *names_level(unsigned int level); /* below LOG_LEVELS */
const char *names_log_source(unsigned int source); /* below VMLOG_SOURCES */
const char *names_state(unsigned int state); /* below VM_STATES */
const char *names_stop_step(unsigned int step); /* below NAMES_STOP_STEPS */
const char *names_death(unsigned int reason); /* below DEATH_REASONS */
const char *names_stat(unsigned int counter); /* below VM_STATS */

#define NAMES_STOP_STEPS 3

#endif
