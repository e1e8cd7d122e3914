/* taxonomy_page.c: docs/node-errors.md, printed from the rows of taxonomy_table.c: one section per way of handling, one line per cause. */
#include "azure/taxonomy.h"

#include <string.h>

static const char HEAD[] =
	"# Why a node does not come\n"
	"\n"
	"<!-- Printed from src/azure/taxonomy_table.c by kaito-node-errors; do not edit. -->\n"
	"\n"
	"When Azure refuses a node, or its creation fails, the reason is on the objects, with Azure's code first:\n"
	"\n"
	"```console\n"
	"$ kubectl get workspace -o wide            # which Workspace waits\n"
	"$ kubectl describe workspace NAME          # condition NodeClaimReady or ResourceReady: the first 256 characters\n"
	"$ kubectl get nodeclaim -o wide            # the claims of its nodes\n"
	"$ kubectl describe nodeclaim NAME          # condition Launched: reason and whole message; events: every try\n"
	"$ kaito explain nodeclaim NAME             # the request that would be sent next, and why\n"
	"```\n"
	"\n"
	"`Launched` is `True` once the node is there, `Unknown` while it is being made or will be tried again. The provisioner looks through every\n"
	"error that Azure nests in its answer and takes the most telling one: what it acts on is the cause, not the wrapper around it.\n"
	"Of several lines that fit, the upper one counts. \"Any\" code means that the text or the HTTP status decides.\n";

/* How each handling is told: a heading, what is done in general, and what a line of the table says. */
static const struct { enum failure_handling handling; const char *title, *about, *action; } SECTIONS[] = {
	{HANDLE_OFFERING, "No such machine at the moment",
	 "The offering (instance type, zone, spot or on demand) is left alone for a while, and the claim's next one is tried at once. When none is\n"
	 "left, the claim waits with the reason of the last try, and starts over when a time has passed.", "tries the claim's next offering"},
	{HANDLE_CREATE_ERROR, "Quota and failed nodes",
	 "The reason is shown, and the claim is tried again with long pauses. With used-up quota other instance types of the claim are tried first.",
	 "tries again with long pauses"},
	{HANDLE_TERMINAL, "The request is wrong", "Nothing is repeated until the claim is replaced or its node class changes.", "stops until the claim or node class changes"},
	{HANDLE_CONFIGURATION, "Credentials, rights and policies",
	 "These concern every claim alike: all are kept, tried again slowly, and go on by themselves when the cause is removed.", "tries again slowly"},
	{HANDLE_IN_PROGRESS, "Something else is being done", "The provisioner waits and looks again; nothing is sent twice.", "waits and looks again"},
	{HANDLE_REREAD, "The pool has changed", "The pool is read and the next step decided anew. A pool that is not this claim's is never touched.", "reads the pool and decides anew"},
	{HANDLE_THROTTLED, "Too many requests", "All claims wait as long as Azure asks. Pools are watched with one list, however many nodes are being made.", "waits as long as asked, for all claims"},
	{HANDLE_PASSING, "Trouble at Azure or on the way", "The step is repeated with growing pauses.", "repeats the step soon"},
	{HANDLE_GONE, "The pool does not exist", "For a claim that is being deleted this is the end; for a new one the beginning.", "takes the pool as gone"},
	{HANDLE_CLUSTER_GONE, "The cluster was not found",
	 "Nothing is concluded about nodes: no claim and no Node is given up because a cluster cannot be found.", "keeps every claim and waits"},
};

/* "A|B" as `A`, `B`. */
static void put_words(struct buf *out, const char *words, const char *separator)
{
	str all = str_of(words);
	for (size_t from = 0, end; from <= all.len; from = end + 1) {
		end = str_find(all, '|', from);
		buf_printf(out, "%s`%.*s`", from ? separator : "", (int)(end - from), all.data + from);
	}
}

static void put_match(struct buf *out, const struct failure_row *row)
{
	if (row->code)
		put_words(out, row->code, ", ");
	else if (row->status)
		buf_printf(out, "any, HTTP %d", row->status);
	else
		buf_puts(out, "any");
	if (row->text) {
		buf_puts(out, " with ");
		put_words(out, row->text, " or ");
	}
	if (row->seen)
		buf_printf(out, " (%s)", row->seen);
}

static void put_time(struct buf *out, int64_t seconds)
{
	bool hours = seconds % 3600 == 0;
	buf_printf(out, "%lld %s", (long long)(hours ? seconds / 3600 : seconds / 60), hours ? "h" : "min");
}

static void put_action(struct buf *out, const struct failure_row *row, const char *action)
{
	static const char *const SCOPES[] = {
		[SCOPE_NONE] = "", [SCOPE_SKU] = "the instance type", [SCOPE_FAMILY] = "the instance type's family", [SCOPE_ZONE] = "the instance type in the zone",
		[SCOPE_SPOT] = "spot nodes", [SCOPE_REGION] = "every instance type",
	};
	if (row->cooldown_s) {
		buf_printf(out, "leaves %s alone for ", SCOPES[row->scope]);
		put_time(out, row->cooldown_s);
		if (row->cooldown_spot_s != row->cooldown_s) {
			buf_puts(out, " (spot ");
			put_time(out, row->cooldown_spot_s);
			buf_puts(out, ")");
		}
		if (strcmp(row->reason, "SubscriptionQuotaReached") == 0)
			buf_puts(out, ", 1 h when the limit is 0");
		buf_puts(out, "; ");
	}
	buf_puts(out, row->insufficient ? "reports insufficient capacity" : action);
}

static void put_row(struct buf *out, const struct failure_row *row, const char *action)
{
	buf_puts(out, "| ");
	put_match(out, row);
	buf_printf(out, " | `%s` | ", row->reason);
	put_action(out, row, action);
	buf_printf(out, " | %s To do: %s. |\n", row->meaning, row->remedy);
}

void taxonomy_print_markdown(struct buf *out)
{
	buf_puts(out, HEAD);
	for (size_t s = 0; s < sizeof SECTIONS / sizeof SECTIONS[0]; s++) {
		buf_printf(out, "\n## %s\n\n%s\n\n", SECTIONS[s].title, SECTIONS[s].about);
		buf_puts(out, "| Code and text | Reason in `Launched` | What the provisioner does | What it means, what you can do |\n|---|---|---|---|\n");
		for (size_t i = 0; i < FAILURE_COUNT; i++)
			if (FAILURES[i].handling == SECTIONS[s].handling)
				put_row(out, &FAILURES[i], SECTIONS[s].action);
	}
}
