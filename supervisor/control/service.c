/* SPDX-License-Identifier: ISC */
/* Finds the method of a call; answers org.varlink.service. */
#include "supervisor/control/service.h"

#include <string.h>

#include "ipc/fd.h"
#include "supervisor/control/varlink.h"

/* The interface that each service has (varlink.org, "Service Interface"). */
const char service_description[] =
	"# What every varlink service can say about itself.\n"
	"interface org.varlink.service\n"
	"\n"
	"# Who made this service, and which interfaces it has.\n"
	"method GetInfo() -> (\n"
	"  vendor: string,\n"
	"  product: string,\n"
	"  version: string,\n"
	"  url: string,\n"
	"  interfaces: []string\n"
	")\n"
	"\n"
	"# The text of one of those interfaces.\n"
	"method GetInterfaceDescription(interface: string) -> "
	"(description: string)\n"
	"\n"
	"error InterfaceNotFound (interface: string)\n"
	"error MethodNotFound (method: string)\n"
	"# The method is known, but not what was asked of it.\n"
	"error MethodNotImplemented (method: string)\n"
	"error InvalidParameter (parameter: string)\n"
	"# Only root may call this method.\n"
	"error PermissionDenied ()\n"
	"# The method only works with more.\n"
	"error ExpectedMore ()\n";

struct service_method {
	const char *name;
	void (*handle)(const struct control_config *config, struct call *call);
};

static void get_info(const struct control_config *config, struct call *call)
{
	call_reply(call,
		   json_pack("{s:s, s:s, s:s, s:s, s:[s, s]}", "vendor",
			     config->vendor, "product", config->product,
			     "version", config->version, "url", config->url,
			     "interfaces", VARLINK_SERVICE, config->interface));
}

static void get_description(const struct control_config *config,
			    struct call *call)
{
	const char *name = json_string_value(
		json_object_get(call->parameters, "interface"));
	const char *text = NULL;

	if (!name) {
		call_invalid_parameter(call, "interface");
		return;
	}
	if (strcmp(name, VARLINK_SERVICE) == 0)
		text = service_description;
	else if (strcmp(name, config->interface) == 0)
		text = config->description;
	if (text)
		call_reply(call, json_pack("{s:s}", "description", text));
	else
		call_error(call, VARLINK_SERVICE ".InterfaceNotFound",
			   varlink_quote("interface", name));
}

static const struct service_method service_methods[] = {
	{ "GetInfo", get_info },
	{ "GetInterfaceDescription", get_description },
};

static void not_found(struct call *call)
{
	call_error(call, VARLINK_SERVICE ".MethodNotFound",
		   varlink_quote("method", call->method));
}

void service_not_implemented(struct call *call)
{
	call_error(call, VARLINK_SERVICE ".MethodNotImplemented",
		   varlink_quote("method", call->method));
}

static void route_service(const struct control_config *config,
			  struct call *call, const char *member)
{
	for (size_t i = 0; i < ARRAY_SIZE(service_methods); i++) {
		if (strcmp(service_methods[i].name, member) == 0) {
			service_methods[i].handle(config, call);
			return;
		}
	}
	not_found(call);
}

static void run_method(const struct control_config *config, struct call *call,
		       const struct control_method *method, const json_t *saved)
{
	if (!method->handle)
		service_not_implemented(call);
	else if (method->root_only && call->peer_uid != 0)
		call_error(call, VARLINK_SERVICE ".PermissionDenied", NULL);
	else if (method->more_only && !call->more)
		call_error(call, VARLINK_SERVICE ".ExpectedMore", NULL);
	else if (saved && method->resume)
		method->resume(config->ctx, call, saved);
	else
		method->handle(config->ctx, call);
}

static const struct control_method *
find_method(const struct control_config *config, const char *member)
{
	for (size_t i = 0; i < config->method_count; i++)
		if (strcmp(config->methods[i].name, member) == 0)
			return &config->methods[i];
	return NULL;
}

static void route_interface(const struct control_config *config,
			    struct call *call, const char *member,
			    const json_t *saved)
{
	const struct control_method *method = find_method(config, member);

	if (method)
		run_method(config, call, method, saved);
	else
		not_found(call);
}

static bool is_member_of(const char *interface, const char *method,
			 const char *member)
{
	size_t length = strlen(interface);

	return (size_t)(member - method) == length + 1 &&
	       memcmp(interface, method, length) == 0;
}

/* varlink_parse() has checked that there is a dot. */
static const char *member_of(const struct call *call)
{
	return strrchr(call->method, '.') + 1;
}

json_t *service_save(const struct control_config *config,
		     const struct call *call)
{
	/* only methods of this interface: others are answered at once */
	const struct control_method *method =
		find_method(config, member_of(call));

	return method && method->save ? method->save(call) : json_null();
}

void service_route(const struct control_config *config, struct call *call,
		   const json_t *saved)
{
	const char *member = member_of(call);
	char interface[VARLINK_MAX_NAME + 1];
	size_t length = (size_t)(member - call->method) - 1;

	if (is_member_of(VARLINK_SERVICE, call->method, member)) {
		route_service(config, call, member);
	} else if (is_member_of(config->interface, call->method, member)) {
		route_interface(config, call, member, saved);
	} else {
		memcpy(interface, call->method, length);
		interface[length] = '\0';
		call_error(call, VARLINK_SERVICE ".InterfaceNotFound",
			   varlink_quote("interface", interface));
	}
}
