/* main.c: picks the subcommand from the table, reports its error once, exits with the documented code. */
#include "cmd/command.h"

#include "base/str.h"
#include <stdio.h>
#include <string.h>

static int cmd_version(int argc, char **argv, struct err *err)
{
	(void)argc, (void)argv, (void)err;
	puts("kaito " KAITO_VERSION);
	return 0;
}

/* To add a command: cmd_NAME.c with cmd_NAME(), its declaration in command.h, a row here (sorted). */
static const struct command COMMANDS[] = {
	{"bench", "measure this build on this machine, beside the physical limits", cmd_bench},
	{"controller", "run the operator: Workspaces and InferenceSets into nodes and workloads", cmd_controller},
	{"crds", "the definitions of the kinds as YAML, to apply without the chart", cmd_crds},
	{"estimate", "how many machines a model takes and how their memory is divided", cmd_estimate},
	{"explain", "the request that would fulfil a NodeClaim, and why that one", cmd_explain},
	{"gateway", "answer POST /chat in front of another OpenAI server", cmd_gateway},
	{"generate", "continue a text or answer one message", cmd_generate},
	{"images", "list and remove what the local image store has", cmd_images},
	{"models", "the catalogue of models, or all about one", cmd_models},
	{"provisioner", "run the node provisioner: NodeClaims into machines", cmd_provisioner},
	{"pull", "fetch an image, a model hub repository or a URL into a folder", cmd_pull},
	{"push", "publish an adapter or a model as an image", cmd_push},
	{"serve", "answer requests over HTTP: OpenAI API, /chat, chat page", cmd_serve},
	{"simulate", "a cloud in memory to try the node provisioner with: Azure or AWS over HTTP", cmd_simulate},
	{"tune", "fine-tune a model with LoRA or QLoRA", cmd_tune},
	{"validate", "what admission would answer to manifests, and what they would create", cmd_validate},
	{"version", "print the version", cmd_version},
};
enum { COMMAND_COUNT = sizeof COMMANDS / sizeof COMMANDS[0] };

static void print_help(void)
{
	puts("kaito: fine-tune and serve language models\n\nusage: kaito <command> [flags]\n");
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		printf("  %-12s %s\n", COMMANDS[i].name, COMMANDS[i].summary);
	puts("\n'kaito <command> --help' lists its flags");
}

static int run(int argc, char **argv, struct err *err)
{
	const char *names[COMMAND_COUNT + 1] = {0};
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		if (strcmp(argv[1], COMMANDS[i].name) == 0)
			return COMMANDS[i].run(argc - 1, argv + 1, err);
		names[i] = COMMANDS[i].name;
	}
	const char *near = str_nearest(str_of(argv[1]), names);
	return err_set(err, ERR_USAGE, "unknown command '%s'%s%s%s; 'kaito --help' lists the commands", argv[1],
		       near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

int main(int argc, char **argv)
{
	if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
		print_help();
		return argc < 2 ? err_traits(ERR_USAGE)->exit_code : 0;
	}
	if (strcmp(argv[1], "--version") == 0)
		argv[1] = (char[]){"version"};
	struct err err = ERR_INIT;
	if (run(argc, argv, &err) == 0)
		return 0;
	fprintf(stderr, "kaito: %s\n", err.message);
	return err_traits(err.kind)->exit_code;
}
