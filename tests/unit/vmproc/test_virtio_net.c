/* SPDX-License-Identifier: ISC */
/* The network device, between a driver and a wire: a pair of datagram sockets
 * in a TAP's place, whose other end is the host's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <sys/socket.h>

#include "tests/unit/vmproc/virtio_driver.h"
#include "vmproc/virtio/net.h"

#define HEADER   12
#define PAIRS    3
#define SIZE     16
#define EVENT    FEATURE(VIRTIO_RING_F_EVENT_IDX)
#define INDIRECT FEATURE(VIRTIO_RING_F_INDIRECT_DESC)
#define MERGE    FEATURE(VIRTIO_NET_F_MRG_RXBUF)
#define CSUM     FEATURE(VIRTIO_NET_F_CSUM)
#define TSO      FEATURE(VIRTIO_NET_F_HOST_TSO4)
#define MQ       (FEATURE(VIRTIO_NET_F_MQ) | FEATURE(VIRTIO_NET_F_CTRL_VQ))
#define GUEST_OFFLOADS                                                         \
	(FEATURE(VIRTIO_NET_F_GUEST_CSUM) | FEATURE(VIRTIO_NET_F_GUEST_TSO4) | \
	 FEATURE(VIRTIO_NET_F_GUEST_TSO6))

static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 1 };
static struct net net;
static int host_fd[PAIRS];
static int tap_fd[PAIRS];
static uint64_t totals[STATS];
static uint8_t frame[HEADER + 66000];

static void start_with(unsigned int pairs, uint16_t mtu)
{
	struct net_setup net_setup = {
		.pairs = pairs, .mtu = mtu, .vhost_fds = { -1 }, .untuned = true
	};
	int room = 4 << 20;

	driver_init();
	memset(&net, 0, sizeof(net));
	memset(totals, 0, sizeof(totals));
	memcpy(net_setup.mac, mac, 6);
	for (unsigned int i = 0; i < pairs; i++) {
		int fds[2];

		assert_int_equal(
			socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fds),
			0);
		setsockopt(fds[0], SOL_SOCKET, SO_SNDBUFFORCE, &room,
			   sizeof(room));
		host_fd[i] = fds[0];
		net_setup.tap_fds[i] = tap_fd[i] = fds[1];
	}
	net.totals = totals;
	assert_int_equal(net_init(&net, &driver.bus, &driver.loop,
				  &driver.memory, &net_setup),
			 0);
	attach(&net.device);
}

static int setup(void **state)
{
	(void)state;
	start_with(1, 1500);
	return 0;
}

static int setup_pairs(void **state)
{
	(void)state;
	start_with(PAIRS, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < net.pairs; i++) {
		close(host_fd[i]);
		close(tap_fd[i]);
	}
	net_uninit(&net);
	driver_uninit();
	return 0;
}

/* A frame with its offload header, in frame; how long it is. */
static size_t make_frame(size_t payload, uint8_t seed)
{
	memset(frame, 0, HEADER);
	memset(frame + HEADER, 0xff, 6);
	memcpy(frame + HEADER + 6, mac, 6);
	frame[HEADER + 12] = 8;
	frame[HEADER + 13] = 0;
	for (size_t i = 0; i < payload; i++)
		frame[HEADER + 14 + i] = (uint8_t)(i * 7 + i / 256 + seed);
	return HEADER + 14 + payload;
}

static void host_sends(unsigned int tap, size_t payload, uint8_t seed)
{
	size_t bytes = make_frame(payload, seed);

	assert_int_equal(write(host_fd[tap], frame, bytes), bytes);
}

/* The next frame on the host's side is the one that make_frame() makes. */
static void host_gets(unsigned int tap, size_t payload, uint8_t seed)
{
	static uint8_t got[sizeof(frame)];
	size_t bytes = make_frame(payload, seed);

	assert_int_equal(read(host_fd[tap], got, sizeof(got)), bytes);
	assert_memory_equal(got + HEADER, frame + HEADER, bytes - HEADER);
}

static void host_gets_nothing(unsigned int tap)
{
	assert_int_equal(read(host_fd[tap], frame, sizeof(frame)), -1);
	assert_int_equal(errno, EAGAIN);
}

