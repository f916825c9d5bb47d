/* SPDX-License-Identifier: ISC */
/* Finds the method of a call; answers org.varlink.service. */
#ifndef VMSUP_SUPERVISOR_SERVICE_H
#define VMSUP_SUPERVISOR_SERVICE_H

#include "supervisor/control/control.h"

/* The interface text of org.varlink.service. */
extern const char service_description[];

/* Gives the call to its method in the table of config, or answers it. The call
 * may be freed afterwards. saved: for a call that was under way when the
 * supervisor was upgraded, what service_save() returned; NULL: a new call. */
void service_route(const struct control_config *config, struct call *call,
		   const json_t *saved);

/* What the method of a call under way saves for the next image; null:
 * nothing. NULL: no memory. */
json_t *service_save(const struct control_config *config,
		     const struct call *call);

/* Answers with org.varlink.service.MethodNotImplemented. */
void service_not_implemented(struct call *call);

#endif
