/* SPDX-License-Identifier: ISC */
/* The registers of a virtio device over PCI. Everything here is called by vCPU
 * threads that hold the bus's lock. */
#include "vmproc/virtio/transport.h"

#include <assert.h>
#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_pci.h>
#include <string.h>
#include <unistd.h>

#include "ipc/fd.h"
#include "vmproc/kvm/msix.h"

#define VENDOR_VIRTIO 0x1af4 /* §4.1.2 */
#define DEVICE_MODERN 0x1040 /* and the type added */
#define SUBSYSTEM     0x1100 /* any from 0x40 on */
#define REGION_SHIFT  12
#define REGION_MASK   0xfffULL
#define COMMON_BYTES  sizeof(struct virtio_pci_common_cfg)
#define STATUS_WRITABLE                                            \
	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |    \
	 VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK | \
	 VIRTIO_CONFIG_S_FAILED)

static_assert(sizeof(struct virtio_pci_common_cfg) == 56, "§4.1.4.3");
static_assert(DEVICE_QUEUES_MAX < PCI_VECTORS_MAX &&
		      DEVICE_QUEUES_MAX <= PCI_NOTIFIERS_MAX,
	      "a vector and a notifier for each queue");
#define NOTIFY_BYTES 128
static_assert(DEVICE_QUEUES_MAX * TRANSPORT_NOTIFY_STEP <= NOTIFY_BYTES,
	      "a port for each queue");

static struct device *device_of(struct pci_function *function)
{
	return (struct device *)((char *)function -
				 offsetof(struct device, function));
}

/* The queue that queue_select names; NULL: there is none. */
static struct device_queue *selected(struct device *device)
{
	return device->queue_select < device->queues
		       ? &device->queue[device->queue_select]
		       : NULL;
}

/* The 32 feature bits that select names, of 64; 0 beyond them. */
static uint32_t feature_word(uint64_t features, uint32_t select)
{
	return select < 2 ? (uint32_t)(features >> (32 * select)) : 0;
}

static uint8_t status(const struct device *device)
{
	bool needs_reset = atomic_load(&device->needs_reset);

	return device->status | (needs_reset ? VIRTIO_CONFIG_S_NEEDS_RESET : 0);
}

/* ---- reading */

static void common_image(struct device *device,
			 struct virtio_pci_common_cfg *image)
{
	const struct device_queue *queue = selected(device);

	*image = (struct virtio_pci_common_cfg){
		.device_feature_select = device->device_feature_select,
		.device_feature = feature_word(device->offered,
					       device->device_feature_select),
		.guest_feature_select = device->driver_feature_select,
		.guest_feature = feature_word(device->features,
					      device->driver_feature_select),
		.msix_config = atomic_load(&device->config_vector),
		.num_queues = (uint16_t)device->queues,
		.device_status = status(device),
		.config_generation = atomic_load(&device->generation),
		.queue_select = device->queue_select,
		.queue_msix_vector = VIRTIO_MSI_NO_VECTOR,
	};
	if (!queue)
		return;
	image->queue_size = queue->layout.size;
	image->queue_msix_vector = atomic_load(&queue->vector);
	image->queue_enable = queue->enabled;
	image->queue_notify_off = device->queue_select;
	image->queue_desc_lo = (uint32_t)queue->layout.desc_gpa;
	image->queue_desc_hi = (uint32_t)(queue->layout.desc_gpa >> 32);
	image->queue_avail_lo = (uint32_t)queue->layout.avail_gpa;
	image->queue_avail_hi = (uint32_t)(queue->layout.avail_gpa >> 32);
	image->queue_used_lo = (uint32_t)queue->layout.used_gpa;
	image->queue_used_hi = (uint32_t)(queue->layout.used_gpa >> 32);
}

/* The structure at the beginning of a page of the BAR, and its length. The rest
 * of the page reads as zero. */
static size_t region_image(struct device *device, uint64_t region, void *image)
{
	switch (region << REGION_SHIFT) {
	case TRANSPORT_COMMON:
		device_settle(device);
		common_image(device, image);
		return COMMON_BYTES;
	case TRANSPORT_CONFIG:
		device->ops->config(device, image);
		return DEVICE_CONFIG_MAX;
	default:
		return 0;
	}
}

