/* SPDX-License-Identifier: ISC */
/* Parses single values that people write. */
#ifndef VMSUP_SUPERVISOR_VALUE_H
#define VMSUP_SUPERVISOR_VALUE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "100ms", "30s", "1.5m", "1h": digits with or without a fraction, and a unit;
 * rounded to milliseconds. 0; -EINVAL; -ERANGE: more than UINT32_MAX. */
int value_duration(const char *text, uint32_t *ms);

/* "64M": digits, and K, M, G or T for powers of 1,024. 0, -EINVAL, -ERANGE. */
int value_size(const char *text, uint64_t *bytes);

/* "02:00:5e:10:00:01". 0 or -EINVAL. */
int value_mac(const char *text, uint8_t mac[6]);

/* "10.77.0.1/16", "fd77::1/64". 0 or -EINVAL. */
int value_ipv4_prefix(const char *text, struct in_addr *address,
		      uint32_t *prefix);
int value_ipv6_prefix(const char *text, struct in6_addr *address,
		      uint32_t *prefix);

/* True: text can be the name of a link. It has letters, digits, '_', '-' and
 * '.', at most max_length of them; the first one is a letter or digit. Names
 * with another meaning in /proc/sys/net are refused. */
bool value_link_name(const char *text, size_t max_length);

#endif
