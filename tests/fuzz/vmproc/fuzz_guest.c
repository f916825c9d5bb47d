/* SPDX-License-Identifier: ISC */
/*
 * Drives the builtin guest by a list of steps read from the input: frames (raw,
 * or one that is right but for a few bytes), answers to what it sent, time,
 * pings, MTUs. All that it sends is checked, and that each ping ends once and
 * no frame is counted twice. The list is gone through twice, with other bytes
 * after the end of each frame: what it does must not depend on them.
 */
#include <stdio.h>

#include "ipc/log.h"
#include "tests/fuzz/input.h"
#include "tests/unit/vmproc/host.h"

#define STEPS_MAX 400

static struct run {
	struct input input;
	uint8_t noise; /* what lies after frames */
	uint64_t hash; /* of all that the guest did */
	uint32_t mtu;
	uint32_t pings;
	uint8_t open[STEPS_MAX]; /* by ping: no result yet */
	uint8_t last[2048]; /* the last short frame that it sent */
	size_t last_bytes;
} run;

static unsigned int take(void)
{
	if (run.input.left == 0)
		return 0;
	run.input.left--;
	return *run.input.at++;
}

static unsigned int take16(void)
{
	unsigned int high = take();

	return high << 8 | take();
}

static void note(const void *data, size_t bytes)
{
	const uint8_t *at = data;

	for (size_t i = 0; i < bytes; i++)
		run.hash = (run.hash ^ at[i]) * UINT64_C(0x100000001b3);
}

static void check_arp(const uint8_t *at, size_t bytes)
{
	CHECK(bytes == 42);
	CHECK(get16(at + 20) == 1 || get16(at + 20) == 2);
	CHECK(memcmp(at + 22, guest_mac, 6) == 0);
	CHECK(memcmp(at + 28, ip4(GUEST_IP), 4) == 0);
}

static void check_ipv4(const uint8_t *at, size_t bytes)
{
	size_t total = bytes - 14;
	unsigned int fragment = get16(at + 20);

	CHECK(bytes >= 34 && !(at[0] & 1));
	CHECK(at[14] == 0x45 && get16(at + 16) == total);
	CHECK(sum16(0, at + 14, 20) == 0xffff);
	CHECK(at[22] == 64 && at[23] == 1);
	CHECK(memcmp(at + 26, ip4(GUEST_IP), 4) == 0);
	CHECK(at[30] != 0 && at[30] != 127 && at[30] < 224);
	CHECK(memcmp(at + 30, at + 26, 4) != 0);
	if (fragment & 0x2000)
		CHECK(bytes % 8 == 34 % 8);
	if (fragment == 0) {
		CHECK(bytes >= 42 && (at[34] == 0 || at[34] == 8));
		CHECK(sum16(0, at + 34, bytes - 34) == 0xffff);
	}
}

/* A listener report, for a group of an address that it may have. */
static void check_report_frame(const uint8_t *at, size_t bytes)
{
	CHECK(bytes == 86 && at[21] == 1 && at[63] == 0);
	CHECK(memcmp(at + 38, at + 70, 16) == 0);
	CHECK(memcmp(at + 70, ip6("ff02::1:ff00:1"), 16) == 0 ||
	      memcmp(at + 70, ip6("ff02::1:ff00:2"), 16) == 0);
	CHECK(memcmp(at + 22, ip6("::"), 16) == 0 ||
	      memcmp(at + 22, ip6(GUEST_LL), 16) == 0);
}

