/* SPDX-License-Identifier: ISC */
/*
 * The network device's queues, served by the host's kernel: one descriptor of
 * /dev/vhost-net for each pair. This process never sees their frames: it
 * neither counts them nor checks their source MAC.
 */
#ifndef VMSUP_VMPROC_VIRTIO_VHOST_H
#define VMSUP_VMPROC_VIRTIO_VHOST_H

#include <stdbool.h>
#include <stdint.h>

#include "ipc/loop.h"
#include "vmproc/kvm/memory.h"
#include "vmproc/virtio/device.h"

#define VHOST_PAIRS_MAX 8

struct vhost_pair {
	int fd; /* not owned */
	struct source error_source;
	int error_fd; /* eventfd: the kernel found the ring broken */
	struct device_queue *queue[2]; /* receive, transmit */
	bool running;
};

struct vhost {
	unsigned int pairs; /* 0: not used */
	uint64_t features; /* that the kernel knows */
	struct vhost_pair pair[VHOST_PAIRS_MAX];
};

/* Before the cage closes: makes this process the owner of the descriptors,
 * gives them the guest's memory, and reads their features. 0 or -errno,
 * logged. */
int vhost_init(struct vhost *vhost, struct loop *loop,
	       const struct memory *memory, const int *fds, unsigned int pairs);
void vhost_uninit(struct vhost *vhost, struct loop *loop);

/* Those of offered that vhost knows, or has no part in. */
uint64_t vhost_offer(const struct vhost *vhost, uint64_t offered);

/* Hands two queues that have started to the kernel, with the TAP tap_fd. Nobody
 * here touches them from then on. 0 or -errno. */
int vhost_start(struct vhost_pair *pair, uint64_t features,
		struct device_queue *receive, struct device_queue *transmit,
		int tap_fd);
/* Takes the queues back. The kernel touches no memory after the return. */
void vhost_stop(struct vhost_pair *pair);
/* Pauses the kernel, or makes it go on where it was. 0 or -errno. */
int vhost_pause(struct vhost_pair *pair, int tap_fd, bool paused);
/* Makes interrupts follow the queues' vectors. 0 or -errno. */
int vhost_revector(const struct vhost_pair *pair);

#endif
