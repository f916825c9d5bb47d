/* SPDX-License-Identifier: ISC */
/* Does the requests of the block device. */
#ifndef VMSUP_VMPROC_VIRTIO_BLK_REQUEST_H
#define VMSUP_VMPROC_VIRTIO_BLK_REQUEST_H

#include "vmproc/virtio/blk.h"

/* The most sectors of one segment of a discard or write-zeroes, and the most
 * segments of a request. */
#define BLK_DISCARD_SECTORS (1U << 21)
#define BLK_ZEROES_SECTORS  (1U << 16)
#define BLK_SEGMENTS        16

/*
 * Does the request in chain, but doesn't write the status byte, for which there
 * is room (§5.2.6). Returns the status. *written_bytes becomes how many bytes
 * of the device-writable part, without the status, were written, from its
 * beginning on.
 */
uint8_t blk_request(struct blk *blk, struct chain *chain,
		    uint32_t *written_bytes);

#endif
