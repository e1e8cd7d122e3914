/* openapi.c: the routes and body tables as an OpenAPI 3.1 document and as the reference page docs/api.md. */
#include "serve/routes.h"


static json_t *body_json(const struct endpoint *e)
{
	return json_pack("{s:b,s:{s:{s:o}}}", "required", 1, "content", "application/json", "schema", body_schema(e->body));
}

/* "{model...}" is our way to say that a name may hold slashes. */
static void put_path(struct buf *out, const char *path)
{
	for (; *path; path++)
		if (*path != '.' || !strchr(path, '}'))
			buf_putc(out, *path);
}

static json_t *parameters(const char *path)
{
	const char *open = strchr(path, '{');
	if (!open)
		return json_array();
	size_t len = strcspn(open + 1, ".}");
	return json_pack("[{s:s%,s:s,s:b,s:{s:s}}]", "name", open + 1, len, "in", "path", "required", 1, "schema", "type", "string");
}

static json_t *operation(const struct http_route *r)
{
	const struct endpoint *e = r->detail;
	json_t *content = json_pack("{s:{}}", e->streams ? "text/event-stream" : "application/json");
	if (e->streams)
		json_object_set_new(content, "application/json", json_object());
	json_t *op = json_pack("{s:[s],s:s,s:{s:{s:s,s:o},s:{s:s}}}", "tags", e->group, "summary", e->summary, "responses",
			       "200", "description", e->answer, "content", content, "default", "description", "{\"error\":{\"message\",\"type\",\"param\",\"code\"}}");
	json_t *params = parameters(r->path);
	if (json_array_size(params) > 0)
		json_object_set(op, "parameters", params);
	json_decref(params);
	if (e->body)
		json_object_set_new(op, "requestBody", body_json(e));
	if (!(r->flags & HTTP_PUBLIC))
		json_object_set_new(op, "security", json_pack("[{},{s:[]}]", "bearer"));
	return op;
}

json_t *serve_openapi(const char *version)
{
	size_t n;
	const struct http_route *routes = routes_table(&n);
	json_t *paths = json_object();
	for (size_t i = 0; i < n; i++) {
		CLEANUP(buf_done) struct buf path = {0};
		put_path(&path, routes[i].path);
		json_object_set_new(paths, path.data, json_pack("{s:o}", strcmp(routes[i].method, "GET") == 0 ? "get" : "post", operation(&routes[i])));
	}
	return json_pack("{s:s,s:{s:s,s:s},s:o,s:{s:{s:{s:s,s:s}}}}", "openapi", "3.1.0", "info", "title", "kaito serve", "version", version,
			 "paths", paths, "components", "securitySchemes", "bearer", "type", "http", "scheme", "bearer");
}

/* --- docs/api.md --------------------------------------------------------------------------------------------------------- */

static void put_cell(struct buf *out, const char *text)
{
	for (const char *p = text; *p; p++)
		buf_printf(out, *p == '|' ? "\\%c" : "%c", *p);
}

static void put_table(struct buf *out, const struct body_table *t)
{
	buf_printf(out, "\n### %s\n\n| member | type | default | range | |\n| --- | --- | --- | --- | --- |\n", t->title);
	for (size_t i = 0; i < t->n; i++) {
		const struct body_field *f = &t->rows[i];
		buf_printf(out, "| `%s` | %s | %s | ", f->name, body_kind_name(f->kind), f->required ? "required" : f->initial ? f->initial : "");
		if (f->min < f->max)
			buf_printf(out, "%g to %g", f->min, f->max);
		buf_puts(out, " | ");
		put_cell(out, f->help);
		buf_puts(out, " |\n");
	}
}

/* Each body table once, in the order of the routes that use it. */
static void put_bodies(struct buf *out, const struct http_route *routes, size_t n)
{
	const struct body_table *seen[64];
	size_t n_seen = 0;
	for (size_t i = 0; i < n; i++) {
		const struct endpoint *e = routes[i].detail;
		for (const struct body_table *const *t = e->body; t && *t; t++) {
			size_t k = 0;
			while (k < n_seen && seen[k] != *t)
				k++;
			if (k < n_seen || n_seen == 64)
				continue;
			seen[n_seen++] = *t;
			put_table(out, *t);
		}
	}
}

void serve_write_api_page(struct buf *out)
{
	size_t n;
	const struct http_route *routes = routes_table(&n);
	buf_puts(out, "# HTTP API of `kaito serve`\n\nGenerated from the tables in `src/serve/`; `/openapi.json` says the same for machines.\n"
		 "Unknown members are ignored; null counts as absent. Errors are `{\"error\":{\"message\",\"type\",\"param\",\"code\"}}`.\n\n"
		 "| route | | answer | body | stream | 429 when full | key |\n| --- | --- | --- | --- | --- | --- | --- |\n");
	for (size_t i = 0; i < n; i++) {
		const struct endpoint *e = routes[i].detail;
		CLEANUP(buf_done) struct buf path = {0};
		put_path(&path, routes[i].path);
		buf_printf(out, "| `%s %s` | ", routes[i].method, path.data);
		put_cell(out, e->summary);
		buf_printf(out, " | `%s` | ", e->answer);
		for (const struct body_table *const *t = e->body; t && *t; t++)
			buf_printf(out, "%s%s", t == e->body ? "" : ", ", (*t)->title);
		buf_printf(out, " | %s | %s | %s |\n", e->streams ? "yes" : "", e->limited ? "yes" : "", routes[i].flags & HTTP_PUBLIC ? "" : "yes");
	}
	buf_puts(out, "\n## Request bodies\n");
	put_bodies(out, routes, n);
}
