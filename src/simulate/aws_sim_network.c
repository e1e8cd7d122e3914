/* aws_sim_network.c: one network: a subnet in each of three zones and one security group, tagged as Karpenter's documents tell people to tag
 * theirs; and the public parameters of Systems Manager that name images. */
#include "simulate/aws_sim.h"

#include "codec/digest.h"
#include "codec/json.h"
#include "kube/meta.h"
#include <stdio.h>

#define VPC "vpc-0a1b2c3d4e5f60718"
static const char *const SUBNETS[AWS_SIM_ZONES] = {"subnet-0aaaaaaaaaaaaaaa1", "subnet-0bbbbbbbbbbbbbbb2", "subnet-0ccccccccccccccc3"};

void aws_sim_network_zone(const struct simulator *s, int n, char out[64]) { snprintf(out, 64, "%.60s%c", s->location, 'a' + n); }
const char *aws_sim_network_subnet_id(int zone) { return SUBNETS[zone]; }

int aws_sim_network_subnet(const char *id)
{
	for (int i = 0; i < AWS_SIM_ZONES; i++)
		if (strcmp(SUBNETS[i], id) == 0)
			return i;
	return -1;
}

static json_t *tags_of(const struct simulator *s, const char *name)
{
	return json_pack("{s:s, s:s}", "Name", name, "karpenter.sh/discovery", s->cluster);
}

/* Whether the thing is among those that FIELD.N names; without any, all are. */
static bool named(const struct aws_sim_form *form, const char *field, const char *id)
{
	const char *want;
	int n = 1;
	for (; (want = aws_sim_form_get(form, "%s.%d", field, n)); n++)
		if (strcmp(want, id) == 0)
			return true;
	return n == 1;
}

static void put_subnet(struct simulator *s, struct aws_sim_call *c, int n)
{
	char zone[64], cidr[24];
	aws_sim_network_zone(s, n, zone);
	snprintf(cidr, sizeof cidr, "10.%d.0.0/16", n);
	CLEANUP(json_decrefp) json_t *tags = tags_of(s, zone);
	CLEANUP(json_decrefp) json_t *fields = json_pack("{s:s, s:s, s:s, s:s}", "subnet-id", SUBNETS[n], "availability-zone", zone, "vpc-id", VPC, "state", "available");
	if (!named(c->form, "SubnetId", SUBNETS[n]) || !aws_sim_filter_passes(c->form, tags, fields, &c->f))
		return;
	buf_puts(&c->xml, "<item>");
	aws_sim_answer_put(&c->xml, "subnetId", SUBNETS[n]);
	aws_sim_answer_put(&c->xml, "state", "available");
	aws_sim_answer_put(&c->xml, "vpcId", VPC);
	aws_sim_answer_put(&c->xml, "cidrBlock", cidr);
	aws_sim_answer_put(&c->xml, "availableIpAddressCount", "65531");
	aws_sim_answer_put(&c->xml, "availabilityZone", zone);
	aws_sim_answer_put_tags(&c->xml, tags);
	buf_puts(&c->xml, "</item>");
}

void aws_sim_network_subnets(struct simulator *s, struct aws_sim_call *c)
{
	const char *id;
	for (int n = 1; (id = aws_sim_form_get(c->form, "SubnetId.%d", n)); n++)
		if (aws_sim_network_subnet(id) < 0) {
			sim_errors_set(&c->f, 400, "InvalidSubnetID.NotFound", "The subnet ID '%.60s' does not exist", id);
			return;
		}
	buf_puts(&c->xml, "<subnetSet>");
	for (int n = 0; n < AWS_SIM_ZONES; n++)
		put_subnet(s, c, n);
	buf_puts(&c->xml, "</subnetSet>");
}

void aws_sim_network_groups(struct simulator *s, struct aws_sim_call *c)
{
	const char *id;
	for (int n = 1; (id = aws_sim_form_get(c->form, "GroupId.%d", n)); n++)
		if (strcmp(id, AWS_SIM_GROUP) != 0) {
			sim_errors_set(&c->f, 400, "InvalidGroup.NotFound", "The security group '%.60s' does not exist", id);
			return;
		}
	CLEANUP(json_decrefp) json_t *tags = tags_of(s, "nodes");
	CLEANUP(json_decrefp) json_t *fields = json_pack("{s:s, s:s, s:s}", "group-id", AWS_SIM_GROUP, "group-name", "nodes", "vpc-id", VPC);
	buf_puts(&c->xml, "<securityGroupInfo>");
	if (aws_sim_filter_passes(c->form, tags, fields, &c->f)) {
		buf_puts(&c->xml, "<item>");
		aws_sim_answer_put(&c->xml, "groupId", AWS_SIM_GROUP);
		aws_sim_answer_put(&c->xml, "groupName", "nodes");
		aws_sim_answer_put(&c->xml, "vpcId", VPC);
		aws_sim_answer_put_tags(&c->xml, tags);
		buf_puts(&c->xml, "</item>");
	}
	buf_puts(&c->xml, "</securityGroupInfo>");
}

/* Every public parameter of an image has a value, made from its name. */
void aws_sim_network_parameter(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	const char *name = json_text_at(q->body, "", "Name", NULL);
	char digest[DIGEST_TEXT], image[24];
	size_t n = strlen(name);
	(void)s;
	if (strncmp(name, "/aws/service/", 13) != 0 || n < 9 || strcmp(name + n - 9, "/image_id") != 0) {
		sim_reply_json(r, 400, json_pack("{s:s}", "__type", "ParameterNotFound"));
		return;
	}
	digest_of(name, n, digest);
	snprintf(image, sizeof image, "ami-%.17s", digest_hex(digest));
	sim_reply_json(r, 200, json_pack("{s:{s:s, s:s, s:s, s:i, s:s}}", "Parameter", "Name", name, "Type", "String", "Value", image, "Version", 1, "DataType", "text"));
}
