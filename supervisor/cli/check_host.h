/* SPDX-License-Identifier: ISC */
/* vmsup check: devices, rights and settings of this host. */
#ifndef VMSUP_SUPERVISOR_CLI_CHECK_HOST_H
#define VMSUP_SUPERVISOR_CLI_CHECK_HOST_H

#include <stdbool.h>

#include "supervisor/cli/finding.h"

bool check_root(struct finding *finding);
bool check_tun(struct finding *finding);
bool check_bridge(struct finding *finding);
bool check_descriptors(struct finding *finding);
bool check_group(struct finding *finding);
bool check_ipv6(struct finding *finding);
bool check_kvm(struct finding *finding);
bool check_vmproc(struct finding *finding);

#endif
