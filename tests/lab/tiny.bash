# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# Kernels of some bytes, for what no real one does on purpose, or takes its time
# to do. A bzImage (Linux, Documentation/arch/x86/boot.rst): a setup of one
# sector, then the code, which is entered in 64-bit mode with memory mapped to
# itself, no interrupt table and interrupts off.

# at FILE OFFSET ESCAPES: overwrites.
at() {
	printf '%b' "$3" | dd of="$1" bs=1 seek=$(($2)) conv=notrunc status=none
}

# What they do after their word.
declare -gA TINY=(
	[faults]='\x0f\x0b'                     # ud2: to a triple fault
	[astray]='\xb8\x00\x00\x00\xd0\xff\xe0' # goes on where no memory is
	[deaf]='\xfa\xf4\xeb\xfd'               # cli, and hlt for ever
	# an INIT from its LAPIC to itself (ICR, by the shorthand), and hlt
	[inits]='\xb8\x00\x03\xe0\xfe\xc7\x00\x00\x05\x04\x00\xf4\xeb\xfd'
	[spins]='\xeb\xfe'
)

# tiny_kernel FILE WHAT: it says "tiny: WHAT" on the console, and does that.
tiny_kernel() {
	local file=$1 code=${TINY[$2]} say
	say=$(printf '\\x%02x' $((12 + ${#code} / 4)))
	rm -f "$file"
	truncate -s 2048 "$file"
	at "$file" 0x1f1 '\x01'                 # setup_sects
	at "$file" 0x1f4 '\x40'                 # syssize: 1024 bytes
	at "$file" 0x1fe '\x55\xaa'             # boot_flag
	at "$file" 0x202 'HdrS\x0f\x02'         # version
	at "$file" 0x211 '\x01'                 # loadflags: LOADED_HIGH
	at "$file" 0x22c '\xff\xff\xff\x7f'     # initrd_addr_max
	at "$file" 0x236 '\x01'                 # xloadflags: XLF_KERNEL_64
	at "$file" 0x238 '\xff\x07'             # cmdline_size
	at "$file" 0x258 '\x00\x00\x10'         # pref_address: 1 MiB
	# lea rsi, word; mov dx, 0x3f8; 1: lodsb; test al, al; jz 2; out dx, al;
	# jmp 1; 2:
	at "$file" 0x600 "\x48\x8d\x35$say\x00\x00\x00\x66\xba\xf8\x03\xac\x84\xc0\x74\x03\xee\xeb\xf8${code}tiny: $2\r\n"
}
