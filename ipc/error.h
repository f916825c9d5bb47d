/* SPDX-License-Identifier: ISC */
/* Names of errors, the same with every C library. */
#ifndef VMSUP_IPC_ERROR_H
#define VMSUP_IPC_ERROR_H

/* The name of an errno value ("ENOENT"), or "unknown error". */
const char *error_name(int error);

#endif
