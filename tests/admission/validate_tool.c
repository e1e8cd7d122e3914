/* `kaito validate` alone, for real_webhook.py: the whole program would have to be built for it otherwise. */
#include "cmd/command.h"

#include <stdio.h>

int main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	if (cmd_validate(argc, argv, &err) == 0)
		return 0;
	fprintf(stderr, "kaito: %s\n", err.message);
	return err_traits(err.kind)->exit_code;
}
