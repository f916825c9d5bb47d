/* SPDX-License-Identifier: ISC */
/* Makes what only the start may write to read-only. */
#ifndef VMSUP_VMPROC_RELRO_H
#define VMSUP_VMPROC_RELRO_H

/* First thing in main(). 0 or -errno. */
int relro_apply(void);

#endif
