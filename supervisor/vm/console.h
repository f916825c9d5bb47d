/* SPDX-License-Identifier: ISC */
/*
 * The console of a kvm guest. The supervisor keeps the last output, writes it
 * to the VM's log line by line, and sends it to clients that attach. What such
 * a client types goes to the guest.
 */
#ifndef VMSUP_SUPERVISOR_CONSOLE_H
#define VMSUP_SUPERVISOR_CONSOLE_H

#include <jansson.h>
#include <stdbool.h>

#include "supervisor/control/control.h"
#include "supervisor/lib/problem.h"

struct vm;

/* Output that is kept, over generations. */
#define CONSOLE_KEPT_BYTES (64 * 1024)

/* Makes the console of the next generation, a pair of stream sockets. 0 or
 * -errno with problem set. */
int console_open(struct vm *vm, struct problem *problem);
/* The supervisor's end; and the guest's, until console_handed_over(). -1: none.
 * The console owns both. */
int console_fd(const struct vm *vm);
int console_guest_fd(const struct vm *vm);
/* Closes the guest's end, which the process has now, and watches the other. 0
 * or -errno. */
int console_handed_over(struct vm *vm);
/* Reads the last output of a process that has ended, and closes the console. */
void console_close(struct vm *vm);
/* Frees everything. */
void console_uninit(struct vm *vm);

/* Takes our end back from a process that outlived its supervisor. False if it
 * isn't one. */
bool console_adopt(struct vm *vm, int (*take)(const struct vm *vm, int number));
/* Serves our end after an adoption or an upgrade. 0 or -errno. */
int console_resume(struct vm *vm);
/* Puts back the options of the socket, which the process holds as well. 0 or
 * -errno. */
int console_restore(struct vm *vm);
/* For an upgrade. NULL without memory; 0 or -ENOMEM. */
json_t *console_save(const struct vm *vm);
int console_load(struct vm *vm, const json_t *saved);

/* Methods Console and Type; the VM has a console. */
void console_attach(struct vm *vm, struct call *call);
void console_type(struct vm *vm, struct call *call);
/* What is to be known of a Console call after an upgrade, and on with it. */
json_t *console_call_save(const struct call *call);
void console_call_resume(struct vm *vm, struct call *call);

#endif
