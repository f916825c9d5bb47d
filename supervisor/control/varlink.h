/* SPDX-License-Identifier: ISC */
/* Varlink messages: bytes into a checked call, replies and errors to bytes. */
#ifndef VMSUP_SUPERVISOR_VARLINK_H
#define VMSUP_SUPERVISOR_VARLINK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "supervisor/control/buffer.h"

/* How deep objects and arrays may nest; the message itself counts. */
#define VARLINK_MAX_DEPTH 16
/* How many values a message may have: each takes
 * about 100 bytes when parsed. */
#define VARLINK_MAX_VALUES 4096
/* The longest name of a method, and the longest text of a client
 * that an error sends back. */
#define VARLINK_MAX_NAME 255

#define VARLINK_SERVICE "org.varlink.service"

/* A call that was checked. method and parameters point into message. */
struct varlink_call {
	json_t *message; /* owned */
	/* INTERFACE.Member, with characters of [A-Za-z0-9._-] */
	const char *method;
	json_t *parameters; /* an object, not NULL */
	bool more, oneway, upgrade;
};

/* Parses the message in those bytes, without its NUL. 0; -EBADMSG or
 * -ENOMEM with a constant text in *why, which completes a sentence that
 * begins with "its message". */
int varlink_parse(const char *bytes, size_t length, struct varlink_call *call,
		  const char **why);
/* The same for a message that was parsed already, which it takes over. */
int varlink_take(json_t *message, struct varlink_call *call, const char **why);
/* Frees a call that either function made. */
void varlink_call_uninit(struct varlink_call *call);

/*
 * Both append one message with its NUL to out, or nothing, and take over
 * parameters (NULL: an empty object). 0; -ENOBUFS: it would exceed the limit of
 * out; -ENOMEM; -EINVAL: parameters can't be written as JSON.
 */
int varlink_put_reply(struct buffer *out, json_t *parameters, bool continues);
/* error: the full name. */
int varlink_put_error(struct buffer *out, const char *error,
		      json_t *parameters);

/* Makes { key: text } for an error. text is the client's: it is cut off after
 * VARLINK_MAX_NAME bytes, and all but printable ASCII becomes '?'. */
json_t *varlink_quote(const char *key, const char *text);

#endif
