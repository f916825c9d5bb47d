/* SPDX-License-Identifier: ISC */
/* vmsup check: whether this host can have a first-hop guard. */
#ifndef VMSUP_SUPERVISOR_CLI_CHECK_GUARD_H
#define VMSUP_SUPERVISOR_CLI_CHECK_GUARD_H

#include <stdbool.h>

#include "supervisor/cli/finding.h"

bool check_guard(struct finding *finding);

#endif
