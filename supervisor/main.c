/* SPDX-License-Identifier: ISC */
/* The program vmsup: the command line, which becomes the supervisor when told
 * to start one. */
#include "supervisor/cli/cli.h"

int main(int argc, char **argv)
{
	return cli_main(argc, argv);
}
