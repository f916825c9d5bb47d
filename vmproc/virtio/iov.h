/* SPDX-License-Identifier: ISC */
/* Lists of buffers in guest memory, as struct iovec. */
#ifndef VMSUP_VMPROC_VIRTIO_IOV_H
#define VMSUP_VMPROC_VIRTIO_IOV_H

#include <stddef.h>
#include <sys/uio.h>

/* Copies bytes from a list, beginning offset bytes into it, to a buffer; how
 * many there were, bytes at most. */
size_t iov_read(const struct iovec *iov, unsigned int count, size_t offset,
		void *to, size_t bytes);
/* The same, from a buffer to the list. */
size_t iov_write(const struct iovec *iov, unsigned int count, size_t offset,
		 const void *from, size_t bytes);

/* Takes bytes off the front of a list, as far as there are any; how many
 * entries were used up altogether. The entry that is left in part is changed
 * in place. */
unsigned int iov_skip(struct iovec *iov, unsigned int count, size_t bytes);
/* Cuts a list after so many bytes; how many entries are left. */
unsigned int iov_cut(struct iovec *iov, unsigned int count, size_t bytes);

#endif
