/* SPDX-License-Identifier: ISC */
/*
 * The lines of the sweep, in order, and which generation does which: first
 * every number there may be, then the calls that have arguments of their own,
 * then those that do one thing or another by a number.
 */
#include "tests/cage/sweep/sweep.h"

/* At how many of its cases a line begins. After READY the first that is refused
 * ends it, so that few are done each time. */
enum {
	VISITS_ANY = 4, /* whole: every number */
	VISITS_OWN = 32, /* whole: calls with arguments of their own */
	VISITS_LATE = 6, /* a sample of these, after READY */
};

static size_t lines(void)
{
	return LAST_NUMBER + 1 + calls_own_count + requests_count();
}

static void line_at(struct line *line, size_t i)
{
	*line = (struct line){
		.number = (long)i,
		.patterns = calls_any,
		.count = calls_any_count,
	};
	if (i <= LAST_NUMBER)
		return;
	i -= LAST_NUMBER + 1;
	line->count = 1;
	if (i < calls_own_count) {
		line->patterns = &calls_own[i];
		return;
	}
	requests_line(line, i - calls_own_count);
}

static size_t visits(const struct plan *plan, size_t i, const struct line *line)
{
	bool few = i <= LAST_NUMBER || line->many;
	size_t most = plan->whole  ? (few ? VISITS_ANY : VISITS_OWN)
		      : plan->late ? (few ? 1 : VISITS_LATE)
				   : 1;
	size_t cases = values_cases(line);

	return cases < most ? cases : most;
}

/* "[kvm-]early-SEED[-whole]" */
bool plan_parse(struct plan *plan, const char *name)
{
	char *end;

	if (strncmp(name, "kvm-", 4) == 0)
		name += 4;
	plan->late = strncmp(name, "late-", 5) == 0;
	if (!plan->late && strncmp(name, "early-", 6) != 0)
		return false;
	name = strchr(name, '-') + 1;
	plan->seed = (unsigned int)strtoul(name, &end, 10);
	plan->whole = strcmp(end, "-whole") == 0;
	return end != name && (plan->whole || *end == '\0');
}

size_t plan_length(const struct plan *plan)
{
	size_t length = 0;

	for (size_t i = 0; i < lines(); i++) {
		struct line line;

		line_at(&line, i);
		length += visits(plan, i, &line);
	}
	return length;
}

/* Where this visit of the line begins. */
static size_t offset(const struct plan *plan, size_t i, size_t visit,
		     size_t cases, size_t of)
{
	size_t mixed = (plan->seed * 2654435761U) ^ (i * 40503U);

	return (mixed + visit * cases / of) % cases;
}

void plan_run(const struct plan *plan, size_t index)
{
	struct line line;
	size_t i = 0, of, cases, first;

	for (;; i++) {
		line_at(&line, i);
		of = visits(plan, i, &line);
		if (index < of)
			break;
		index -= of;
	}
	cases = values_cases(&line);
	first = offset(plan, i, index, cases, of);
	for (size_t k = 0; k < cases; k++)
		values_try(&line, (first + k) % cases);
}