static void check_ipv6(const uint8_t *at, size_t bytes)
{
	size_t icmp = at[20] == 0 ? 62 : 54;

	CHECK(bytes >= 62 && at[14] >> 4 == 6);
	CHECK(get16(at + 18) == bytes - 54);
	CHECK(memcmp(at + 22, at + 38, 16) != 0);
	CHECK(at[20] == 58 || at[20] == 44 || at[20] == 0);
	CHECK((at[38] == 0xff) == (at[0] & 1));
	if (at[20] == 44)
		return;
	CHECK(icmp6_sum(at + 22, at + icmp, bytes - icmp) == 0xffff);
	/* nothing but these goes to groups, and no echo comes from :: */
	if (at[38] == 0xff)
		CHECK(at[icmp] == 135 || at[icmp] == 136 || at[icmp] == 131);
	if (at[22] == 0 && at[23] == 0)
		CHECK(at[icmp] == 135 || at[icmp] == 131);
	CHECK((at[icmp] == 131) == (at[20] == 0));
	if (at[icmp] == 131)
		check_report_frame(at, bytes);
}

static void check_transmit(void *ctx, const uint8_t *at, size_t bytes)
{
	(void)ctx;
	CHECK(bytes > 34 && bytes <= 14 + (size_t)run.mtu);
	CHECK(memcmp(at + 6, guest_mac, 6) == 0);
	CHECK(memcmp(at, guest_mac, 6) != 0);
	note(at, bytes);
	switch (get16(at + 12)) {
	case 0x0806:
		check_arp(at, bytes);
		break;
	case 0x0800:
		check_ipv4(at, bytes);
		break;
	case 0x86dd:
		check_ipv6(at, bytes);
		break;
	default:
		abort();
	}
	if (bytes <= sizeof(run.last)) {
		memcpy(run.last, at, bytes);
		run.last_bytes = bytes;
	}
}

static void check_result(void *ctx, const struct msg_ping_result *result)
{
	(void)ctx;
	CHECK(result->id < run.pings);
	CHECK(run.open[result->id]);
	CHECK(result->status < PING_STATUSES);
	run.open[result->id] = 0;
	note(result, sizeof(*result));
}

static void give(void)
{
	static uint8_t buffer[BUILTIN_FRAME_BYTES];

	if (frame.bytes > sizeof(buffer))
		frame.bytes = sizeof(buffer);
	memset(buffer, run.noise,
	       frame.bytes + 4096 < sizeof(buffer) ? frame.bytes + 4096
						   : sizeof(buffer));
	memcpy(buffer, frame.at, frame.bytes);
	host.counters[STAT_RX_FRAMES]++;
	builtin_receive(host.guest, buffer, frame.bytes);
	CHECK(host_drops() <= host.counters[STAT_RX_FRAMES]);
	note(host.counters, sizeof(host.counters));
}

/* Makes checksums right where there is room for them. */
static void fix(void)
{
	uint8_t *at = frame.at;
	size_t header;

	if (frame.bytes >= 38 && get16(at + 12) == 0x0800) {
		header = 14 + (size_t)(at[14] & 15) * 4;
		if (frame.bytes < header + 8)
			return;
		fix_ip4();
		if ((get16(at + 20) & 0x3fff) != 0 ||
		    get16(at + 16) < header - 14 + 4 ||
		    get16(at + 16) > frame.bytes - 14)
			return;
		put16(at + header + 2, 0);
		put16(at + header + 2,
		      (uint16_t)~sum16(0, at + header,
				       14 + get16(at + 16) - header));
	} else if (frame.bytes >= 62 && get16(at + 12) == 0x86dd) {
		header = at[20] == 0 || at[20] == 60 ? 62 + (size_t)at[55] * 8
						     : 54;
		if (frame.bytes >= header + 8)
			fix_icmp6(at + header);
	}
}

static void step_raw(void)
{
	size_t bytes = take16() % 2000;

	frame.bytes = 0;
	while (bytes-- > 0 && run.input.left > 0)
		*put(1) = (uint8_t)take();
	if (frame.bytes >= 6 && take() % 2)
		memcpy(frame.at, guest_mac, 6);
	if (take() % 2)
		fix();
	give();
}

