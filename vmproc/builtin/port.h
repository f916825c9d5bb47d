/* SPDX-License-Identifier: ISC */
/* The builtin guest's port: frames between the TAP and the network stack. */
#ifndef VMSUP_VMPROC_BUILTIN_PORT_H
#define VMSUP_VMPROC_BUILTIN_PORT_H

#include "vmproc/vmproc.h"

extern const struct guest builtin_guest;

#endif
