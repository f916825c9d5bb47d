/* SPDX-License-Identifier: ISC */
/* From a call's name to the method that answers it; org.varlink.service. */
#ifndef VMSUP_SUPERVISOR_SERVICE_H
#define VMSUP_SUPERVISOR_SERVICE_H

#include "supervisor/control/control.h"

/* The interface text of org.varlink.service. */
extern const char service_description[];

/* Hands call to its method in config's table or answers it here; in any case
 * the call may be no more afterwards. saved: what service_save() said of a call
 * that was under way when the supervisor was upgraded; NULL: a new call. */
void service_route(const struct control_config *config, struct call *call,
		   const json_t *saved);

/* What the method of a call under way must find again in the next image: null
 * if nothing. NULL without memory. */
json_t *service_save(const struct control_config *config,
		     const struct call *call);

/* Answers with org.varlink.service.MethodNotImplemented. */
void service_not_implemented(struct call *call);

#endif
