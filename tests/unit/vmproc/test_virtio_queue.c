/* SPDX-License-Identifier: ISC */
/* The split virtqueue, as a driver sees it that keeps the rules, or doesn't. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>

#include "tests/unit/vmproc/virtio_driver.h"
#include "vmproc/virtio/iov.h"
#include "vmproc/virtio/queue.h"

#define SIZE     8
#define EVENT    FEATURE(VIRTIO_RING_F_EVENT_IDX)
#define INDIRECT FEATURE(VIRTIO_RING_F_INDIRECT_DESC)

static struct queue queue;
static struct vq *vq;
static struct iovec iov[QUEUE_CHAIN_MAX];
static struct chain chain;

static struct queue_layout layout_of(const struct vq *of)
{
	return (struct queue_layout){ .size = of->size,
				      .desc_gpa = of->desc_gpa,
				      .avail_gpa = of->avail_gpa,
				      .used_gpa = of->used_gpa };
}

static void begin(uint64_t features)
{
	struct queue_layout layout;

	vq = vq_make(0, SIZE);
	layout = layout_of(vq);
	assert_int_equal(queue_start(&queue, &driver.memory, &layout, features),
			 0);
	memset(&chain, 0xa5, sizeof(chain));
}

static int pop(void)
{
	return queue_pop(&queue, &chain, iov, QUEUE_CHAIN_MAX);
}

static void assert_broken(enum queue_fault fault)
{
	assert_int_equal(pop(), -EPROTO);
	assert_int_equal(queue.fault, fault);
	/* and for good */
	assert_int_equal(pop(), -EPROTO);
	assert_int_equal(queue.fault, fault);
}

static int setup(void **state)
{
	(void)state;
	driver_init();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	driver_uninit();
	return 0;
}

