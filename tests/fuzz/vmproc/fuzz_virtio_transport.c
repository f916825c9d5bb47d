/* SPDX-License-Identifier: ISC */
/* Registers, configuration space and notifications of a virtio device, in any
 * order, on the simplest device there is. */
#include "tests/fuzz/vmproc/virtio_input.h"
#include "vmproc/virtio/rng.h"

static struct rng rng;

/* Registers are what this is about. */
static void do_special(struct input *input)
{
	uint8_t kind = take(input);

	if (kind & 3)
		do_register(input);
	else if (kind & 4)
		device_config_changed(&rng.device);
	else
		device_pause(&rng.device, kind & 8);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };

	if (!driver.device) {
		driver_init();
		CHECK(rng_init(&rng, &driver.bus, &driver.loop,
			       &driver.memory) == 0);
		attach(&rng.device);
	}
	power_on();
	device_pause(&rng.device, false);
	act(&input, do_special);
	return 0;
}
