/* fake_azure.h: a server on this machine that gives the answers a test has prepared and remembers what it was asked: ARM, the authority and
 * metadata services at once. Started inside a test; one at a time. */
#pragma once
#include "base/buf.h"
#include <stdbool.h>

struct fake_reply {
	const char *method;      /* NULL: any */
	const char *part;        /* of the path; NULL: any */
	int times;               /* 0: for ever */
	int status;
	const char *headers[8];  /* name, value, …; "%PORT%" in a value becomes the server's port */
	const char *body;        /* NULL: none */
	int delay_ms;
	bool hold;               /* answered only after fake_azure_release */
};
struct fake_request { char method[8], path[512], api_version[32], resource[256], client_id[64], q[64]; struct buf headers /* "name: value\n", lower case names */, body; };

int fake_azure_start(void);                           /* the port */
void fake_azure_stop(void);
void fake_azure_reply(const struct fake_reply *r);    /* the oldest that matches and is not used up answers; none: 404 */
void fake_azure_forget(void);                         /* replies and requests */
void fake_azure_release(void);
size_t fake_azure_count(const char *method, const char *part);
const struct fake_request *fake_azure_request(size_t n); /* in order of arrival; stays until forget */
const struct fake_request *fake_azure_last(void);
bool fake_azure_has_header(const struct fake_request *r, const char *line);
/* "key=value" of a form body, decoded; NULL: absent. Static buffer. */
const char *fake_azure_field(const struct fake_request *r, const char *key);
