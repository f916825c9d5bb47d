/* SPDX-License-Identifier: ISC */
/*
 * A host on the other end of the builtin guest's wire, for tests: it makes
 * frames byte by byte (sharing no code with the guest), hands them in, and
 * keeps what the guest sends and says.
 */
#ifndef VMSUP_TESTS_UNIT_VMPROC_HOST_H
#define VMSUP_TESTS_UNIT_VMPROC_HOST_H

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vmproc/builtin/builtin.h"

#define HOST_FN   static inline __attribute__((unused))
#define SECOND_NS UINT64_C(1000000000)
#define MS_NS     UINT64_C(1000000)

/* The guest, and its peer. */
static const uint8_t guest_mac[6] = { 2, 0, 0, 0, 0, 1 };
static const uint8_t peer_mac[6] = { 2, 0, 0, 0, 0, 2 };
static const uint8_t other_mac[6] = { 2, 0, 0, 0, 0, 3 };
static const uint8_t all_mac[6] = { 255, 255, 255, 255, 255, 255 };

#define GUEST_IP   "10.77.0.2"
#define PEER_IP    "10.77.0.1"
#define OTHER_IP   "10.77.0.3"
#define OFFLINK_IP "192.0.2.1"
#define GUEST_LL   "fe80::ff:fe00:1"
#define GUEST_IP6  "fd00:77::2"
#define PEER_LL    "fe80::ff:fe00:2"
#define PEER_IP6   "fd00:77::1"
#define OTHER_IP6  "fd00:77::3"

#define HOST_KEEP    64
#define HOST_RESULTS 64

struct host {
	struct builtin *guest;
	uint64_t counters[STATS];
	uint64_t now_ns;
	/* what the guest sent since host_forget() */
	size_t sent;
	uint64_t sent_ever;
	size_t sent_bytes[HOST_KEEP];
	uint8_t *sent_frame[HOST_KEEP];
	/* how its pings ended */
	size_t results;
	struct msg_ping_result result[HOST_RESULTS];
};

static struct host host;
static uint8_t host_buffer[BUILTIN_FRAME_BYTES];

/* A frame being made. */
struct frame {
	size_t bytes;
	uint8_t at[BUILTIN_FRAME_BYTES + 64]; /* some are too long */
};
static struct frame frame;

/* ---- numbers and addresses */

HOST_FN uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

HOST_FN uint32_t get32(const uint8_t *at)
{
	return (uint32_t)get16(at) << 16 | get16(at + 2);
}

HOST_FN void put16(uint8_t *at, unsigned int value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

HOST_FN void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value & 0xffff);
}

HOST_FN const uint8_t *ip4(const char *text)
{
	static uint8_t ring[8][4];
	static unsigned int next;
	uint8_t *address = ring[next++ % 8];

	if (inet_pton(AF_INET, text, address) != 1)
		abort();
	return address;
}

HOST_FN const uint8_t *ip6(const char *text)
{
	static uint8_t ring[8][16];
	static unsigned int next;
	uint8_t *address = ring[next++ % 8];

	if (inet_pton(AF_INET6, text, address) != 1)
		abort();
	return address;
}

/* RFC 1071, two bytes at a time. */
HOST_FN uint16_t sum16(uint32_t sum, const uint8_t *data, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++) {
		sum += i % 2 ? data[i] : (uint32_t)data[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)sum;
}

