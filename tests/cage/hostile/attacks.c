/* SPDX-License-Identifier: ISC */
/*
 * The list of attacks that cost their process its life: the parts of all files,
 * in the order in which a test starts them.
 */
#include "tests/cage/hostile/hostile.h"

static const struct attack_list *const lists[] = {
	&messages_attacks, &descriptors_attacks, &conduct_attacks,
	&kvm_attacks,      &exits_attacks,
};

void attacks_print(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		for (size_t j = 0; j < lists[i]->count; j++)
			printf("%s\t%s\n", lists[i]->attacks[j].name,
			       lists[i]->attacks[j].costs);
}

const struct attack *attacks_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		for (size_t j = 0; j < lists[i]->count; j++)
			if (strcmp(lists[i]->attacks[j].name, name) == 0)
				return &lists[i]->attacks[j];
	return NULL;
}

_Noreturn void attacks_perform(struct standin *s, const struct attack *attack)
{
	if (attack->when == LATE) {
		standin_close_cage(s);
		standin_ready(s);
	}
	attack->act(s);
	if (attack->when == LATE)
		standin_serve(s);
	conduct_silence(s);
}