static const char *const addresses4[] = { GUEST_IP,        PEER_IP,
					  OTHER_IP,        OFFLINK_IP,
					  "10.77.255.255", "0.0.0.0",
					  "10.77.7.7",     "224.0.0.1" };
static const char *const addresses6[] = { GUEST_IP6, PEER_IP6,        OTHER_IP6,
					  GUEST_LL,  PEER_LL,         "::",
					  "ff02::1", "ff02::1:ff00:2" };

static void make_fragment(bool ipv4)
{
	size_t offset = take16() % 8192 * 8, bytes = take16() % 1500;
	bool more = take() % 2;
	uint8_t *at;

	if (more)
		bytes &= ~(size_t)7;
	put_eth(guest_mac, peer_mac, ipv4 ? 0x0800 : 0x86dd);
	if (ipv4) {
		at = put_ip4(addresses4[take() % 8], GUEST_IP, 1, bytes);
		put16(at + 4, take() % 16);
		put16(at + 6, (unsigned int)offset / 8 | (more ? 0x2000 : 0));
		fix_ip4();
	} else {
		put_ip6(addresses6[take() % 8], GUEST_IP6, 44, 64, 8 + bytes);
		at = put(8);
		at[0] = 58;
		put16(at + 2, (unsigned int)offset | more);
		put32(at + 4, take() % 16);
	}
	memset(put(bytes), 0, bytes);
}

/* A frame that is right, but for a few bytes. */
static void step_frame(void)
{
	unsigned int kind = take(), a = take() % 8, b = take() % 8;
	unsigned int changes = take() % 5;

	switch (kind % 8) {
	case 0:
		put_eth(take() % 2 ? all_mac : guest_mac, peer_mac, 0x0806);
		put_arp(1 + take() % 2, take() % 2 ? peer_mac : other_mac,
			addresses4[a], addresses4[b]);
		break;
	case 1:
		make_ping4(8, take16() % 4000);
		memcpy(frame.at + 26, ip4(addresses4[a]), 4);
		break;
	case 2:
		make_ping6_to(guest_mac, addresses6[a], addresses6[b], 128,
			      take16() % 4000);
		break;
	case 3:
		make_nd(a % 2 ? guest_mac : group_mac("ff02::1"), addresses6[a],
			addresses6[b], 135, 0, addresses6[take() % 8],
			take() % 3);
		break;
	case 4:
		make_nd(a % 2 ? guest_mac : group_mac("ff02::1"), addresses6[a],
			addresses6[b], 136, (uint32_t)take() << 24,
			addresses6[take() % 8], take() % 3);
		break;
	case 5:
		make_query(addresses6[a], take16());
		break;
	default:
		make_fragment(kind % 2);
		break;
	}
	while (changes-- > 0) {
		unsigned int where = take();

		frame.at[where % frame.bytes] = (uint8_t)take();
	}
	fix();
	give();
}

/* What a neighbour would say to the last frame. */
static void step_answer(void)
{
	unsigned int change = take(), where = take16();

	memcpy(frame.at, run.last, run.last_bytes);
	frame.bytes = run.last_bytes;
	if (frame.bytes < 42)
		return;
	memcpy(frame.at, guest_mac, 6);
	memcpy(frame.at + 6, peer_mac, 6);
	if (get16(frame.at + 12) == 0x0806) {
		put_eth(guest_mac, peer_mac, 0x0806);
		put_arp(2, peer_mac, PEER_IP, GUEST_IP);
		memcpy(frame.at + 28, run.last + 38, 4);
	} else if (get16(frame.at + 12) == 0x0800) {
		memcpy(frame.at + 26, run.last + 30, 4);
		memcpy(frame.at + 30, run.last + 26, 4);
		frame.at[34] = 0;
	} else {
		memcpy(frame.at + 22, run.last + 38, 16);
		memcpy(frame.at + 38, run.last + 22, 16);
		frame.at[54] = 129;
		if (run.last[54] == 135) {
			memcpy(frame.at + 22, run.last + 62, 16);
			frame.at[54] = 136;
			put32(frame.at + 58, 0x60000000);
			if (frame.bytes >= 86) {
				frame.at[78] = 2;
				memcpy(frame.at + 80, peer_mac, 6);
			}
		}
	}
	if (change % 4 == 0)
		frame.at[where % frame.bytes] ^= (uint8_t)(change / 4);
	fix();
	give();
}