static struct vq *rx(unsigned int pair)
{
	return &driver.vq[2 * pair];
}

static struct vq *tx(unsigned int pair)
{
	return &driver.vq[2 * pair + 1];
}

/* Gives the receive queue buffers; each is cleared. */
static void give(unsigned int pair, unsigned int count, uint32_t bytes)
{
	for (unsigned int i = 0; i < count; i++) {
		struct part part = { buffer(bytes), bytes, true };

		vq_add(rx(pair), &part, 1);
	}
	vq_kick_and_run(rx(pair));
}

/* The guest has got the frame that make_frame() makes. */
static void guest_gets(unsigned int pair, size_t payload, uint8_t seed)
{
	static uint8_t got[sizeof(frame)];
	size_t bytes = make_frame(payload, seed), at = 0;
	uint16_t buffers = 1;

	assert_true(vq_done(rx(pair)) > 0);
	for (uint16_t i = 0; i < buffers; i++) {
		struct vring_used_elem used = vq_take(rx(pair));
		const struct vring_desc *desc =
			vq_desc(rx(pair), (uint16_t)used.id);

		/* each full but the last */
		assert_int_equal(used.len, bytes - at < desc->len ? bytes - at
								  : desc->len);
		memcpy(got + at, ram(desc->addr), used.len);
		at += used.len;
		if (i == 0)
			memcpy(&buffers, got + 10, sizeof(buffers));
	}
	assert_int_equal(at, bytes);
	assert_memory_equal(got + HEADER, frame + HEADER, bytes - HEADER);
}

/* Queues the frame that make_frame() has made, cut into parts of part bytes. */
static void guest_queues(unsigned int pair, size_t bytes, uint32_t part)
{
	struct part parts[SIZE];
	uint64_t gpa = buffer((uint32_t)bytes);
	unsigned int count = 0;

	memcpy(ram(gpa), frame, bytes);
	for (size_t at = 0; at < bytes; at += part)
		parts[count++] = (struct part){
			gpa + at,
			bytes - at < part ? (uint32_t)(bytes - at) : part, false
		};
	vq_add(tx(pair), parts, count);
}

static void guest_sends(unsigned int pair, size_t payload, uint8_t seed,
			uint32_t part)
{
	guest_queues(pair, make_frame(payload, seed), part);
	vq_kick_and_run(tx(pair));
}

static uint64_t counted(enum net_counter counter)
{
	return net.pair[0].counters[counter];
}

/* ---- */

static void tells_mac_mtu_and_status(void **state)
{
	uint8_t generation;

	(void)state;
	assert_true(offered() & FEATURE(VIRTIO_NET_F_MAC));
	assert_true(offered() & FEATURE(VIRTIO_NET_F_MTU));
	assert_false(offered() & MQ);
	bring_up(0, SIZE);
	for (unsigned int i = 0; i < 6; i++)
		assert_int_equal(get_reg(TRANSPORT_CONFIG + i, 1), mac[i]);
	assert_int_equal(get_reg(TRANSPORT_CONFIG + 6, 2), 1);
	assert_int_equal(get_reg(TRANSPORT_CONFIG + 8, 2), 1);
	assert_int_equal(get_reg(TRANSPORT_CONFIG + 10, 2), 1500);
	generation = (uint8_t)get_reg(VIRTIO_PCI_COMMON_CFGGENERATION, 1);
	assert_int_equal(raised(0), 0);
	net_set_link(&net, false);
	net_set_link(&net, false);
	assert_int_equal(get_reg(TRANSPORT_CONFIG + 6, 2), 0);
	assert_int_equal(raised(0), 1);
	assert_int_not_equal(
		(uint8_t)get_reg(VIRTIO_PCI_COMMON_CFGGENERATION, 1),
		generation);
	/* a write changes nothing */
	set_reg(TRANSPORT_CONFIG, 1, 77);
	assert_int_equal(get_reg(TRANSPORT_CONFIG, 1), mac[0]);
}

