/* SPDX-License-Identifier: ISC */
/* Makes the memory read-only that only start-up may write. */
#ifndef VMSUP_VMPROC_RELRO_H
#define VMSUP_VMPROC_RELRO_H

/* To be called first in main(). 0 or -errno. */
int relro_apply(void);

#endif
