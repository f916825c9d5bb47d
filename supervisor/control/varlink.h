/* SPDX-License-Identifier: ISC */
/* Varlink messages: bytes into a checked call, replies and errors to bytes. */
#ifndef VMSUP_SUPERVISOR_VARLINK_H
#define VMSUP_SUPERVISOR_VARLINK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "supervisor/control/buffer.h"

/* How deep a message's objects and arrays may nest, its own braces included. */
#define VARLINK_MAX_DEPTH 16
/* How many values a message may hold: parsed, each costs about 100 bytes. */
#define VARLINK_MAX_VALUES 4096
/* The longest method name that is looked up, and the longest text that an error
 * sends back. */
#define VARLINK_MAX_NAME 255

#define VARLINK_SERVICE "org.varlink.service"

/* A call as it came in, checked; the rest points into message. */
struct varlink_call {
	json_t *message; /* owned */
	const char *method; /* INTERFACE.Member, of [A-Za-z0-9._-] */
	json_t *parameters; /* an object, never NULL */
	bool more, oneway, upgrade;
};

/* Reads the one message in those bytes, its NUL not included. 0; -EBADMSG or
 * -ENOMEM with a constant text in *why that completes "its message". */
int varlink_parse(const char *bytes, size_t length, struct varlink_call *call,
		  const char **why);
/* The same for a message that is JSON already; takes it over. */
int varlink_take(json_t *message, struct varlink_call *call, const char **why);
/* Frees what either of them made. */
void varlink_call_uninit(struct varlink_call *call);

/*
 * Both append one message with its NUL to out, or nothing at all, and take over
 * parameters (NULL: an empty object). 0; -ENOBUFS if it doesn't fit under out's
 * limit; -ENOMEM; -EINVAL if parameters can't be written as JSON.
 */
int varlink_put_reply(struct buffer *out, json_t *parameters, bool continues);
/* error: full name. */
int varlink_put_error(struct buffer *out, const char *error,
		      json_t *parameters);

/* { key: text } for an error: text is what the caller sent, so it is cut off
 * after VARLINK_MAX_NAME bytes, and all but printable ASCII becomes '?'. */
json_t *varlink_quote(const char *key, const char *text);

#endif
