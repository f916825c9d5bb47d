/* SPDX-License-Identifier: ISC */
/*
 * What of the supervisor outlives its process, as JSON: in a file for who
 * starts after a crash, in a memfd for the program that replaces this one.
 *
 * Fields have names (fields.h): unknown ones are passed over, absent ones keep
 * what the caller preset, a wrong one is an error that names it. Enumerators
 * go by name, addresses as text. Counts and times (CLOCK_MONOTONIC, good for
 * one boot) are numbers of up to 63 bits, saved as INT64_MAX if over that; what
 * must be exact (inodes, ids of requests) is text, "0x1f". Texts for people are
 * cleaned of what a terminal would obey and cut off to the room there is. Of
 * rings longer than ours, the last entries are taken.
 *
 * Saves return a new reference, NULL without memory. Loads return 0; -EINVAL or
 * -ENOMEM with problem set: "state of vm0: config.restart.delay_min_ms is not a
 * number from 1 to 86400000". What was loaded before the error stays: the
 * object is whole, and freed as always. Nothing is looked at twice: whether
 * what is in the fields makes sense together, or is still so, is for the
 * caller to find out.
 */
#ifndef VMSUP_SUPERVISOR_STATE_H
#define VMSUP_SUPERVISOR_STATE_H

#include <jansson.h>

#include "supervisor/lib/problem.h"

/* Of the documents made of these. To be raised when an older program would
 * misread them; new fields are no reason. */
#define STATE_VERSION 1

enum state_extent {
	STATE_CRASH, /* what holds without the process that saved it */
	STATE_UPGRADE, /* all: descriptors, deadlines, logs, requests */
};

#endif
