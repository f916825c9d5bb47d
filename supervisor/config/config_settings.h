/* SPDX-License-Identifier: ISC */
/* All settings of the configuration file, in one table for each group. */
#ifndef VMSUP_SUPERVISOR_CONFIG_SETTINGS_H
#define VMSUP_SUPERVISOR_CONFIG_SETTINGS_H

#include "supervisor/config/config.h"

enum setting_kind {
	SETTING_GROUP, /* other settings, in the same object */
	SETTING_VMS, /* the list of VMs */
	SETTING_BOOL, /* bool */
	SETTING_UINT16, /* uint16_t, min to max */
	SETTING_UINT32, /* uint32_t, min to max */
	SETTING_DURATION, /* uint32_t milliseconds, min to max */
	SETTING_SIZE, /* uint64_t bytes, 0 or min to max */
	SETTING_MEMORY, /* uint64_t bytes, whole MiB, min to max */
	SETTING_CHOICE, /* uint32_t index into choices */
	SETTING_FLAGS, /* uint32_t, a bit for each of a list of choices */
	SETTING_TEXT, /* char[max + 1] */
	SETTING_PATH, /* char[max + 1], made absolute; min 0: or "" */
	SETTING_DISKS, /* the list of disks */
	SETTING_LINK_NAME, /* char[IFNAMSIZ], at most max characters */
	SETTING_VM_NAME, /* char[VM_NAME_MAX + 1] */
	/* addresses from here on; they set neighbouring fields, too: */
	SETTING_BRIDGE_IPV4,
	SETTING_BRIDGE_IPV6, /* so they need the whole object */
	SETTING_VM_MAC,
	SETTING_VM_IPV4,
	SETTING_VM_IPV6,
	SETTING_KINDS
};

struct setting_group;

struct setting {
	const char *name;
	enum setting_kind kind;
	size_t offset; /* of the value in the object that the group describes */
	uint64_t min, max;
	const char *const *choices; /* ended by NULL */
	const struct setting_group *group;
	/* the offset is in the machine of a struct vm_config */
	bool of_machine;
};

struct setting_group {
	const struct setting *settings; /* read in this order */
	size_t count;
};

/* Of enum guest_kind; ended by NULL. */
extern const char *const config_settings_guests[];
extern const struct setting_group config_settings_root; /* struct config */
extern const struct setting_group config_settings_vm; /* struct vm_config */
extern const struct setting_group config_settings_disk; /* machine_disk */

/* The values that a setting takes, such as "a whole number from 0 to 100". */
void config_settings_expected(const struct setting *setting, char *text,
			      size_t size);

/* The names of the settings of a group, such as "name, address". */
void config_settings_names(const struct setting_group *group, char *text,
			   size_t size);

/* Names by enum allow: "ra" and so on; NULL at the end. */
extern const char *const config_allow_names[ALLOWS + 1];

#endif
