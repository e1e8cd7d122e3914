/* cmd_crds.c: `kaito crds`: the definitions of our kinds as YAML, to apply without the chart. */
#include "cmd/command.h"
#include "cmd/flags.h"

#include "base/str.h"
#include "crd/reference.h"
#include <stdio.h>
#include <strings.h>

static int print_kind(size_t i, struct err *err)
{
	CLEANUP(buf_done) struct buf text = {0};
	crd_manifest_text(i, &text);
	printf("---\n%s", text.data);
	return fflush(stdout) == 0 ? 0 : err_set(err, ERR_IO, "cannot write the definition of %s", crd_kind(i));
}

int cmd_crds(int argc, char **argv, struct err *err)
{
	const char *kind = NULL, *kinds[CRD_COUNT + 1] = {0};
	size_t n = 0, printed = 0;
	int rc = flags_parse("crds [KIND]", NULL, 0, argc, argv, &kind, 1, &n, err);
	if (rc != 0)
		return rc > 0 ? 0 : -1;
	for (size_t i = 0; i < CRD_COUNT; i++) {
		kinds[i] = crd_kind(i);
		if (n && strcasecmp(kind, crd_kind(i)) != 0)
			continue;
		if (print_kind(i, err) < 0)
			return -1;
		printed++;
	}
	if (printed)
		return 0;
	const char *near = str_nearest(str_of(kind), kinds);
	return err_set(err, ERR_USAGE, "unknown kind '%s'%s%s%s", kind, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}