static void transmits(void **state)
{
	/* cut before, in and behind the headers, which have 26 bytes */
	static const struct {
		size_t payload;
		uint32_t part;
	} cases[] = { { 1500, 2000 }, { 1500, 1000 }, { 60, 26 },
		      { 60, 25 },     { 60, 27 },     { 60, 12 },
		      { 60, 14 },     { 1500, 300 },  { 230, 256 },
		      { 230, 26 },    { 230, 25 },    { 231, 257 },
		      { 231, 26 },    { 231, 25 },    { 231, 27 } };
	uint64_t bytes = 14;

	(void)state;
	bring_up(EVENT, SIZE);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		guest_sends(0, cases[i].payload, (uint8_t)i, cases[i].part);
		host_gets(0, cases[i].payload, (uint8_t)i);
		assert_int_equal(vq_take(tx(0)).len, 0);
		bytes += 14 + cases[i].payload;
	}
	guest_sends(0, 0, 0, 26); /* headers alone */
	host_gets(0, 0, 0);
	assert_int_equal(counted(NET_TX_FRAMES), 16);
	assert_int_equal(totals[STAT_TX_FRAMES], 16);
	assert_int_equal(counted(NET_TX_BYTES), totals[STAT_TX_BYTES]);
	assert_int_equal(counted(NET_TX_BYTES), bytes);
}

static void transmits_from_indirect_tables(void **state)
{
	struct vring_desc table[3];
	uint64_t gpa, at;
	size_t bytes;

	(void)state;
	bring_up(EVENT | INDIRECT, SIZE);
	bytes = make_frame(1000, 9);
	gpa = buffer((uint32_t)bytes);
	memcpy(ram(gpa), frame, bytes);
	table[0] = (struct vring_desc){ gpa, 12, VRING_DESC_F_NEXT, 1 };
	table[1] = (struct vring_desc){ gpa + 12, 500, VRING_DESC_F_NEXT, 2 };
	table[2] =
		(struct vring_desc){ gpa + 512, (uint32_t)bytes - 512, 0, 0 };
	at = buffer(sizeof(table));
	memcpy(ram(at), table, sizeof(table));
	*vq_desc(tx(0), 0) = (struct vring_desc){ at, sizeof(table),
						  VRING_DESC_F_INDIRECT, 0 };
	vq_offer(tx(0), 0);
	vq_kick_and_run(tx(0));
	host_gets(0, 1000, 9);
}

/* Each refused frame is given back, and counted under its reason. */
static void refuses_frames(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
		enum net_counter reason;
	} cases[] = {
		{ HEADER + 6, 4, NET_TX_DROP_FOREIGN },
		{ HEADER + 11, 2, NET_TX_DROP_FOREIGN },
		{ 1, VIRTIO_NET_HDR_GSO_TCPV6, NET_TX_DROP_MALFORMED },
		{ 1, VIRTIO_NET_HDR_GSO_UDP, NET_TX_DROP_MALFORMED },
		{ 1, VIRTIO_NET_HDR_GSO_TCPV4, NET_TX_DROP_MALFORMED },
		{ 1, VIRTIO_NET_HDR_GSO_ECN, NET_TX_DROP_MALFORMED },
		{ 1, 0x7f, NET_TX_DROP_MALFORMED },
	};

	(void)state;
	bring_up(EVENT | CSUM | TSO, SIZE);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint64_t before = counted(cases[i].reason);
		size_t bytes = make_frame(100, 0);

		frame[cases[i].at] = cases[i].value;
		guest_queues(0, bytes, 2000);
		vq_kick_and_run(tx(0));
		assert_int_equal(counted(cases[i].reason), before + 1);
		assert_int_equal(vq_done(tx(0)), i + 1);
	}
	guest_sends(0, 0, 0, 13); /* headers, and then without the last byte */
	host_gets(0, 0, 0);
	make_frame(0, 0);
	guest_queues(0, 25, 2000);
	vq_kick_and_run(tx(0));
	assert_int_equal(counted(NET_TX_DROP_SHORT), 1);
	host_gets_nothing(0);
	assert_int_equal(counted(NET_TX_FRAMES), 1);
	assert_int_equal(totals[STAT_TX_DROP_ERROR], 8);
}

