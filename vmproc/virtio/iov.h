/* SPDX-License-Identifier: ISC */
/* Lists of buffers in guest memory, as struct iovec. */
#ifndef VMSUP_VMPROC_VIRTIO_IOV_H
#define VMSUP_VMPROC_VIRTIO_IOV_H

#include <stddef.h>
#include <sys/uio.h>

/* Copies bytes from a list, beginning at offset, to a buffer. Returns how many
 * were copied: fewer if the list ends. */
size_t iov_read(const struct iovec *iov, unsigned int count, size_t offset,
		void *to, size_t bytes);
/* The same from a buffer to the list. */
size_t iov_write(const struct iovec *iov, unsigned int count, size_t offset,
		 const void *from, size_t bytes);

/* Takes bytes off the front of a list, or all that it has. Returns how many
 * entries are used up. An entry that is used in part is changed in place. */
unsigned int iov_skip(struct iovec *iov, unsigned int count, size_t bytes);
/* Cuts a list after bytes. Returns how many entries remain. */
unsigned int iov_cut(struct iovec *iov, unsigned int count, size_t bytes);

#endif
