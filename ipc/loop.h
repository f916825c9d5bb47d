/* SPDX-License-Identifier: ISC */
/*
 * The event loop of both programs: epoll for descriptors, a pairing heap for
 * timers. Single-threaded; allocates nothing: sources and timers live inside
 * the objects they serve.
 */
#ifndef VMSUP_IPC_LOOP_H
#define VMSUP_IPC_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#define LOOP_BATCH    64
#define NSEC_PER_SEC  1000000000ULL
#define NSEC_PER_MSEC 1000000ULL

struct loop;
struct source;
struct timer;

/* Called with the EPOLL* bits that are set. It may remove or free any
 * source. */
typedef void source_fn(struct source *source, uint32_t events);
typedef void timer_fn(struct timer *timer);

struct source {
	int fd; /* not owned; -1 while not in a loop */
	source_fn *ready;
	void *ctx; /* for ready(), never touched by the loop */
};

struct timer {
	uint64_t due_ns; /* CLOCK_MONOTONIC */
	timer_fn *fire;
	void *ctx;
	bool armed;
	struct timer *child, *sibling, *previous; /* the heap's own */
};

struct loop {
	int epoll_fd;
	bool stopped;
	struct timer *timers; /* root of the heap: the earliest */
	struct epoll_event batch[LOOP_BATCH];
	int batch_count, batch_next;
};

/* 0 or -errno. */
int loop_init(struct loop *loop);
/* The same with an epoll descriptor that exists already and watches nothing; it
 * is the loop's from now on. */
void loop_take(struct loop *loop, int epoll_fd);
void loop_uninit(struct loop *loop);

/* Watches fd for events (EPOLLIN, ...); level-triggered. 0 or -errno. */
int loop_add(struct loop *loop, struct source *source, int fd, uint32_t events,
	     source_fn *ready, void *ctx);
/* Changes the events watched for. 0 or -errno. */
int loop_modify(struct loop *loop, struct source *source, uint32_t events);
/* Stops watching; pending events of this source are dropped as well. A source
 * that isn't in the loop is left alone. Call it before closing the fd. */
void loop_remove(struct loop *loop, struct source *source);

/* (Re)arms timer for due_ns; fires once. Set fire and ctx before. */
void loop_timer_at(struct loop *loop, struct timer *timer, uint64_t due_ns);
void loop_timer_in(struct loop *loop, struct timer *timer, uint64_t delay_ms);
void loop_timer_cancel(struct loop *loop, struct timer *timer);

/* Runs until loop_stop(). 0 or -errno of epoll_wait. */
int loop_run(struct loop *loop);
/* One turn: waits for max_wait_ms at most (-1: no limit), then serves what is
 * ready and due. 0 or -errno. */
int loop_turn(struct loop *loop, int max_wait_ms);
void loop_stop(struct loop *loop);

/* CLOCK_MONOTONIC now, in nanoseconds. A test may define it anew. */
uint64_t loop_now_ns(void);

#endif