static void checks_offload_headers(void **state)
{
	struct virtio_net_hdr_v1 header = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
		.hdr_len = 54,
		.gso_size = 1448,
		.csum_start = 34,
		.csum_offset = 16,
	};
	size_t bytes;
	uint8_t got[HEADER + 2014];

	(void)state;
	bring_up(EVENT | CSUM | TSO, SIZE);
	bytes = make_frame(2000, 1);
	memcpy(frame, &header, HEADER);
	guest_queues(0, bytes, 4096);
	/* what is to be ignored is */
	header.flags |= VIRTIO_NET_HDR_F_DATA_VALID | 0x80;
	header.num_buffers = 7;
	memcpy(frame, &header, HEADER);
	guest_queues(0, bytes, 4096);
	/* points beyond the frame */
	header.csum_start = 2013;
	memcpy(frame, &header, HEADER);
	guest_queues(0, bytes, 4096);
	header.csum_start = 34;
	header.hdr_len = 2015;
	memcpy(frame, &header, HEADER);
	guest_queues(0, bytes, 4096);
	/* segments of nothing; segments without checksums */
	header.hdr_len = 54;
	header.gso_size = 0;
	memcpy(frame, &header, HEADER);
	guest_queues(0, bytes, 4096);
	header.gso_size = 1448;
	header.flags = 0;
	memcpy(frame, &header, HEADER);
	guest_queues(0, bytes, 4096);
	vq_kick_and_run(tx(0));
	assert_int_equal(counted(NET_TX_FRAMES), 2);
	assert_int_equal(counted(NET_TX_DROP_MALFORMED), 4);
	header.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	header.num_buffers = 0;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(read(host_fd[0], got, sizeof(got)), bytes);
		assert_memory_equal(got, &header, HEADER);
	}
}

static void checksums_must_be_negotiated(void **state)
{
	size_t bytes;

	(void)state;
	bring_up(0, SIZE);
	bytes = make_frame(100, 1);
	frame[0] = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	guest_queues(0, bytes, 4096);
	vq_kick_and_run(tx(0));
	assert_int_equal(counted(NET_TX_DROP_MALFORMED), 1);
}

static void waits_for_a_full_tap(void **state)
{
	unsigned int sent = 0, got = 0;
	uint64_t gpa;

	(void)state;
	bring_up(EVENT, SIZE);
	make_frame(1400, 3);
	gpa = buffer(2000);
	memcpy(ram(gpa), frame, 1426);
	while (counted(NET_TX_STALLS) == 0) {
		struct part part = { gpa, 1426, false };

		vq_add(tx(0), &part, 1);
		sent++;
		vq_kick_and_run(tx(0));
	}
	/* no spinning, no dropping */
	vq_kick_and_run(tx(0));
	assert_int_equal(counted(NET_TX_STALLS), 1);
	assert_int_equal(vq_done(tx(0)), sent - 1);
	for (; got < sent - 1; got++)
		host_gets(0, 1400, 3);
	run(); /* the TAP has room again */
	host_gets(0, 1400, 3);
	assert_int_equal(vq_done(tx(0)), sent);
	assert_int_equal(counted(NET_TX_FRAMES), sent);
}

static void receives(void **state)
{
	(void)state;
	bring_up(EVENT | MERGE | GUEST_OFFLOADS, SIZE);
	*vq_used_event(rx(0)) = 0;
	give(0, 8, 1536);
	assert_int_equal(vq_avail_event(rx(0)), 0); /* no kicks, thanks */
	host_sends(0, 100, 1);
	host_sends(0, 1500, 2);
	run();
	assert_int_equal(vq_done(rx(0)), 2);
	guest_gets(0, 100, 1);
	guest_gets(0, 1500, 2);
	assert_int_equal(raised(1), 1);
	host_sends(0, 46, 3);
	run();
	guest_gets(0, 46, 3);
	assert_int_equal(raised(1), 0);
	assert_int_equal(counted(NET_RX_FRAMES), 3);
	assert_int_equal(totals[STAT_RX_FRAMES], 3);
	assert_int_equal(totals[STAT_RX_BYTES], 3 * 14 + 1646);
}

static void what_the_tap_says_of_a_frame_is_passed_on(void **state)
{
	static const uint8_t header[HEADER] = { 1, 1,  54, 0,  0xa8,
						5, 34, 0,  16, 0 };
	size_t bytes;

	(void)state;
	bring_up(EVENT | MERGE | GUEST_OFFLOADS, SIZE);
	give(0, 2, 4096);
	bytes = make_frame(3000, 1);
	memcpy(frame, header, HEADER);
	assert_int_equal(write(host_fd[0], frame, bytes), bytes);
	run();
	assert_memory_equal(ram(vq_desc(rx(0), 0)->addr), header, 10);
	guest_gets(0, 3000, 1);
}