static void pass(uint64_t time_ns)
{
	uint64_t end_ns = host.now_ns + time_ns;
	unsigned int ticks = 0;
	uint64_t next_ns;

	while ((next_ns = builtin_deadline_ns(host.guest)) <= end_ns) {
		CHECK(++ticks < 10000);
		if (next_ns > host.now_ns)
			host.now_ns = next_ns;
		builtin_tick(host.guest, host.now_ns);
	}
	host.now_ns = end_ns;
}

static void step_time(void)
{
	unsigned int unit = take();

	pass(take() * (unit % 4 ? MS_NS : SECOND_NS));
	/* a tick that nobody asked for */
	if (unit % 8 == 0)
		builtin_tick(host.guest, host.now_ns);
}

static void step_ping(void)
{
	struct msg_ping request = {
		.id = run.pings,
		.payload_bytes = (uint16_t)take16(),
		.sequence = (uint16_t)take(),
		.timeout_ms = take() * 50,
		.family = take() % 2 ? AF_INET : AF_INET6,
	};

	if (take() % 4)
		request.payload_bytes %= 2000;
	if (request.family == AF_INET)
		memcpy(&request.target, ip4(addresses4[take() % 8]), 4);
	else
		memcpy(&request.target, ip6(addresses6[take() % 8]), 16);
	run.open[run.pings++] = 1;
	builtin_ping(host.guest, &request, host.now_ns);
}

static void step_mtu(void)
{
	static const uint32_t mtus[] = { 68,   576,  1279,  1280,
					 1500, 9000, 65521, UINT32_MAX };

	run.mtu = mtus[take() % 8];
	builtin_set_mtu(host.guest, run.mtu);
	if (run.mtu > BUILTIN_MTU_MAX)
		run.mtu = BUILTIN_MTU_MAX;
}

static void (*const steps[])(void) = { step_raw,    step_frame, step_frame,
				       step_answer, step_time,  step_ping,
				       step_ping,   step_mtu };

static uint64_t go(const uint8_t *data, size_t bytes, uint8_t noise)
{
	static const struct builtin_ops ops = { .transmit = check_transmit,
						.now_ns = host_now_ns,
						.ping_result = check_result };
	struct builtin_config config = host_config();

	run = (struct run){ .input = { data, bytes },
			    .noise = noise,
			    .mtu = config.mtu };
	host.guest = builtin_instance();
	host.now_ns = SECOND_NS;
	memset(host.counters, 0, sizeof(host.counters));
	CHECK(builtin_init(host.guest, &config, &ops, host.counters,
			   host.now_ns) == 0);
	if (take() % 2)
		pass(3 * SECOND_NS);
	for (int i = 0; i < STEPS_MAX && run.input.left > 0; i++)
		steps[take() % (sizeof(steps) / sizeof(*steps))]();
	/* in the end, no ping is left without a result */
	pass(60 * SECOND_NS);
	for (uint32_t i = 0; i < run.pings; i++)
		CHECK(!run.open[i]);
	CHECK(host_drops() <= host.counters[STAT_RX_FRAMES]);
	note(host.counters, sizeof(host.counters));
	return run.hash;
}

static void quiet(void *ctx, enum log_level level, const char *line)
{
	(void)ctx;
	(void)level;
	(void)line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	uint64_t hash;

	log_set(quiet, NULL, LOG_LEVEL_ERROR);
	hash = go(data, bytes, 0x00);
	CHECK(hash == go(data, bytes, 0xff));
	return 0;
}
