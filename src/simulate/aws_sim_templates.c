/* aws_sim_templates.c: launch templates: name, tags and the form that made them; one version each. What they say is judged when a machine is
 * made of them, as in EC2. */
#include "simulate/aws_sim.h"

#include "base/clock.h"
#include "codec/digest.h"
#include <stdio.h>

void aws_sim_templates_free(void *template)
{
	struct aws_sim_template *t = template;
	json_decref(t->tags);
	aws_sim_form_done(&t->form);
	free(t);
}

/* [a-zA-Z0-9().\-/_]{3,128} */
static bool name_ok(const char *name)
{
	size_t n = name ? strlen(name) : 0;
	return n >= 3 && n <= 128 && strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789().-/_") == n;
}

static struct aws_sim_template *by_id(struct simulator *s, const char *id)
{
	struct map_entry e;
	for (size_t i = 0; map_next(&s->aws->templates, &i, &e);)
		if (strcmp(((struct aws_sim_template *)e.value)->id, id) == 0)
			return e.value;
	return NULL;
}

static struct aws_sim_template *named(struct simulator *s, struct aws_sim_call *c, const char *name, const char *id)
{
	struct aws_sim_template *t = name ? map_get(&s->aws->templates, str_of(name)) : id ? by_id(s, id) : NULL;
	if (!t && name)
		sim_errors_set(&c->f, 400, "InvalidLaunchTemplateName.NotFoundException", "At least one of the launch templates specified in the request does not exist.");
	else if (!t)
		sim_errors_set(&c->f, 400, id ? "InvalidLaunchTemplateId.NotFound" : "MissingParameter", "The launch template '%.40s' does not exist.", id ? id : "");
	return t;
}

const struct aws_sim_template *aws_sim_templates_of(struct simulator *s, struct aws_sim_call *c, const char *prefix)
{
	const char *version = aws_sim_form_get(c->form, "%s.Version", prefix);
	const struct aws_sim_template *t = named(s, c, aws_sim_form_get(c->form, "%s.LaunchTemplateName", prefix), aws_sim_form_get(c->form, "%s.LaunchTemplateId", prefix));
	if (!t || !version || strcmp(version, "1") == 0 || strcmp(version, "$Latest") == 0 || strcmp(version, "$Default") == 0)
		return t;
	sim_errors_set(&c->f, 400, "InvalidLaunchTemplateId.VersionNotFound", "Could not find launch template version %.20s", version);
	return NULL;
}

static void put_template(struct aws_sim_call *c, const struct aws_sim_template *t)
{
	aws_sim_answer_put(&c->xml, "launchTemplateId", t->id);
	aws_sim_answer_put(&c->xml, "launchTemplateName", t->name);
	aws_sim_answer_put_time(&c->xml, "createTime", t->created_s);
	aws_sim_answer_put(&c->xml, "defaultVersionNumber", "1");
	aws_sim_answer_put(&c->xml, "latestVersionNumber", "1");
	aws_sim_answer_put_tags(&c->xml, t->tags);
}

static bool may_create(struct simulator *s, struct aws_sim_call *c, const char *name)
{
	if (!name_ok(name))
		sim_errors_set(&c->f, 400, "InvalidLaunchTemplateName.MalformedException", "The launch template name '%.60s' is not valid.", name ? name : "");
	else if (map_get(&s->aws->templates, str_of(name)))
		sim_errors_set(&c->f, 400, "InvalidLaunchTemplateName.AlreadyExistsException", "Launch template name already in use.");
	else if (s->aws->templates.count >= LIMIT_SIMULATOR_TEMPLATES)
		sim_errors_set(&c->f, 400, "LaunchTemplateLimitExceeded", "You have reached the maximum number of launch templates (%d).", LIMIT_SIMULATOR_TEMPLATES);
	else
		return true;
	return false;
}

void aws_sim_templates_create(struct simulator *s, struct aws_sim_call *c)
{
	const char *name = aws_sim_form_get(c->form, "LaunchTemplateName");
	char digest[DIGEST_TEXT];
	if (!may_create(s, c, name))
		return;
	struct aws_sim_template *t = mem_alloc(sizeof *t);
	struct err ignored = ERR_INIT;
	(void)!aws_sim_form_read(&t->form, http_body(c->q->x), &ignored); /* it was read once already */
	digest_of(name, strlen(name), digest);
	snprintf(t->id, sizeof t->id, "lt-%.17s", digest_hex(digest));
	snprintf(t->name, sizeof t->name, "%s", name);
	t->created_s = sim_timers_wall_s(s);
	t->tags = json_object();
	aws_sim_form_tags(c->form, "TagSpecification.1.Tag", t->tags);
	map_put(&s->aws->templates, str_of(t->name), t);
	buf_puts(&c->xml, "<launchTemplate>");
	put_template(c, t);
	buf_puts(&c->xml, "</launchTemplate>");
}

static bool asked_for(struct aws_sim_call *c, const struct aws_sim_template *t)
{
	const char *want;
	int n = 1;
	for (; (want = aws_sim_form_get(c->form, "LaunchTemplateName.%d", n)); n++)
		if (strcmp(want, t->name) == 0)
			return true;
	return n == 1;
}

void aws_sim_templates_describe(struct simulator *s, struct aws_sim_call *c)
{
	struct map_entry e;
	buf_puts(&c->xml, "<launchTemplates>");
	for (size_t i = 0; map_next(&s->aws->templates, &i, &e);) {
		const struct aws_sim_template *t = e.value;
		CLEANUP(json_decrefp) json_t *fields = json_pack("{s:s, s:s}", "launch-template-name", t->name, "launch-template-id", t->id);
		if (!asked_for(c, t) || !aws_sim_filter_passes(c->form, t->tags, fields, &c->f))
			continue;
		buf_puts(&c->xml, "<item>");
		put_template(c, t);
		buf_puts(&c->xml, "</item>");
	}
	buf_puts(&c->xml, "</launchTemplates>");
}

void aws_sim_templates_delete(struct simulator *s, struct aws_sim_call *c)
{
	const struct aws_sim_template *t = named(s, c, aws_sim_form_get(c->form, "LaunchTemplateName"), aws_sim_form_get(c->form, "LaunchTemplateId"));
	if (!t)
		return;
	buf_puts(&c->xml, "<launchTemplate>");
	put_template(c, t);
	buf_puts(&c->xml, "</launchTemplate>");
	map_remove(&s->aws->templates, str_of(t->name));
}