/* Offloads of another driver's time. */
static void what_was_not_negotiated_is_dropped(void **state)
{
	static const uint8_t headers[][HEADER] = {
		{ 1, 0, 54, 0, 0, 0, 34, 0, 16, 0 },
		{ 1, 1, 54, 0, 0xa8, 5, 34, 0, 16, 0 },
		{ 1, 4, 54, 0, 0xa8, 5, 34, 0, 16, 0 },
		{ 0, 3, 0 },
	};
	size_t bytes;

	(void)state;
	bring_up(EVENT | MERGE, SIZE);
	give(0, 2, 4096);
	for (size_t i = 0; i < sizeof(headers) / sizeof(*headers); i++) {
		bytes = make_frame(1000, 1);
		memcpy(frame, headers[i], HEADER);
		assert_int_equal(write(host_fd[0], frame, bytes), bytes);
	}
	make_frame(1000, 7);
	frame[0] = VIRTIO_NET_HDR_F_DATA_VALID; /* only not said */
	assert_int_equal(write(host_fd[0], frame, bytes), bytes);
	run();
	assert_int_equal(counted(NET_RX_DROP_OFFLOAD), 4);
	assert_int_equal(((uint8_t *)ram(vq_desc(rx(0), 0)->addr))[0], 0);
	guest_gets(0, 1000, 7);
}

static void large_frames_take_several_buffers(void **state)
{
	(void)state;
	bring_up(EVENT | MERGE | GUEST_OFFLOADS, 256);
	give(0, 200, 1536);
	for (uint8_t i = 0; i < 4; i++) {
		host_sends(0, 60000, i);
		host_sends(0, 100, i);
	}
	run();
	for (uint8_t i = 0; i < 4; i++) {
		guest_gets(0, 60000, i);
		guest_gets(0, 100, i);
	}
	/* but for the start, without any buffers */
	assert_int_equal(counted(NET_RX_STALLS), 1);
}

/* Chains of several buffers, and headers cut in two. */
static void buffers_have_any_shape(void **state)
{
	struct part parts[4];
	static uint8_t got[2000];
	size_t at = 0;

	(void)state;
	bring_up(EVENT | MERGE | GUEST_OFFLOADS, SIZE);
	for (unsigned int i = 0; i < 4; i++)
		parts[i] =
			(struct part){ buffer(1600), i < 2 ? 11 : 800, true };
	vq_add(rx(0), parts, 4);
	vq_kick_and_run(rx(0));
	host_sends(0, 1500, 4);
	run();
	make_frame(1500, 4);
	assert_int_equal(vq_take(rx(0)).len, HEADER + 1514);
	for (unsigned int i = 0; i < 4; i++) {
		memcpy(got + at, ram(parts[i].gpa), parts[i].bytes);
		at += parts[i].bytes;
	}
	assert_int_equal(got[10] | got[11] << 8, 1);
	assert_memory_equal(got + HEADER, frame + HEADER, 1514);
}

static void waits_for_buffers(void **state)
{
	(void)state;
	bring_up(EVENT | MERGE | GUEST_OFFLOADS, SIZE);
	host_sends(0, 1000, 1);
	host_sends(0, 5000, 2);
	host_sends(0, 1000, 3);
	run();
	assert_true(counted(NET_RX_STALLS) > 0);
	assert_int_equal(counted(NET_RX_FRAMES), 0); /* not even read */
	give(0, 1, 1536);
	guest_gets(0, 1000, 1);
	give(0, 1, 1536); /* only a part of the second */
	give(0, 1, 1536);
	assert_int_equal(vq_done(rx(0)), 0);
	give(0, 2, 1536);
	guest_gets(0, 5000, 2);
	assert_int_equal(vq_done(rx(0)), 0);
	give(0, 1, 1536);
	guest_gets(0, 1000, 3);
	assert_int_equal(counted(NET_RX_FRAMES), 3);
}

