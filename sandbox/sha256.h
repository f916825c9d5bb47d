/* SPDX-License-Identifier: ISC */
/* SHA-256 (FIPS 180-4). */
#ifndef VMSUP_SANDBOX_SHA256_H
#define VMSUP_SANDBOX_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_BYTES 32

void sha256(const void *data, size_t bytes, uint8_t digest[SHA256_BYTES]);

#endif
