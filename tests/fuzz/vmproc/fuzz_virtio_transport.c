/* SPDX-License-Identifier: ISC */
/* Registers, configuration space and notifications of a virtio device, in any
 * order, on the simplest device there is. */
#include "tests/fuzz/vmproc/virtio_input.h"
#include "vmproc/virtio/rng.h"

static struct rng rng;

/* By way of the window in configuration space (virtio 1.2 §4.1.4.9). */
static void do_window(struct input *input)
{
	unsigned int at = rng.device.access_capability;
	uint8_t kind = take(input);
	uint32_t page = (kind >> 3) % 8 * 0x1000U;

	config_write(at + VIRTIO_PCI_CAP_BAR, 1, kind == 0xff);
	config_write(at + VIRTIO_PCI_CAP_OFFSET, 4,
		     kind & 4 ? (uint32_t)take_bytes(input, 4)
			      : page + take(input) % 64);
	config_write(at + VIRTIO_PCI_CAP_LENGTH, 4,
		     kind == 0 ? (uint32_t)take_bytes(input, 4)
			       : 1U << kind % 4);
	if (take(input) & 1)
		config_write(at + sizeof(struct virtio_pci_cap), 4,
			     (uint32_t)take_bytes(input, 4));
	else
		config_read(at + sizeof(struct virtio_pci_cap) + kind % 4, 1);
}

/* A vector as drivers set it, so that masks on it count. */
static void do_vector(struct input *input)
{
	uint8_t kind = take(input);
	uint32_t entry = TRANSPORT_VECTORS + kind % 2 * 16U;

	config_write(rng.device.function.msix_capability + 2, 2,
		     kind & 0x80 ? 0x8000 : take(input) << 8);
	set_reg(entry, 4, 0xfee00000);
	set_reg(entry + 8, 4, take(input));
	set_reg(entry + 12, 4, kind >> 1 & 1);
	mmio(bar_gpa() + TRANSPORT_PENDING + take(input) % 9, 1U << kind % 4,
	     kind & 0x40, 0);
}

/* Registers are what this is about. */
static void do_special(struct input *input)
{
	uint8_t kind = take(input);

	switch (kind % 8) {
	case 0:
		device_config_changed(&rng.device);
		break;
	case 1:
		device_pause(&rng.device, kind & 8);
		break;
	case 2:
		do_window(input);
		break;
	case 3:
		do_vector(input);
		break;
	default:
		do_register(input);
	}
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
