/* SPDX-License-Identifier: ISC */
/* What a child of fork gets of this process's memory. */
#ifndef VMSUP_SANDBOX_INHERIT_H
#define VMSUP_SANDBOX_INHERIT_H

/* From here on a child gets little: the program with its static data, the C
 * library, the stack. The heap and other libraries aren't there in it, and to
 * touch them ends it by SIGSEGV. To be called before each such fork, for the
 * heap that has grown since the last one. */
void inherit_little(void);

/* From here on a child gets everything again. */
void inherit_all(void);

#endif
