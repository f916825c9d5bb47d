/* SPDX-License-Identifier: ISC */
/* The protocol with VM processes: what one says, and what is said to it. */
#ifndef VMSUP_SUPERVISOR_PROTOCOL_H
#define VMSUP_SUPERVISOR_PROTOCOL_H

#include "supervisor/vm/vm.h"

/* Serves the channel; ctx of the source is the vm. */
void vm_channel_ready(struct source *source, uint32_t events);
/* The last words of a process that has ended. */
void vm_channel_drain(struct vm *vm);
/* A blocked system call; ctx of the source is the vm. */
void vm_listener_ready(struct source *source, uint32_t events);
/* Starts and serves the heartbeat; ctx of the timer is the vm. */
void vm_heartbeat_start(struct vm *vm);
/* Goes on with one that was due then. */
void vm_heartbeat_resume(struct vm *vm, uint64_t due_ns);
/* Asks a process that was taken over for an answer, any. 0 or -errno. */
int vm_ask_sign_of_life(struct vm *vm);
/* Asks for counters unless an answer is due already. True if one is due. */
bool vm_ask_stats(struct vm *vm);

#endif