/* A frame that all of the guest's buffers together can't hold. */
static void frames_that_never_fit_are_dropped(void **state)
{
	(void)state;
	bring_up(EVENT | MERGE | GUEST_OFFLOADS, 2);
	give(0, 2, 1536);
	host_sends(0, 5000, 1);
	host_sends(0, 2000, 2);
	run();
	assert_int_equal(counted(NET_RX_DROP_LONG), 1);
	guest_gets(0, 2000, 2);
}

static void without_merging_a_frame_has_one_buffer(void **state)
{
	uint16_t buffers;

	(void)state;
	bring_up(EVENT, SIZE);
	give(0, 4, 1536);
	host_sends(0, 1500, 1);
	host_sends(0, 1511, 2);
	host_sends(0, 1000, 3);
	run();
	assert_int_equal(counted(NET_RX_DROP_LONG), 1);
	assert_int_equal(totals[STAT_RX_DROP_LONG], 1);
	memcpy(&buffers, (uint8_t *)ram(vq_desc(rx(0), 0)->addr) + 10, 2);
	assert_int_equal(buffers, 1);
	guest_gets(0, 1500, 1);
	guest_gets(0, 1000, 3);
}

static void many_frames_take_turns(void **state)
{
	unsigned int sent = 0;

	(void)state;
	bring_up(EVENT | MERGE | GUEST_OFFLOADS,
		 1024 > NET_TX_QUEUE ? NET_TX_QUEUE : 1024);
	give(0, NET_TX_QUEUE, 256);
	while (sent < 200) {
		size_t bytes = make_frame(100, (uint8_t)sent);

		if (write(host_fd[0], frame, bytes) < 0) {
			run();
			continue;
		}
		sent++;
	}
	run();
	for (unsigned int i = 0; i < sent; i++)
		guest_gets(0, 100, (uint8_t)i);
}

static void reset_drops_what_is_held(void **state)
{
	(void)state;
	bring_up(EVENT | MERGE | GUEST_OFFLOADS, SIZE);
	give(0, 2, 1536);
	host_sends(0, 5000, 1);
	host_sends(0, 1000, 2);
	run();
	assert_int_equal(net.pair[0].held_bytes, HEADER + 5014);
	bring_up(EVENT | MERGE | GUEST_OFFLOADS, SIZE);
	assert_int_equal(counted(NET_RX_DROP_RESET), 1);
	give(0, 2, 1536);
	guest_gets(0, 1000, 2);
}

static void unwritable_receive_buffers_break_the_queue(void **state)
{
	struct part parts[] = { { buffer(64), 64, false },
				{ buffer(64), 64, true } };

	(void)state;
	bring_up(EVENT | MERGE, SIZE);
	vq_add(rx(0), parts, 2);
	host_sends(0, 10, 1);
	vq_kick_and_run(rx(0));
	assert_true(get_status() & VIRTIO_CONFIG_S_NEEDS_RESET);
	/* the other queue goes on */
	guest_sends(0, 100, 5, 2000);
	host_gets(0, 100, 5);
}

static void pauses(void **state)
{
	(void)state;
	bring_up(EVENT | MERGE | GUEST_OFFLOADS, SIZE);
	give(0, 4, 1536);
	net_pause(&net, true);
	host_sends(0, 10, 1);
	guest_sends(0, 100, 5, 2000);
	assert_int_equal(vq_done(rx(0)), 0);
	host_gets_nothing(0);
	net_pause(&net, false);
	run();
	guest_gets(0, 10, 1);
	host_gets(0, 100, 5);
}

/* ---- several pairs */

static uint8_t command(uint16_t index, unsigned int pairs, unsigned int bytes)
{
	struct part parts[] = { { buffer(8), bytes, false },
				{ buffer(8), 1, true } };
	uint8_t *at = ram(parts[0].gpa);

	at[0] = VIRTIO_NET_CTRL_MQ;
	at[1] = VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET;
	at[2] = (uint8_t)pairs;
	at[3] = (uint8_t)(pairs >> 8);
	*(uint8_t *)ram(parts[1].gpa) = 0xee;
	vq_add(&driver.vq[index], parts, 2);
	vq_kick_and_run(&driver.vq[index]);
	assert_int_equal(vq_take(&driver.vq[index]).len, 1);
	return *(uint8_t *)ram(parts[1].gpa);
}

