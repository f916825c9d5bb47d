/* SPDX-License-Identifier: ISC */
/* The protocol with VM processes: what one says, and what is said to it. */
#ifndef VMSUP_SUPERVISOR_PROTOCOL_H
#define VMSUP_SUPERVISOR_PROTOCOL_H

#include "supervisor/vm/vm.h"

/* Serves the channel; ctx of the source is the vm. */
void vm_channel_ready(struct source *source, uint32_t events);
/* Serves the messages that a process sent before it ended. */
void vm_channel_drain(struct vm *vm);
/* Takes in a blocked system call and kills the process; ctx of the source is
 * the vm. */
void vm_listener_ready(struct source *source, uint32_t events);
/* Starts the heartbeat: STATS? now and then, and a watchdog for the answer. */
void vm_heartbeat_start(struct vm *vm);
/* Goes on with a heartbeat whose next turn is due then. */
void vm_heartbeat_resume(struct vm *vm, uint64_t due_ns);
/* Asks a process that was taken over for STATS, to see that it answers. 0 or
 * -errno. */
int vm_ask_sign_of_life(struct vm *vm);
/* Asks for counters unless an answer is due already. True if one is due. */
bool vm_ask_stats(struct vm *vm);

#endif
