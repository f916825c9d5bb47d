/* SPDX-License-Identifier: ISC */
/* From a call's name to the method that answers it; org.varlink.service. */
#ifndef VMSUP_SUPERVISOR_SERVICE_H
#define VMSUP_SUPERVISOR_SERVICE_H

#include "supervisor/control/control.h"

/* The interface text of org.varlink.service. */
extern const char service_description[];

/* Hands call to its method in config's table or answers it here; in any case
 * the call may be no more afterwards. */
void service_route(const struct control_config *config, struct call *call);

/* Answers with org.varlink.service.MethodNotImplemented. */
void service_not_implemented(struct call *call);

#endif