static void uses_as_many_pairs_as_told(void **state)
{
	(void)state;
	assert_int_equal(offered() & MQ, MQ);
	assert_int_equal(get_reg(TRANSPORT_CONFIG + 8, 2), PAIRS);
	bring_up(EVENT | MERGE | MQ | GUEST_OFFLOADS, SIZE);
	for (unsigned int i = 0; i < PAIRS; i++)
		give(i, 4, 1536);
	/* at first one, which gets what comes on any TAP */
	for (unsigned int i = 0; i < PAIRS; i++) {
		host_sends(i, 100, (uint8_t)i);
		run();
		guest_gets(0, 100, (uint8_t)i);
	}
	assert_int_equal(command(2 * PAIRS, PAIRS, 4), VIRTIO_NET_OK);
	for (unsigned int i = 0; i < PAIRS; i++) {
		host_sends(i, 100, (uint8_t)i);
		run();
		guest_gets(i, 100, (uint8_t)i);
		guest_sends(i, 100, (uint8_t)i, 2000);
		host_gets(i, 100, (uint8_t)i);
	}
	assert_int_equal(command(2 * PAIRS, 2, 4), VIRTIO_NET_OK);
	give(0, 1, 1536);
	host_sends(2, 100, 7);
	run();
	guest_gets(0, 100, 7);
}

static void refuses_commands(void **state)
{
	(void)state;
	bring_up(EVENT | MERGE | MQ, SIZE);
	assert_int_equal(command(2 * PAIRS, 0, 4), VIRTIO_NET_ERR);
	assert_int_equal(command(2 * PAIRS, PAIRS + 1, 4), VIRTIO_NET_ERR);
	assert_int_equal(command(2 * PAIRS, 1, 3), VIRTIO_NET_ERR);
	assert_int_equal(command(2 * PAIRS, 1, 5), VIRTIO_NET_ERR);
	assert_int_equal(net.active, 1);
	/* without the feature, the control queue is the third one (§5.1.2) */
	bring_up(EVENT | MERGE | FEATURE(VIRTIO_NET_F_CTRL_VQ), SIZE);
	assert_int_equal(command(2, 1, 4), VIRTIO_NET_ERR);
}

static void setups_are_checked(void **state)
{
	struct net_setup bad = { .pairs = 0, .vhost_fds = { -1 } };
	static struct net other;

	(void)state;
	assert_int_equal(net_init(&other, &driver.bus, &driver.loop,
				  &driver.memory, &bad),
			 -EINVAL);
	bad.pairs = NET_PAIRS_MAX + 1;
	assert_int_equal(net_init(&other, &driver.bus, &driver.loop,
				  &driver.memory, &bad),
			 -EINVAL);
	/* no TAP */
	memset(&other, 0, sizeof(other));
	bad.pairs = 1;
	bad.tap_fds[0] = host_fd[0];
	assert_int_not_equal(net_init(&other, &driver.bus, &driver.loop,
				      &driver.memory, &bad),
			     0);
	net_uninit(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define SEVERAL(name) \
	cmocka_unit_test_setup_teardown(name, setup_pairs, teardown)
		TEST(tells_mac_mtu_and_status),
		TEST(transmits),
		TEST(transmits_from_indirect_tables),
		TEST(refuses_frames),
		TEST(checks_offload_headers),
		TEST(checksums_must_be_negotiated),
		TEST(waits_for_a_full_tap),
		TEST(receives),
		TEST(what_the_tap_says_of_a_frame_is_passed_on),
		TEST(what_was_not_negotiated_is_dropped),
		TEST(large_frames_take_several_buffers),
		TEST(buffers_have_any_shape),
		TEST(waits_for_buffers),
		TEST(frames_that_never_fit_are_dropped),
		TEST(without_merging_a_frame_has_one_buffer),
		TEST(many_frames_take_turns),
		TEST(reset_drops_what_is_held),
		TEST(unwritable_receive_buffers_break_the_queue),
		TEST(pauses),
		TEST(setups_are_checked),
		SEVERAL(uses_as_many_pairs_as_told),
		SEVERAL(refuses_commands),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
