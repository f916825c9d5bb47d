/* SPDX-License-Identifier: ISC */
/* The sandbox of a VM as it should be: the reply of io.vmsup Sandbox. */
#ifndef VMSUP_SUPERVISOR_API_SANDBOX_H
#define VMSUP_SUPERVISOR_API_SANDBOX_H

#include <jansson.h>

struct vm;

/* The parameters of a reply to io.vmsup Sandbox; NULL without memory. */
json_t *sandbox_json(const struct vm *vm);

#endif
