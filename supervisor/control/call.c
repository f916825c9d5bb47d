/* SPDX-License-Identifier: ISC */
/* Answers to calls of methods. What they may do to a client: see client.c. */
#include "supervisor/control/call.h"

#include <stdio.h>

#include "supervisor/control/client.h"
#include "supervisor/control/varlink.h"

void call_reply(struct call *call, json_t *parameters)
{
	struct control_client *client = call->client;
	struct user_meter meter;

	user_meter_start(&meter, client->control, client->user);
	if (call->oneway || !client_hears(client))
		json_decref(parameters);
	else
		client_put(client,
			   varlink_put_reply(&client->out, parameters, false));
	client_end_call(client);
	user_meter_stop(&meter);
}

void call_more(struct call *call, json_t *parameters)
{
	struct control_client *client = call->client;
	struct user_meter meter;

	user_meter_start(&meter, client->control, client->user);
	if (!call->more || !client_hears(client))
		json_decref(parameters);
	else
		client_put(client,
			   varlink_put_reply(&client->out, parameters, true));
	user_meter_stop(&meter);
}

void call_error(struct call *call, const char *error, json_t *parameters)
{
	struct control_client *client = call->client;
	struct user_meter meter;

	user_meter_start(&meter, client->control, client->user);
	if (call->oneway || !client_hears(client))
		json_decref(parameters);
	else
		client_put(client,
			   varlink_put_error(&client->out, error, parameters));
	client_end_call(client);
	user_meter_stop(&meter);
}

void call_failed(struct call *call, const char *message)
{
	char error[VARLINK_MAX_NAME + 1];

	snprintf(error, sizeof(error), "%s.Failed",
		 call->client->control->config->interface);
	call_error(call, error, json_pack("{s:s}", "message", message));
}

void call_invalid_parameter(struct call *call, const char *parameter)
{
	call_error(call, VARLINK_SERVICE ".InvalidParameter",
		   varlink_quote("parameter", parameter));
}

bool call_has_space(const struct call *call)
{
	const struct control_client *client = call->client;

	return client_hears(client) && !client->user->over &&
	       buffer_length(&client->out) < CONTROL_MAX_OUTPUT_BYTES / 2;
}

void call_charge(const struct call *call, uint64_t ns)
{
	user_charge(call->client->control, call->client->user, ns);
}
