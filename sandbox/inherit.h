/* SPDX-License-Identifier: ISC */
/* What a child of fork gets of this process's memory. */
#ifndef VMSUP_SANDBOX_INHERIT_H
#define VMSUP_SANDBOX_INHERIT_H

/* A sanitizer's shadow memory and heap lie anywhere: a child gets them all. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define INHERIT_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
	__has_feature(memory_sanitizer)
#define INHERIT_SANITIZED 1
#endif
#endif
#ifndef INHERIT_SANITIZED
#define INHERIT_SANITIZED 0
#endif

/* From here on a child gets little: the program with its static data, the C
 * library, the stack. The heap and other libraries aren't there in it, and to
 * touch them ends it by SIGSEGV. To be called before each such fork, for the
 * heap that has grown since the last one. */
void inherit_little(void);

/* From here on a child gets everything again. */
void inherit_all(void);

#endif
