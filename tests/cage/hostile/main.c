/* SPDX-License-Identifier: ISC */
/*
 * Stands in the VM process's place and breaks the rules of the channel.
 *
 * The VM's name says which rule. Each attack knows what it must cost: what
 * vmsup status shows as the VM's last exit. Any other name behaves well. Those
 * that begin with "kvm-" are for VMs of that guest.
 *
 *	hostile --attacks     the list of attacks, each with that last exit
 */
#include "tests/cage/hostile/hostile.h"

int main(int argc, char **argv)
{
	const struct attack *attack;
	struct standin s;

	if (argc < 2)
		return 2;
	if (strcmp(argv[1], "--attacks") == 0) {
		attacks_print();
		return 0;
	}
	attack = attacks_find(argv[1]);
	standin_init(&s);
	if (attack && attack->when == AT_ONCE)
		attacks_perform(&s, attack);
	standin_introduce(&s);
	standin_equip(&s);
	exits_by_name(&s);
	if (attack)
		attacks_perform(&s, attack);
	lives_by_name(&s);
	standin_behave(&s);
}