static uint64_t transport_bar_read(struct pci_function *function,
				   unsigned int bar, uint64_t offset,
				   unsigned int bytes)
{
	union {
		struct virtio_pci_common_cfg common;
		uint8_t bytes[DEVICE_CONFIG_MAX];
	} image = { .bytes = { 0 } };
	struct device *device = device_of(function);
	uint64_t value = 0, at = offset & REGION_MASK;
	size_t length;

	if (bar != TRANSPORT_BAR)
		return 0;
	/* reading it clears it (§4.1.4.5) */
	if (offset == TRANSPORT_ISR)
		return atomic_exchange(&device->isr, 0);
	length = region_image(device, offset >> REGION_SHIFT, &image);
	if (at < length)
		memcpy(&value, image.bytes + at,
		       bytes < length - at ? bytes : length - at);
	return value;
}

/* ---- writing */

/* True if the driver may still set where queues lie. */
static bool configurable(const struct device *device)
{
	return !(device->status & VIRTIO_CONFIG_S_DRIVER_OK);
}

/* The selected queue, if it can still be changed. */
static struct queue_layout *changeable(struct device *device)
{
	struct device_queue *queue = selected(device);

	return queue && !queue->enabled && configurable(device) ? &queue->layout
								: NULL;
}

static void write_device_feature_select(struct device *device, uint32_t value)
{
	device->device_feature_select = value;
}

static void write_driver_feature_select(struct device *device, uint32_t value)
{
	device->driver_feature_select = value;
}

static void write_driver_feature(struct device *device, uint32_t value)
{
	unsigned int shift = 32 * device->driver_feature_select;

	if (device->driver_feature_select > 1 ||
	    device->status & VIRTIO_CONFIG_S_FEATURES_OK)
		return;
	device->features &= ~(UINT64_C(0xffffffff) << shift);
	device->features |= (uint64_t)value << shift;
}

static void write_config_vector(struct device *device, uint32_t value)
{
	device_set_vector(device, NULL, (uint16_t)value);
}

/* A status that skips a step is ignored (§3.1.1, §2.2.2). */
static void write_status(struct device *device, uint32_t value)
{
	uint8_t added = value & STATUS_WRITABLE & ~device->status;
	uint64_t version = FEATURE(VIRTIO_F_VERSION_1);

	if (value == 0) {
		device_end(device);
		return;
	}
	if (added & VIRTIO_CONFIG_S_FEATURES_OK &&
	    (device->features & ~device->offered ||
	     !(device->features & version)))
		added &= ~VIRTIO_CONFIG_S_FEATURES_OK;
	if (!((device->status | added) & VIRTIO_CONFIG_S_FEATURES_OK))
		added &= ~VIRTIO_CONFIG_S_DRIVER_OK;
	device->status |= added;
	if (added & VIRTIO_CONFIG_S_DRIVER_OK)
		device_begin(device);
}

static void write_queue_select(struct device *device, uint32_t value)
{
	device->queue_select = (uint16_t)value;
}

static void write_queue_size(struct device *device, uint32_t value)
{
	struct queue_layout *layout = changeable(device);

	if (layout && value != 0 && (value & (value - 1)) == 0 &&
	    value <= selected(device)->size_max)
		layout->size = (uint16_t)value;
}

static void write_queue_vector(struct device *device, uint32_t value)
{
	if (selected(device))
		device_set_vector(device, selected(device), (uint16_t)value);
}

static void write_queue_enable(struct device *device, uint32_t value)
{
	if (value == 1 && changeable(device))
		selected(device)->enabled = true;
}

static void set_half(uint64_t *gpa, uint32_t value, bool high)
{
	if (high)
		*gpa = (*gpa & UINT32_MAX) | (uint64_t)value << 32;
	else
		*gpa = (*gpa & ~(uint64_t)UINT32_MAX) | value;
}

