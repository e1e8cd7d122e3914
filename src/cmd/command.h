/* command.h: the table of subcommands. A command is a file cmd_NAME.c plus a row in main.c.
 * run() gets argv after the command's name, writes results to stdout, and returns 0 or -1 with err set; main prints
 * err once and exits with err_traits(kind)->exit_code. */
#pragma once
#include "base/err.h"

struct command {
	const char *name, *summary;
	int (*run)(int argc, char **argv, struct err *err); /* argv[0] is the command's name; --help prints and returns 0 */
};
int cmd_validate(int argc, char **argv, struct err *err);
int cmd_tune(int argc, char **argv, struct err *err);
int cmd_simulate(int argc, char **argv, struct err *err);
int cmd_serve(int argc, char **argv, struct err *err);
int cmd_gateway(int argc, char **argv, struct err *err);
int cmd_generate(int argc, char **argv, struct err *err);
int cmd_pull(int argc, char **argv, struct err *err);
int cmd_push(int argc, char **argv, struct err *err);
int cmd_images(int argc, char **argv, struct err *err);
int cmd_explain(int argc, char **argv, struct err *err);
int cmd_provisioner(int argc, char **argv, struct err *err);
int cmd_controller(int argc, char **argv, struct err *err);
int cmd_estimate(int argc, char **argv, struct err *err);
int cmd_models(int argc, char **argv, struct err *err);
int cmd_bench(int argc, char **argv, struct err *err);
int cmd_crds(int argc, char **argv, struct err *err);
