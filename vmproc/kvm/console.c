/* SPDX-License-Identifier: ISC */
/*
 * The main loop's part of the machine: the report that the kernel is loaded,
 * the descriptor of the console, and the end of the process.
 *
 * Output that the reader of the console doesn't take waits in the ring of the
 * UART. If the ring is full, output is lost and counted. At a shutdown, the
 * rest of the output is written before the process ends: the last words of a
 * kernel that panics are the ones that matter.
 */
#include "vmproc/kvm/console.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "ipc/error.h"
#include "ipc/fd.h"
#include "ipc/log.h"

#define CHUNK_BYTES  4096
#define CHUNK_BUDGET 16

static void watch_console(struct machine *machine, uint32_t events)
{
	if (!machine->console_open || events == machine->console_events)
		return;
	machine->console_events = events;
	loop_modify(&machine->vm->loop, &machine->console, events);
}

/* The reader of the console is gone: output is dropped from now on. */
static void close_console(struct machine *machine)
{
	if (!machine->console_open)
		return;
	machine->console_open = false;
	loop_remove(&machine->vm->loop, &machine->console);
	vmproc_close(machine->vm, FD_ROLE_CONSOLE, 0);
	log_warn("the console is gone: output is dropped");
}

/* Writes output to the console. True if nothing is left. */
static bool flush_output(struct machine *machine)
{
	struct uart *uart = &machine->board.uart;
	uint8_t chunk[CHUNK_BYTES];

	for (int i = 0; i < CHUNK_BUDGET; i++) {
		size_t bytes = uart_output(uart, chunk, sizeof(chunk));
		ssize_t sent = (ssize_t)bytes;

		if (bytes == 0)
			return true;
		if (machine->console_open)
			sent = write(machine->console.fd, chunk, bytes);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && errno == EAGAIN)
			return false;
		if (sent < 0) {
			close_console(machine);
			continue;
		}
		uart_took(uart, (size_t)sent);
	}
	return false;
}

/* ---- the end */

static const struct {
	enum vmproc_exit status;
	enum guest_event event; /* GUEST_EVENTS: none */
	const char *text;
} shutdowns[SHUTDOWNS] = {
	[SHUTDOWN_POWEROFF] = { VMPROC_EXIT_POWEROFF, GUEST_POWERED_OFF,
				"the guest powered off" },
	[SHUTDOWN_REBOOT] = { VMPROC_EXIT_REBOOT, GUEST_REBOOTED,
			      "the guest reboots" },
	[SHUTDOWN_PANIC] = { VMPROC_EXIT_PANIC, GUEST_PANICKED,
			     "the guest's kernel panicked" },
	[SHUTDOWN_TRIPLE_FAULT] = { VMPROC_EXIT_TRIPLE_FAULT, GUEST_CRASHED,
				    "the guest crashed: triple fault" },
	[SHUTDOWN_FAILED] = { VMPROC_EXIT_MACHINE, GUEST_EVENTS, NULL },
};

static _Noreturn void end_process(struct machine *machine, enum shutdown reason)
{
	union msg message = { .event.event = shutdowns[reason].event };
	const char *text = shutdowns[reason].text;

	flush_output(machine);
	if (shutdowns[reason].event != GUEST_EVENTS)
		vmproc_send(machine->vm, MSG_EVENT, &message);
	if (reason == SHUTDOWN_POWEROFF || reason == SHUTDOWN_REBOOT) {
		log_info("%s", text);
		_exit(shutdowns[reason].status);
	}
	vmproc_end(shutdowns[reason].status, "%s", text ? text : machine->why);
}

/* ---- sources */

/* Writes output, and watches for input if the FIFO has room, and for room for
 * output if some is left. */
static void serve_console(struct machine *machine)
{
	uint32_t events = flush_output(machine) ? 0 : EPOLLOUT;

	if (uart_room(&machine->board.uart) > 0)
		events |= EPOLLIN;
	watch_console(machine, events);
}

static void on_wake(struct source *source, uint32_t events)
{
	struct machine *machine = source->ctx;
	enum shutdown reason;
	uint64_t count;

	(void)events;
	if (read(source->fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		vmproc_end(VMPROC_EXIT_OS, "wake-up: %s", error_name(errno));
	/* LOADED comes before the messages about what the guest has done
	 * since */
	if (machine->vm->state == VMPROC_LOADING &&
	    atomic_load(&machine->loaded))
		vmproc_loaded(machine->vm);
	reason = (enum shutdown)atomic_load(&machine->shutdown);
	if (reason != SHUTDOWN_NONE)
		end_process(machine, reason);
	serve_console(machine);
}

static void on_console(struct source *source, uint32_t events)
{
	struct machine *machine = source->ctx;
	uint8_t typed[UART_FIFO];
	size_t room = uart_room(&machine->board.uart);
	ssize_t bytes;

	if (events & EPOLLIN && room > 0) {
		bytes = read(source->fd, typed, room);
		if (bytes == 0 ||
		    (bytes < 0 && errno != EAGAIN && errno != EINTR)) {
			close_console(machine);
			return;
		}
		if (bytes > 0)
			uart_input(&machine->board.uart, typed, (size_t)bytes);
	} else if (events & (EPOLLHUP | EPOLLERR)) {
		close_console(machine);
		return;
	}
	serve_console(machine);
}

void console_init(struct machine *machine)
{
	struct loop *loop = &machine->vm->loop;
	int fd = vmproc_fd(machine->vm, FD_ROLE_CONSOLE, 0);
	int flags, error;

	error = loop_add(loop, &machine->wake, machine->wake_fd, EPOLLIN,
			 on_wake, machine);
	if (error)
		vmproc_end(VMPROC_EXIT_OS, "event loop: %s",
			   error_name(-error));
	machine->console.fd = -1;
	if (fd < 0)
		return;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		vmproc_end(VMPROC_EXIT_OS, "console: %s", error_name(errno));
	error = loop_add(loop, &machine->console, fd, 0, on_console, machine);
	if (error)
		vmproc_end(VMPROC_EXIT_OS, "console: %s", error_name(-error));
	machine->console_open = true;
}

void console_start(struct machine *machine)
{
	serve_console(machine);
}
