/* SPDX-License-Identifier: ISC */
/* Requests of the block device, done. */
#ifndef VMSUP_VMPROC_VIRTIO_BLK_REQUEST_H
#define VMSUP_VMPROC_VIRTIO_BLK_REQUEST_H

#include "vmproc/virtio/blk.h"

/* The most that one segment of a discard or write-zeroes covers, in sectors,
 * and how many segments a request has. */
#define BLK_DISCARD_SECTORS (1U << 21)
#define BLK_ZEROES_SECTORS  (1U << 16)
#define BLK_SEGMENTS        16

/*
 * Does the request in chain, all of it but the status byte, for which there is
 * room (§5.2.6): returns the status; *written_bytes becomes how much of the
 * device-writable part, without the status, was written from its beginning.
 */
uint8_t blk_request(struct blk *blk, struct chain *chain,
		    uint32_t *written_bytes);

#endif