static void layouts_are_checked(void **state)
{
	static const struct {
		struct queue_layout layout;
		int error;
	} cases[] = {
		{ { 0, 0, 0x1000, 0x2000 }, -EINVAL },
		{ { 3, 0, 0x1000, 0x2000 }, -EINVAL },
		{ { 2 * QUEUE_SIZE_MAX, 0, 0x10000, 0x20000 }, -EINVAL },
		{ { 8, 8, 0x1000, 0x2000 }, -EINVAL },
		{ { 8, 0, 0x1001, 0x2000 }, -EINVAL },
		{ { 8, 0, 0x1000, 0x2002 }, -EINVAL },
		{ { 8, RAM_LOW, 0x1000, 0x2000 }, -EFAULT },
		{ { 8, RAM_LOW - 64, 0x1000, 0x2000 }, -EFAULT },
		{ { 8, UINT64_MAX & ~15ULL, 0x1000, 0x2000 }, -EFAULT },
		{ { 8, 0, RAM_LOW - 20, 0x2000 }, -EFAULT },
		{ { 8, 0, 0x1000, RAM_LOW - 68 }, -EFAULT },
		{ { 8, 0, UINT64_MAX - 1, 0x2000 }, -EFAULT },
		{ { 8, RAM_HIGH_GPA, RAM_HIGH_GPA + 0x1000, 0x2000 }, 0 },
		{ { 1, 0, 0x1000, 0x2000 }, 0 },
		/* the very end, event indices included */
		{ { 8, 0, RAM_LOW - 22, RAM_HIGH_GPA + RAM_HIGH - 72 }, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(queue_start(&queue, &driver.memory,
					     &cases[i].layout, EVENT),
				 cases[i].error);
		assert_int_equal(queue_started(&queue), cases[i].error == 0);
		if (cases[i].error)
			assert_int_equal(pop(), -EPROTO);
	}
}

static void takes_chains_and_gives_them_back(void **state)
{
	struct part parts[] = { { 0x100000, 16, false },
				{ 0x100100, 512, false },
				{ 0x100300, 0, false },
				{ RAM_HIGH_GPA, 4096, true },
				{ 0x200000, 1, true } };
	uint16_t head;

	(void)state;
	begin(0);
	assert_int_equal(pop(), 0);
	for (int i = 0; i < 70000; i++) { /* the indices wrap */
		vq->next_desc = (uint16_t)(i % SIZE);
		head = vq_add(vq, parts, 5);
		assert_int_equal(pop(), 1);
		assert_int_equal(chain.head, head);
		assert_int_equal(chain.readable, 2);
		assert_int_equal(chain.writable, 2);
		assert_int_equal(chain.readable_bytes, 528);
		assert_int_equal(chain.writable_bytes, 4097);
		assert_ptr_equal(iov[1].iov_base, ram(0x100100));
		assert_ptr_equal(iov[2].iov_base, ram(RAM_HIGH_GPA));
		assert_int_equal(iov[2].iov_len, 4096);
		assert_int_equal(pop(), 0);
		queue_push(&queue, chain.head, 77);
		assert_int_equal(vq_done(vq), 0);
		queue_publish(&queue);
		assert_int_equal(vq_done(vq), 1);
		assert_int_equal(vq_used(vq)->ring[vq->seen_used % SIZE].id,
				 head);
		assert_int_equal(vq_take(vq).len, 77);
	}
}

static void follows_indirect_tables(void **state)
{
	struct vring_desc *table;
	struct part parts[2] = { { 0x100000, 16, false } };
	uint64_t gpa = 0x180001; /* of any alignment */
	uint16_t head;

	(void)state;
	begin(INDIRECT);
	table = ram(gpa);
	for (uint16_t i = 0; i < 100; i++) {
		struct vring_desc desc = { 0x100000 + i, 1,
					   i < 50 ? VRING_DESC_F_NEXT
						  : VRING_DESC_F_NEXT |
							    VRING_DESC_F_WRITE,
					   (uint16_t)(i + 1) };

		if (i == 99)
			desc.flags = VRING_DESC_F_WRITE;
		memcpy((char *)table + 16 * (size_t)i, &desc, sizeof(desc));
	}
	/* a plain descriptor first, then the table: longer than the queue */
	parts[1] = (struct part){ gpa, 1600, false };
	head = vq_add(vq, parts, 2);
	vq_desc(vq, (uint16_t)(head + 1))->flags = VRING_DESC_F_INDIRECT;
	assert_int_equal(pop(), 1);
	assert_int_equal(chain.readable, 51);
	assert_int_equal(chain.writable, 50);
	assert_int_equal(chain.readable_bytes, 66);
	/* without room: left where it is */
	queue_rewind(&queue, 1);
	assert_int_equal(queue_pop(&queue, &chain, iov, 100), -ENOBUFS);
	assert_int_equal(queue_pop(&queue, &chain, iov, 101), 1);
}

/* One descriptor, alone in the chain or first, and what it breaks. */
static void chains_are_checked(void **state)
{
	enum {
		N = 1,
		W = 2,
		I = 4
	};
	static const struct {
		struct vring_desc desc[3];
		enum queue_fault fault;
	} cases[] = {
		{ { { 0x1000, 1, N, SIZE } }, QUEUE_FAULT_DESCRIPTOR },
		{ { { 0x1000, 1, N, 0xffff } }, QUEUE_FAULT_DESCRIPTOR },
		{ { { 0x1000, 1, N, 0 } }, QUEUE_FAULT_LOOP },
		{ { { 0x1000, 1, N, 1 }, { 0x1000, 1, N, 0 } },
		  QUEUE_FAULT_LOOP },
		{ { { 0x1000, 0, N, 1 }, { 0x1000, 0, N, 0 } },
		  QUEUE_FAULT_LOOP },
		{ { { 0x1000, 1, N | W, 1 }, { 0x1000, 1, 0, 0 } },
		  QUEUE_FAULT_ORDER },
		{ { { RAM_LOW, 1, 0, 0 } }, QUEUE_FAULT_ADDRESS },
		{ { { RAM_LOW - 1, 2, 0, 0 } }, QUEUE_FAULT_ADDRESS },
		{ { { UINT64_MAX, 1, 0, 0 } }, QUEUE_FAULT_ADDRESS },
		{ { { UINT64_MAX - 10, 100, W, 0 } }, QUEUE_FAULT_ADDRESS },
		{ { { 0x1000, UINT32_MAX, W, 0 } }, QUEUE_FAULT_ADDRESS },
		{ { { RAM_HIGH_GPA - 1, 2, W, 0 } }, QUEUE_FAULT_ADDRESS },
		{ { { RAM_HIGH_GPA + RAM_HIGH, 1, W, 0 } },
		  QUEUE_FAULT_ADDRESS },
		/* tables: none, ill-sized, not alone, outside, nested */
		{ { { 0x1000, 0, I, 0 } }, QUEUE_FAULT_INDIRECT },
		{ { { 0x1000, 15, I, 0 } }, QUEUE_FAULT_INDIRECT },
		{ { { 0x1000, 16, I | N, 1 }, { 0x1000, 1, 0, 0 } },
		  QUEUE_FAULT_INDIRECT },
		{ { { 0x1000, 16 * (QUEUE_CHAIN_MAX + 1), I, 0 } },
		  QUEUE_FAULT_INDIRECT },
		{ { { 0x1000, 0xfffffff0, I, 0 } }, QUEUE_FAULT_INDIRECT },
		{ { { RAM_LOW - 8, 16, I, 0 } }, QUEUE_FAULT_ADDRESS },
		/* the queue's own descriptors (at 0) as a table: nested */
		{ { { 0, 16, I, 0 } }, QUEUE_FAULT_INDIRECT },
		{ { { 16, 16, I, 0 }, { 0x1000, 1, N, 1 } },
		  QUEUE_FAULT_DESCRIPTOR },
		{ { { 16, 32, I, 0 }, { 0x1000, 1, N, 0 } }, QUEUE_FAULT_LOOP },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		begin(INDIRECT);
		memcpy(ram(vq->desc_gpa), cases[i].desc, sizeof(cases[i].desc));
		vq_offer(vq, 0);
		assert_broken(cases[i].fault);
	}
}

static void lengths_are_summed_with_care(void **state)
{
	/* 1,024 times 4 MiB: 4 GiB */
	struct vring_desc *table;

	(void)state;
	begin(INDIRECT);
	table = ram(0x200000);
	for (uint16_t i = 0; i < QUEUE_CHAIN_MAX; i++)
		table[i] = (struct vring_desc){ 0, RAM_LOW, VRING_DESC_F_NEXT,
						(uint16_t)(i + 1) };
	table[QUEUE_CHAIN_MAX - 1].flags = 0;
	*vq_desc(vq, 0) = (struct vring_desc){ 0x200000, 16 * QUEUE_CHAIN_MAX,
					       VRING_DESC_F_INDIRECT, 0 };
	vq_offer(vq, 0);
	assert_broken(QUEUE_FAULT_LENGTH);
}

static void indirect_must_be_negotiated(void **state)
{
	(void)state;
	begin(0);
	*vq_desc(vq, 0) =
		(struct vring_desc){ 0x1000, 16, VRING_DESC_F_INDIRECT, 0 };
	vq_offer(vq, 0);
	assert_broken(QUEUE_FAULT_INDIRECT);
}

static void indices_are_checked(void **state)
{
	static const uint16_t jumps[] = { SIZE + 1, 0x7fff, 0x8000, 0xffff };

	(void)state;
	for (size_t i = 0; i < sizeof(jumps) / sizeof(*jumps); i++) {
		begin(0);
		vq_avail(vq)->idx = jumps[i];
		assert_broken(QUEUE_FAULT_INDEX);
	}
	/* as many as it holds is no jump; a head beyond it is a fault */
	begin(0);
	vq_avail(vq)->idx = SIZE;
	vq_avail(vq)->ring[2] = SIZE;
	for (int i = 0; i < 2; i++)
		assert_int_equal(pop(), 1);
	assert_broken(QUEUE_FAULT_DESCRIPTOR);
}

/* An index that goes back is one that jumps ahead. */
static void index_going_back_is_a_jump(void **state)
{
	struct part part = { 0x1000, 1, false };

	(void)state;
	begin(0);
	for (int i = 0; i < 3; i++)
		vq_add(vq, &part, 1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pop(), 1);
	vq_avail(vq)->idx = 2;
	assert_broken(QUEUE_FAULT_INDEX);
}

static void flags_suppress_signals_and_kicks(void **state)
{
	struct part part = { 0x1000, 1, true };

	(void)state;
	begin(0);
	queue_kicks_off(&queue);
	assert_int_equal(vq_used(vq)->flags, VRING_USED_F_NO_NOTIFY);
	assert_false(queue_kicks_on(&queue));
	assert_int_equal(vq_used(vq)->flags, 0);
	vq_add(vq, &part, 1);
	assert_true(queue_kicks_on(&queue)); /* one came meanwhile */
	assert_false(queue_wants_signal(&queue)); /* nothing given back */
	assert_int_equal(pop(), 1);
	queue_push(&queue, chain.head, 1);
	assert_true(queue_wants_signal(&queue));
	assert_false(queue_wants_signal(&queue));
	vq_avail(vq)->flags = VRING_AVAIL_F_NO_INTERRUPT;
	vq_add(vq, &part, 1);
	assert_int_equal(pop(), 1);
	queue_push(&queue, chain.head, 1);
	assert_false(queue_wants_signal(&queue));
	assert_int_equal(vq_done(vq), 2); /* given back all the same */
}

static void give_back(unsigned int count)
{
	struct part part = { 0x1000, 1, true };

	for (unsigned int i = 0; i < count; i++) {
		vq_add(vq, &part, 1);
		assert_int_equal(pop(), 1);
		queue_push(&queue, chain.head, 1);
		queue_publish(&queue);
	}
}

static void event_indices_suppress_signals_and_kicks(void **state)
{
	(void)state;
	begin(EVENT);
	vq_avail(vq)->flags = VRING_AVAIL_F_NO_INTERRUPT; /* has no say */
	*vq_used_event(vq) = 0;
	give_back(1);
	assert_true(queue_wants_signal(&queue));
	give_back(3); /* not asked for again */
	assert_false(queue_wants_signal(&queue));
	*vq_used_event(vq) = 5; /* after the sixth */
	give_back(1);
	assert_false(queue_wants_signal(&queue));
	give_back(1);
	assert_true(queue_wants_signal(&queue));
	*vq_used_event(vq) = 7;
	give_back(5); /* passed by */
	assert_true(queue_wants_signal(&queue));
	for (int i = 0; i < 20000; i++) { /* through the wrap */
		uint16_t shown = vq_used(vq)->idx;

		*vq_used_event(vq) = (uint16_t)(shown + 2);
		give_back(2);
		assert_false(queue_wants_signal(&queue));
		give_back(2);
		assert_true(queue_wants_signal(&queue));
	}
	queue_kicks_off(&queue);
	assert_int_equal(vq_used(vq)->flags, 0);
	assert_false(queue_kicks_on(&queue));
	assert_int_equal(vq_avail_event(vq), vq->next_avail);
}

static void rewinds(void **state)
{
	struct part part = { 0x1000, 1, false };
	uint16_t first, second;

	(void)state;
	begin(0);
	first = vq_add(vq, &part, 1);
	second = vq_add(vq, &part, 1);
	assert_int_equal(pop(), 1);
	assert_int_equal(pop(), 1);
	queue_rewind(&queue, 2);
	assert_int_equal(pop(), 1);
	assert_int_equal(chain.head, first);
	assert_int_equal(pop(), 1);
	assert_int_equal(chain.head, second);
	assert_int_equal(pop(), 0);
}

static void resyncs(void **state)
{
	struct part part = { 0x1000, 1, true };

	(void)state;
	begin(EVENT);
	for (int i = 0; i < 3; i++)
		vq_add(vq, &part, 1);
	vq_used(vq)->idx = 2; /* somebody served two */
	queue_resync(&queue, 2);
	assert_int_equal(pop(), 1);
	assert_int_equal(chain.head, 2);
	queue_push(&queue, 2, 1);
	queue_publish(&queue);
	assert_int_equal(vq_used(vq)->idx, 3);
}

static void lists_are_read_written_skipped_and_cut(void **state)
{
	char a[] = "abc", b[] = "defg", c[] = "h", out[16] = { 0 };
	const struct iovec list[] = { { a, 3 }, { b, 4 }, { c, 1 } };
	struct iovec copy[3];

	(void)state;
	assert_int_equal(iov_read(list, 3, 0, out, 16), 8);
	assert_string_equal(out, "abcdefgh");
	memset(out, 0, sizeof(out));
	assert_int_equal(iov_read(list, 3, 2, out, 3), 3);
	assert_string_equal(out, "cde");
	assert_int_equal(iov_read(list, 3, 8, out, 1), 0);
	assert_int_equal(iov_write(list, 3, 2, "XYZ", 3), 3);
	assert_string_equal(a, "abX");
	assert_string_equal(b, "YZfg");
	assert_int_equal(iov_write(list, 3, 7, "QQ", 2), 1);
	assert_string_equal(c, "Q");
	memcpy(copy, list, sizeof(copy));
	assert_int_equal(iov_skip(copy, 3, 3), 1);
	assert_int_equal(iov_skip(copy + 1, 2, 1), 0);
	assert_ptr_equal(copy[1].iov_base, b + 1);
	assert_int_equal(copy[1].iov_len, 3);
	assert_int_equal(iov_skip(copy + 1, 2, 100), 2);
	memcpy(copy, list, sizeof(copy));
	assert_int_equal(iov_cut(copy, 3, 8), 3);
	assert_int_equal(iov_cut(copy, 3, 100), 3);
	assert_int_equal(iov_cut(copy, 3, 7), 2);
	memcpy(copy, list, sizeof(copy));
	assert_int_equal(iov_cut(copy, 3, 4), 2);
	assert_int_equal(copy[1].iov_len, 1);
	assert_int_equal(iov_cut(copy, 3, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(layouts_are_checked),
		TEST(takes_chains_and_gives_them_back),
		TEST(follows_indirect_tables),
		TEST(chains_are_checked),
		TEST(lengths_are_summed_with_care),
		TEST(indirect_must_be_negotiated),
		TEST(indices_are_checked),
		TEST(index_going_back_is_a_jump),
		TEST(flags_suppress_signals_and_kicks),
		TEST(event_indices_suppress_signals_and_kicks),
		TEST(rewinds),
		TEST(resyncs),
		TEST(lists_are_read_written_skipped_and_cut),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
