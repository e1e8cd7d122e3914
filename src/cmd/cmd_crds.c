/* cmd_crds.c: `kaito crds`: the definitions of our kinds as YAML, to apply without the charts. */
#include "cmd/command.h"
#include "cmd/flags.h"

#include "base/str.h"
#include "crd/reference.h"
#include <stdio.h>
#include <strings.h>

static const struct set { /* the controller's kinds, and with --provisioner the node provisioner's */
	size_t n;
	const char *(*kind)(size_t i);
	void (*text)(size_t i, struct buf *out);
} SETS[] = {
	{CRD_COUNT, crd_kind, crd_manifest_text},
	{CRD_PROVISIONER_COUNT, crd_provisioner_kind, crd_provisioner_manifest_text},
};

static int print_kind(const struct set *s, size_t i, struct err *err)
{
	CLEANUP(buf_done) struct buf text = {0};
	s->text(i, &text);
	printf("---\n%s", text.data);
	return fflush(stdout) == 0 ? 0 : err_set(err, ERR_IO, "cannot write the definition of %s", s->kind(i));
}

int cmd_crds(int argc, char **argv, struct err *err)
{
	const char *kind = NULL, *kinds[CRD_COUNT + CRD_PROVISIONER_COUNT + 1] = {0};
	size_t n = 0, printed = 0;
	bool provisioner = false;
	const struct flag flags[] = {
		{"provisioner", NULL, FLAG_BOOL, &provisioner, "The kinds of the node provisioner: Karpenter's NodeClaim and NodePool, Machine, KaitoNodeClass."},
	};
	int rc = flags_parse("crds [--provisioner] [KIND]", flags, 1, argc, argv, &kind, 1, &n, err);
	if (rc != 0)
		return rc > 0 ? 0 : -1;
	const struct set *s = &SETS[provisioner];
	for (size_t i = 0; i < s->n; i++) {
		kinds[i] = s->kind(i);
		if (n && strcasecmp(kind, kinds[i]) != 0)
			continue;
		if (print_kind(s, i, err) < 0)
			return -1;
		printed++;
	}
	if (printed)
		return 0;
	const char *near = str_nearest(str_of(kind), kinds);
	return err_set(err, ERR_USAGE, "unknown kind '%s'%s%s%s", kind, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}
