/* fields_node_class.c: KaitoNodeClass: how machines are made for the claims that name it. Everything may be left out. The fields are the
 * rows of catalog/class_field.c, which the cloud reads too; they are turned into rows of a shape before main() runs, and are immutable then. */
#include "catalog/class_field.h"
#include "crd/schema.h"

#include <assert.h>

enum { FIELDS_MAX = 48 };
static struct crd_field spec_fields[FIELDS_MAX + 1];

static struct crd_field of_class_field(const struct class_field *c)
{
	static const enum crd_type TYPES[] = {
		[CLASS_TEXT] = CRD_STRING, [CLASS_TEXTS] = CRD_STRING, [CLASS_INTEGER] = CRD_INTEGER,
		[CLASS_BOOLEAN] = CRD_BOOLEAN, [CLASS_DECIMAL] = CRD_STRING, [CLASS_MAP] = CRD_MAP,
	};
	bool integer = c->type == CLASS_INTEGER;
	return (struct crd_field){c->name, TYPES[c->type], c->help, .choices = c->choices, .pattern = c->pattern, .format = integer ? "int32" : NULL,
		.has_minimum = integer, .minimum = c->min, .maximum = c->max, .max_length = c->max_length, .max_items = c->max_items, .list = c->type == CLASS_TEXTS};
}

__attribute__((constructor)) static void fill(void)
{
	size_t n = 0;
	for (size_t i = 0; i < CLASS_FIELD_COUNT; i++)
		if (CLASS_FIELDS[i].kinds & CLASS_KAITO) {
			assert(n < FIELDS_MAX);
			spec_fields[n++] = of_class_field(&CLASS_FIELDS[i]);
		}
}

static const struct crd_shape SHAPE_SPEC = {spec_fields};
static const struct crd_field STATUS_FIELDS[] = {
	{"conditions", CRD_OBJECT, "What holds and what does not, with reasons.", &SHAPE_CONDITION, .list = true},
	{0},
};
static const struct crd_shape SHAPE_STATUS = {STATUS_FIELDS};
static const struct crd_field CLASS_ROWS[] = {
	{"spec", CRD_OBJECT, "How machines are made.", &SHAPE_SPEC},
	{"status", CRD_OBJECT, "Written by the node provisioner.", &SHAPE_STATUS},
	{0},
};
const struct crd_shape SHAPE_NODE_CLASS = {CLASS_ROWS};