/* The checksum of an ICMPv6 message of an IPv6 packet (of two addresses). */
HOST_FN uint16_t icmp6_sum(const uint8_t *addresses, const uint8_t *icmp,
			   size_t bytes)
{
	uint32_t sum = sum16(0, addresses, 32);

	sum += 58 + (uint32_t)(bytes & 0xffff) + (uint32_t)(bytes >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum16(sum, icmp, bytes);
}

/* ---- making frames, header by header */

HOST_FN uint8_t *put(size_t bytes)
{
	uint8_t *at = frame.at + frame.bytes;

	memset(at, 0, bytes);
	frame.bytes += bytes;
	return at;
}

HOST_FN void put_bytes(const void *data, size_t bytes)
{
	memcpy(put(bytes), data, bytes);
}

HOST_FN void put_eth(const uint8_t *to, const uint8_t *from, unsigned int type)
{
	uint8_t *at;

	frame.bytes = 0;
	at = put(14);
	memcpy(at, to, 6);
	memcpy(at + 6, from, 6);
	put16(at + 12, type);
}

HOST_FN void put_arp(unsigned int operation, const uint8_t *sender_mac,
		     const char *sender, const char *target)
{
	uint8_t *at = put(28);

	put16(at, 1);
	put16(at + 2, 0x0800);
	at[4] = 6;
	at[5] = 4;
	put16(at + 6, operation);
	memcpy(at + 8, sender_mac, 6);
	memcpy(at + 14, ip4(sender), 4);
	memcpy(at + 24, ip4(target), 4);
}

/* Recomputes the header's checksum: it begins at byte 14. */
HOST_FN void fix_ip4(void)
{
	uint8_t *at = frame.at + 14;
	size_t bytes = (size_t)(at[0] & 15) * 4;

	put16(at + 10, 0);
	put16(at + 10, (uint16_t)~sum16(0, at, bytes));
}

/* A header without options; payload_bytes of whatever follow. */
HOST_FN uint8_t *put_ip4(const char *source, const char *destination,
			 unsigned int protocol, size_t payload_bytes)
{
	uint8_t *at = put(20);

	at[0] = 0x45;
	put16(at + 2, (unsigned int)(20 + payload_bytes));
	put16(at + 4, 0x1234);
	at[8] = 63;
	at[9] = (uint8_t)protocol;
	memcpy(at + 12, ip4(source), 4);
	memcpy(at + 16, ip4(destination), 4);
	fix_ip4();
	return at;
}

HOST_FN uint8_t payload_byte(size_t i)
{
	return (uint8_t)(i * 7 + i / 256);
}

/* An echo message with a payload that has no short period. */
HOST_FN uint8_t *put_echo(unsigned int type, unsigned int id,
			  unsigned int sequence, size_t payload_bytes)
{
	uint8_t *at = put(8 + payload_bytes);

	at[0] = (uint8_t)type;
	put16(at + 4, id);
	put16(at + 6, sequence);
	for (size_t i = 0; i < payload_bytes; i++)
		at[8 + i] = payload_byte(i);
	put16(at + 2, (uint16_t)~sum16(0, at, 8 + payload_bytes));
	return at;
}

/* A whole ICMP echo frame from the peer to the guest. */
HOST_FN void make_ping4(unsigned int type, size_t payload_bytes)
{
	put_eth(guest_mac, peer_mac, 0x0800);
	put_ip4(PEER_IP, GUEST_IP, 1, 8 + payload_bytes);
	put_echo(type, 0xbeef, 1, payload_bytes);
}

HOST_FN uint8_t *put_ip6(const char *source, const char *destination,
			 unsigned int next, unsigned int hop_limit,
			 size_t payload_bytes)
{
	uint8_t *at = put(40);

	at[0] = 0x60;
	put16(at + 4, (unsigned int)payload_bytes);
	at[6] = (uint8_t)next;
	at[7] = (uint8_t)hop_limit;
	memcpy(at + 8, ip6(source), 16);
	memcpy(at + 24, ip6(destination), 16);
	return at;
}

/* Recomputes the checksum of an ICMPv6 message that ends the frame. */
HOST_FN void fix_icmp6(uint8_t *icmp)
{
	size_t bytes = (size_t)(frame.at + frame.bytes - icmp);

	put16(icmp + 2, 0);
	put16(icmp + 2, (uint16_t)~icmp6_sum(frame.at + 22, icmp, bytes));
}

HOST_FN void make_ping6_to(const uint8_t *mac, const char *source,
			   const char *destination, unsigned int type,
			   size_t payload_bytes)
{
	uint8_t *icmp;

	put_eth(mac, peer_mac, 0x86dd);
	put_ip6(source, destination, 58, 61, 8 + payload_bytes);
	icmp = put_echo(type, 0xbeef, 1, payload_bytes);
	fix_icmp6(icmp);
}

HOST_FN void make_ping6(unsigned int type, size_t payload_bytes)
{
	make_ping6_to(guest_mac, PEER_IP6, GUEST_IP6, type, payload_bytes);
}

/* Writes the MAC of an IPv6 group. */
HOST_FN const uint8_t *group_mac(const char *group)
{
	static uint8_t mac[6] = { 0x33, 0x33 };

	memcpy(mac + 2, ip6(group) + 12, 4);
	return mac;
}

/* A neighbour message (135 or 136); option 0: no link-layer address. */
HOST_FN uint8_t *make_nd(const uint8_t *to, const char *source,
			 const char *destination, unsigned int type,
			 uint32_t flags, const char *target,
			 unsigned int option)
{
	uint8_t *icmp;

	put_eth(to, peer_mac, 0x86dd);
	put_ip6(source, destination, 58, 255, option ? 32 : 24);
	icmp = put(24);
	icmp[0] = (uint8_t)type;
	put32(icmp + 4, flags);
	memcpy(icmp + 8, ip6(target), 16);
	if (option) {
		uint8_t *link = put(8);

		link[0] = (uint8_t)option;
		link[1] = 1;
		memcpy(link + 2, peer_mac, 6);
	}
	fix_icmp6(icmp);
	return icmp;
}

/* A general listener query, version 1, that allows a delay. */
HOST_FN uint8_t *make_query(const char *source, unsigned int delay_ms)
{
	static const uint8_t router_alert[8] = { 58, 0, 5, 2, 0, 0, 1, 0 };
	uint8_t *icmp;

	put_eth(group_mac("ff02::1"), peer_mac, 0x86dd);
	put_ip6(source, "ff02::1", 0, 1, sizeof(router_alert) + 24);
	put_bytes(router_alert, sizeof(router_alert));
	icmp = put(24);
	icmp[0] = 130;
	put16(icmp + 4, delay_ms);
	fix_icmp6(icmp);
	return icmp;
}

/* ---- the wire */

HOST_FN void host_transmit(void *ctx, const uint8_t *data, size_t bytes)
{
	struct host *self = ctx;

	self->sent_ever++;
	if (self->sent == HOST_KEEP)
		return;
	/* As long as the frame, so that a sanitizer sees what is read past. */
	self->sent_frame[self->sent] = malloc(bytes);
	if (self->sent_frame[self->sent] == NULL)
		abort();
	memcpy(self->sent_frame[self->sent], data, bytes);
	self->sent_bytes[self->sent++] = bytes;
}

HOST_FN uint64_t host_now_ns(void *ctx)
{
	(void)ctx;
	return host.now_ns;
}

HOST_FN void host_result(void *ctx, const struct msg_ping_result *result)
{
	struct host *self = ctx;

	if (self->results < HOST_RESULTS)
		self->result[self->results++] = *result;
}

/* Forgets what was sent, said and counted. */
HOST_FN void host_forget(void)
{
	for (size_t i = 0; i < host.sent; i++)
		free(host.sent_frame[i]);
	host.sent = 0;
	host.results = 0;
	memset(host.counters, 0, sizeof(host.counters));
}

/* Hands a frame in; what lies after it in the buffer is noise. */
HOST_FN void host_give(const uint8_t *data, size_t bytes)
{
	memset(host_buffer, 0xa5, sizeof(host_buffer));
	memcpy(host_buffer, data, bytes);
	host.counters[STAT_RX_FRAMES]++;
	builtin_receive(host.guest, host_buffer, bytes);
}

HOST_FN void host_give_frame(void)
{
	host_give(frame.at, frame.bytes);
}

/* Lets time pass, ticking only when the guest asked for it. */
HOST_FN void host_pass(uint64_t time_ns)
{
	uint64_t end_ns = host.now_ns + time_ns;
	uint64_t next_ns;

	while ((next_ns = builtin_deadline_ns(host.guest)) <= end_ns) {
		if (next_ns > host.now_ns)
			host.now_ns = next_ns;
		builtin_tick(host.guest, host.now_ns);
	}
	host.now_ns = end_ns;
}

HOST_FN struct builtin_config host_config(void)
{
	struct builtin_config config = {
		.mtu = 1500,
		.ipv4_prefix = 16,
		.ipv6_prefix = 64,
		.seed = 42,
	};

	memcpy(config.mac, guest_mac, 6);
	memcpy(&config.ipv4, ip4(GUEST_IP), 4);
	memcpy(&config.ipv6, ip6(GUEST_IP6), 16);
	return config;
}

HOST_FN int host_start_with(const struct builtin_config *config)
{
	const struct builtin_ops ops = { .transmit = host_transmit,
					 .now_ns = host_now_ns,
					 .ping_result = host_result,
					 .ctx = &host };

	host_forget();
	host.now_ns = 100 * SECOND_NS;
	host.guest = builtin_instance();
	return builtin_init(host.guest, config, &ops, host.counters,
			    host.now_ns);
}

/* A guest just started: its IPv6 addresses are tentative. */
HOST_FN void host_start_fresh(void)
{
	struct builtin_config config = host_config();

	if (host_start_with(&config) != 0)
		abort();
}

/* A guest whose IPv6 addresses are in use. */
HOST_FN void host_start(void)
{
	host_start_fresh();
	host_pass(3 * SECOND_NS);
	host_forget();
}

HOST_FN void host_ping(uint32_t id, const char *target, size_t payload_bytes,
		       uint32_t timeout_ms)
{
	struct msg_ping request = {
		.id = id,
		.payload_bytes = (uint16_t)payload_bytes,
		.sequence = 7,
		.timeout_ms = timeout_ms,
		.family = strchr(target, ':') ? AF_INET6 : AF_INET,
	};

	if (request.family == AF_INET)
		memcpy(&request.target.ipv4, ip4(target), 4);
	else
		memcpy(&request.target.ipv6, ip6(target), 16);
	builtin_ping(host.guest, &request, host.now_ns);
}

/* Turns the guest's echo request (IPv4, one frame) into its reply, in frame. */
HOST_FN void make_reply4(size_t sent)
{
	uint8_t *at = frame.at;

	frame.bytes = host.sent_bytes[sent];
	memcpy(at, host.sent_frame[sent], frame.bytes);
	memcpy(at, guest_mac, 6);
	memcpy(at + 6, peer_mac, 6);
	memcpy(at + 26, host.sent_frame[sent] + 30, 4);
	memcpy(at + 30, host.sent_frame[sent] + 26, 4);
	fix_ip4();
	at[34] = 0;
	put16(at + 36, 0);
	put16(at + 36, (uint16_t)~sum16(0, at + 34, frame.bytes - 34));
}

HOST_FN void make_reply6(size_t sent)
{
	uint8_t *at = frame.at;

	frame.bytes = host.sent_bytes[sent];
	memcpy(at, host.sent_frame[sent], frame.bytes);
	memcpy(at, guest_mac, 6);
	memcpy(at + 6, peer_mac, 6);
	memcpy(at + 22, host.sent_frame[sent] + 38, 16);
	memcpy(at + 38, host.sent_frame[sent] + 22, 16);
	at[54] = 129;
	fix_icmp6(at + 54);
}

/* Answers the guest's ARP request for target, as the peer. */
HOST_FN void give_arp_reply(const char *target)
{
	put_eth(guest_mac, peer_mac, 0x0806);
	put_arp(2, peer_mac, target, GUEST_IP);
	host_give_frame();
}

/* ---- what is asked of it */

/* 0 if a frame is a listener report, version 1, for a group; else where not. */
HOST_FN int check_report(size_t sent, const char *source, const char *group)
{
	const uint8_t *at = host.sent_frame[sent];

	if (host.sent_bytes[sent] != 14 + 40 + 8 + 24)
		return 1;
	if (memcmp(at, group_mac(group), 6) || memcmp(at + 6, guest_mac, 6) ||
	    get16(at + 12) != 0x86dd)
		return 2;
	if (at[14] != 0x60 || get16(at + 18) != 32 || at[20] != 0 ||
	    at[21] != 1)
		return 3;
	if (memcmp(at + 22, ip6(source), 16) || memcmp(at + 38, ip6(group), 16))
		return 4;
	/* router alert with value 0 (RFC 2711 §2.1), and padding */
	if (memcmp(at + 54, "\x3a\0\x05\x02\0\0\x01\0", 8))
		return 5;
	if (at[62] != 131 || at[63] != 0 || get32(at + 66) != 0 ||
	    memcmp(at + 70, ip6(group), 16))
		return 6;
	return icmp6_sum(at + 22, at + 62, 24) == 0xffff ? 0 : 7;
}

HOST_FN uint64_t host_drops(void)
{
	uint64_t drops = 0;

	for (int i = STAT_RX_DROP_FIRST; i < STAT_TX_DROP_FIRST; i++)
		drops += host.counters[i];
	return drops;
}

/* The frame was dropped for this reason, and neither counted for any other
 * nor answered. */
#define assert_dropped(counter)                              \
	do {                                                 \
		assert_int_equal(host_drops(), 1);           \
		assert_int_equal(host.counters[counter], 1); \
		assert_int_equal(host.sent, 0);              \
		host_forget();                               \
	} while (0)

#define give_and_assert_dropped(counter) \
	do {                             \
		host_give_frame();       \
		assert_dropped(counter); \
	} while (0)

/* The last echo request of the peer is answered, payload and all, by the one
 * frame that was sent. */
#define assert_answered4(payload)                                           \
	do {                                                                \
		assert_int_equal(host_drops(), 0);                          \
		assert_int_equal(host.sent, 1);                             \
		assert_int_equal(check_reply4(host.sent_frame[0],           \
					      host.sent_bytes[0], payload), \
				 0);                                        \
		host_forget();                                              \
	} while (0)

#define assert_answered6(payload)                                           \
	do {                                                                \
		assert_int_equal(host_drops(), 0);                          \
		assert_int_equal(host.sent, 1);                             \
		assert_int_equal(check_reply6(host.sent_frame[0],           \
					      host.sent_bytes[0], payload), \
				 0);                                        \
		host_forget();                                              \
	} while (0)

/* 0 if echo is the reply to put_echo(), checksum aside; else where not. */
HOST_FN int check_echo(const uint8_t *echo, unsigned int type,
		       size_t payload_bytes)
{
	if (echo[0] != type || echo[1] != 0 || get16(echo + 4) != 0xbeef ||
	    get16(echo + 6) != 1)
		return 10;
	for (size_t i = 0; i < payload_bytes; i++)
		if (echo[8 + i] != payload_byte(i))
			return 11;
	return 0;
}

HOST_FN int check_reply4(const uint8_t *at, size_t bytes, size_t payload_bytes)
{
	if (bytes != 14 + 20 + 8 + payload_bytes)
		return 1;
	if (memcmp(at, peer_mac, 6) || memcmp(at + 6, guest_mac, 6) ||
	    get16(at + 12) != 0x0800)
		return 2;
	if (at[14] != 0x45 || get16(at + 16) != bytes - 14 ||
	    get16(at + 20) != 0 || at[22] != 64 || at[23] != 1)
		return 3;
	if (memcmp(at + 26, ip4(GUEST_IP), 4) ||
	    memcmp(at + 30, ip4(PEER_IP), 4))
		return 4;
	if (sum16(0, at + 14, 20) != 0xffff ||
	    sum16(0, at + 34, bytes - 34) != 0xffff)
		return 5;
	return check_echo(at + 34, 0, payload_bytes);
}

HOST_FN int check_reply6(const uint8_t *at, size_t bytes, size_t payload_bytes)
{
	if (bytes != 14 + 40 + 8 + payload_bytes)
		return 1;
	if (memcmp(at, peer_mac, 6) || memcmp(at + 6, guest_mac, 6) ||
	    get16(at + 12) != 0x86dd)
		return 2;
	if (at[14] >> 4 != 6 || get16(at + 18) != bytes - 54 || at[20] != 58 ||
	    at[21] != 64)
		return 3;
	if (memcmp(at + 22, ip6(GUEST_IP6), 16) ||
	    memcmp(at + 38, ip6(PEER_IP6), 16))
		return 4;
	if (icmp6_sum(at + 22, at + 54, bytes - 54) != 0xffff)
		return 5;
	return check_echo(at + 54, 129, payload_bytes);
}

#endif
