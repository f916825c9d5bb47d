/* SPDX-License-Identifier: ISC */
/* Names of errors, the same with every C library. */
#ifndef VMSUP_IPC_ERROR_H
#define VMSUP_IPC_ERROR_H

/* "ENOENT" and so on, of errno; "unknown error" of what is none. */
const char *error_name(int error);

#endif