/* clang-format off: one address, two halves */
#define ADDRESS_HALF(name, half, high)                              \
	static void write_##name##_##half(struct device *device,    \
					  uint32_t value)           \
	{                                                           \
		struct queue_layout *layout = changeable(device);   \
                                                                    \
		if (layout)                                         \
			set_half(&layout->name##_gpa, value, high); \
	}
/* clang-format on */
ADDRESS_HALF(desc, low, false)
ADDRESS_HALF(desc, high, true)
ADDRESS_HALF(avail, low, false)
ADDRESS_HALF(avail, high, true)
ADDRESS_HALF(used, low, false)
ADDRESS_HALF(used, high, true)

/* The registers that can be written, in their natural widths (§4.1.3.1). */
static const struct {
	uint8_t bytes;
	bool always; /* also while a reset is under way */
	void (*write)(struct device *device, uint32_t value);
} registers[COMMON_BYTES] = {
	[VIRTIO_PCI_COMMON_DFSELECT] = { 4, true, write_device_feature_select },
	[VIRTIO_PCI_COMMON_GFSELECT] = { 4, true, write_driver_feature_select },
	[VIRTIO_PCI_COMMON_GF] = { 4, false, write_driver_feature },
	[VIRTIO_PCI_COMMON_MSIX] = { 2, false, write_config_vector },
	[VIRTIO_PCI_COMMON_STATUS] = { 1, false, write_status },
	[VIRTIO_PCI_COMMON_Q_SELECT] = { 2, true, write_queue_select },
	[VIRTIO_PCI_COMMON_Q_SIZE] = { 2, false, write_queue_size },
	[VIRTIO_PCI_COMMON_Q_MSIX] = { 2, false, write_queue_vector },
	[VIRTIO_PCI_COMMON_Q_ENABLE] = { 2, false, write_queue_enable },
	[VIRTIO_PCI_COMMON_Q_DESCLO] = { 4, false, write_desc_low },
	[VIRTIO_PCI_COMMON_Q_DESCHI] = { 4, false, write_desc_high },
	[VIRTIO_PCI_COMMON_Q_AVAILLO] = { 4, false, write_avail_low },
	[VIRTIO_PCI_COMMON_Q_AVAILHI] = { 4, false, write_avail_high },
	[VIRTIO_PCI_COMMON_Q_USEDLO] = { 4, false, write_used_low },
	[VIRTIO_PCI_COMMON_Q_USEDHI] = { 4, false, write_used_high },
};

static void write_common(struct device *device, uint64_t at, unsigned int bytes,
			 uint64_t value)
{
	bool settled = device_settle(device);

	if (at >= COMMON_BYTES || !registers[at].write ||
	    registers[at].bytes != bytes || (!settled && !registers[at].always))
		return;
	registers[at].write(device, (uint32_t)value);
}

/* A notification that no ioeventfd has caught. */
static void write_notify(struct device *device, uint64_t queue)
{
	if (queue < device->queues)
		device_again(&device->queue[queue]);
}

static void transport_bar_write(struct pci_function *function, unsigned int bar,
				uint64_t offset, unsigned int bytes,
				uint64_t value)
{
	struct device *device = device_of(function);
	uint64_t at = offset & REGION_MASK;

	if (bar == TRANSPORT_NOTIFY_BAR) {
		write_notify(device, offset / TRANSPORT_NOTIFY_STEP);
		return;
	}
	switch (offset & ~REGION_MASK) {
	case TRANSPORT_COMMON:
		/* a 64-bit address is two registers */
		if (bytes == 8) {
			write_common(device, at, 4, (uint32_t)value);
			write_common(device, at + 4, 4, value >> 32);
		} else {
			write_common(device, at, bytes, value);
		}
		return;
	default: /* no device here has a configuration to write (§5) */
		return;
	}
}

/* ---- the window of configuration space on the BARs (§4.1.4.9) */

/* Reads and checks where the window points. False: nowhere. */
static bool window(const struct device *device, unsigned int *bar,
		   uint64_t *offset, uint32_t *bytes)
{
	const uint8_t *config =
		device->function.config + device->access_capability;
	uint32_t start;

	memcpy(&start, config + VIRTIO_PCI_CAP_OFFSET, sizeof(start));
	memcpy(bytes, config + VIRTIO_PCI_CAP_LENGTH, sizeof(*bytes));
	*offset = start;
	*bar = config[VIRTIO_PCI_CAP_BAR];
	return *bar < PCI_BARS && (*bytes == 1 || *bytes == 2 || *bytes == 4) &&
	       start % *bytes == 0 &&
	       *offset + *bytes <= device->function.bar[*bar].bytes;
}

static void transport_config_access(struct pci_function *function,
				    unsigned int offset, unsigned int bytes,
				    bool write)
{
	struct device *device = device_of(function);
	unsigned int data =
		device->access_capability + sizeof(struct virtio_pci_cap);
	unsigned int bar;
	uint64_t at;
	uint32_t width, value = 0;

	if (device->access_capability == 0 || offset + bytes <= data ||
	    offset >= data + sizeof(value) ||
	    !window(device, &bar, &at, &width))
		return;
	if (write) {
		memcpy(&value, function->config + data, width);
		transport_bar_write(function, bar, at, width, value);
	} else {
		value = (uint32_t)transport_bar_read(function, bar, at, width);
		memcpy(function->config + data, &value, width);
	}
}

static const struct pci_ops ops = {
	.bar_read = transport_bar_read,
	.bar_write = transport_bar_write,
	.config_access = transport_config_access,
};

/* ---- making it */

/* The longest capability here: one of notifications, or of access. */
union capability {
	struct virtio_pci_cap cap;
	struct virtio_pci_notify_cap notify;
	struct virtio_pci_cfg_cap access;
	uint8_t bytes[sizeof(struct virtio_pci_notify_cap)];
};

static const struct {
	uint8_t type, bytes, bar;
	uint32_t offset, length;
} capabilities[] = {
	{ VIRTIO_PCI_CAP_COMMON_CFG, sizeof(struct virtio_pci_cap),
	  TRANSPORT_BAR, TRANSPORT_COMMON, COMMON_BYTES },
	{ VIRTIO_PCI_CAP_ISR_CFG, sizeof(struct virtio_pci_cap), TRANSPORT_BAR,
	  TRANSPORT_ISR, 1 },
	{ VIRTIO_PCI_CAP_DEVICE_CFG, sizeof(struct virtio_pci_cap),
	  TRANSPORT_BAR, TRANSPORT_CONFIG, DEVICE_CONFIG_MAX },
	{ VIRTIO_PCI_CAP_NOTIFY_CFG, sizeof(struct virtio_pci_notify_cap),
	  TRANSPORT_NOTIFY_BAR, 0, DEVICE_QUEUES_MAX *TRANSPORT_NOTIFY_STEP },
	{ VIRTIO_PCI_CAP_PCI_CFG, sizeof(struct virtio_pci_cfg_cap), 0, 0, 0 },
};

static int add_capability(struct device *device, size_t i)
{
	union capability body = { .bytes = { 0 } }, writable = body;
	bool access = capabilities[i].type == VIRTIO_PCI_CAP_PCI_CFG;
	int offset;

	body.cap.cap_len = capabilities[i].bytes;
	body.cap.cfg_type = capabilities[i].type;
	body.cap.bar = capabilities[i].bar;
	body.cap.offset = capabilities[i].offset;
	body.cap.length = capabilities[i].length;
	if (capabilities[i].type == VIRTIO_PCI_CAP_NOTIFY_CFG)
		body.notify.notify_off_multiplier = TRANSPORT_NOTIFY_STEP;
	if (access) {
		writable.cap.bar = 0xff;
		writable.cap.offset = UINT32_MAX;
		writable.cap.length = UINT32_MAX;
		memset(writable.access.pci_cfg_data, 0xff,
		       sizeof(writable.access.pci_cfg_data));
	}
	/* the bus writes the identity and the link */
	offset = pci_add_capability(&device->function, PCI_CAP_ID_VNDR,
				    body.bytes + 2, writable.bytes + 2,
				    (uint8_t)(capabilities[i].bytes - 2));
	if (offset > 0 && access)
		device->access_capability = (unsigned int)offset;
	return offset < 0 ? offset : 0;
}

static int add_notifiers(struct device *device)
{
	int error = 0;

	for (unsigned int i = 0; i < device->queues && !error; i++)
		error = pci_add_notifier(
			&device->function, TRANSPORT_NOTIFY_BAR,
			i * TRANSPORT_NOTIFY_STEP, 0, device->queue[i].kick_fd);
	return error;
}

int transport_init(struct device *device, struct pci_bus *bus)
{
	const struct pci_identity identity = {
		.vendor = VENDOR_VIRTIO,
		.device = (uint16_t)(DEVICE_MODERN + device->ops->type),
		.subsystem_vendor = VENDOR_VIRTIO,
		.subsystem = SUBSYSTEM,
		.class = device->ops->class,
		.revision = 1, /* no transitional one (§4.1.2.1) */
	};
	int error = pci_add(bus, &device->function, &identity, &ops);

	if (!error)
		error = pci_add_bar(&device->function, TRANSPORT_BAR,
				    TRANSPORT_BYTES);
	if (!error)
		error = pci_add_ports(&device->function, TRANSPORT_NOTIFY_BAR,
				      NOTIFY_BYTES);
	for (size_t i = 0; i < ARRAY_SIZE(capabilities) && !error; i++)
		error = add_capability(device, i);
	if (!error)
		error = msix_add(&device->function, device->queues + 1,
				 TRANSPORT_BAR, TRANSPORT_VECTORS,
				 TRANSPORT_PENDING);
	return error ? error : add_notifiers(device);
}
