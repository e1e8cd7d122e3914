/* fields_inference_set.c: InferenceSet, a number of equal inference Workspaces. */
#include "crd/schema.h"

static const struct crd_rule RULES_WINDOW[] = {
	/* Five fields (or a descriptor such as @daily), a time zone before them; what the fields may hold is the webhook's to check. */
	{"self.schedule.matches('^ *((CRON_)?TZ=[^ ]+ +)?(@(yearly|annually|monthly|weekly|daily|midnight|hourly)|[^ @]+( +[^ ]+){4}) *$')",
	 "invalid cron expression", "'invalid cron expression: ' + self.schedule", ".schedule"},
	{"!has(self.duration) || (self.duration.matches('^[+-]?([0-9]+([.][0-9]*)?(ns|us|ms|s|m|h))+$') && duration(self.duration) > duration('0s'))",
	 "must be a positive duration", .at = ".duration"},
	{0},
};
static const struct crd_field WINDOW_FIELDS[] = {
	{"duration", CRD_STRING, "How long the window stays open.", .fallback = "\"4h\"", .max_length = 64},
	{"schedule", CRD_STRING, "When the window opens: five cron fields, in UTC.", .required = true, .max_length = 256},
	{0},
};
static const struct crd_shape SHAPE_WINDOW = {WINDOW_FIELDS, RULES_WINDOW};
static const struct crd_field AUTO_UPGRADE_FIELDS[] = {
	{"enabled", CRD_BOOLEAN, "Whether replicas follow new base images.", .fallback = "false"},
	{"maintenanceWindow", CRD_OBJECT, "When upgrades may happen; without it always.", &SHAPE_WINDOW},
	{"strategy", CRD_STRING, "InPlace replaces a replica, Surge adds one first.", .fallback = "\"InPlace\"", .choices = "InPlace Surge"},
	{0},
};
static const struct crd_shape SHAPE_AUTO_UPGRADE = {AUTO_UPGRADE_FIELDS};

static const struct crd_field RESOURCE_FIELDS[] = {
	{"instanceType", CRD_STRING, "Machine type of the nodes to make; empty with own nodes.", .max_length = 256},
	{"partition", CRD_OBJECT, "A part of a GPU, on own nodes.", &SHAPE_PARTITION, .rules = RULES_PARTITION, .versions = CRD_V1BETA1},
	{0},
};
static const struct crd_shape SHAPE_RESOURCE = {RESOURCE_FIELDS};
#define HAS_PARTITION(object) "(has(" object ".resource) && has(" object ".resource.partition))"
static const struct crd_rule RULES_TEMPLATE[] = {
	{HAS_PARTITION("self") " == " HAS_PARTITION("oldSelf") " && (!" HAS_PARTITION("self") " || self.resource.partition == oldSelf.resource.partition)", "field is immutable", .at = ".resource", .reason = CRD_FORBIDDEN, .versions = CRD_V1BETA1},
	{0},
};
static const struct crd_field TEMPLATE_FIELDS[] = {
	{"inference", CRD_OBJECT, "What each Workspace serves.", &SHAPE_INFERENCE, .required = true},
	{"metadata", CRD_OPEN, "Labels and annotations that each Workspace gets."},
	{"resource", CRD_OBJECT, "The machines of each Workspace.", &SHAPE_RESOURCE},
	{0},
};
static const struct crd_shape SHAPE_TEMPLATE = {TEMPLATE_FIELDS, RULES_TEMPLATE};

static const struct crd_field SPEC_FIELDS[] = {
	{"autoUpgrade", CRD_OBJECT, "Following new base images.", &SHAPE_AUTO_UPGRADE},
	{"labelSelector", CRD_OBJECT, "Labels of the nodes of every Workspace.", &SHAPE_SELECTOR, .required = true, .rules = RULES_SELECTOR},
	{"nodeCountLimit", CRD_INTEGER, "Most nodes that an autoscaler may reach."},
	{"replicas", CRD_INTEGER, "Number of Workspaces.", .fallback = "1", .has_minimum = true, .format = "int32"},
	{"template", CRD_OBJECT, "What every Workspace is made from.", &SHAPE_TEMPLATE, .required = true},
	{"updateStrategy", CRD_OPEN, "Stored and not used, as a StatefulSet's.", .fallback = "{\"rollingUpdate\": {\"maxUnavailable\": 1}, \"type\": \"RollingUpdate\"}"},
	{0},
};
static const struct crd_shape SHAPE_SPEC = {SPEC_FIELDS};

static const struct crd_field UPGRADE_STATUS_FIELDS[] = {
	{"lastSuccessfulUpgradeTime", CRD_STRING, "When the last upgrade ended well.", .format = "date-time"},
	{"numDriftedWorkspaces", CRD_INTEGER, "Workspaces on an older base image."},
	{0},
};
static const struct crd_shape SHAPE_UPGRADE_STATUS = {UPGRADE_STATUS_FIELDS};
static const struct crd_field STATUS_FIELDS[] = {
	{"autoUpgrade", CRD_OBJECT, "State of upgrades.", &SHAPE_UPGRADE_STATUS},
	{"conditions", CRD_OBJECT, "What holds and what does not, with reasons.", &SHAPE_CONDITION, .list = true},
	{"performance", CRD_OBJECT, "Figures over all Workspaces.", &SHAPE_PERFORMANCE_ALPHA, .versions = CRD_V1ALPHA1},
	{"performance", CRD_OBJECT, "Figures over all Workspaces.", &SHAPE_PERFORMANCE, .versions = CRD_V1BETA1},
	{"readyReplicas", CRD_INTEGER, "Workspaces that are ready."},
	{"replicas", CRD_INTEGER, "Workspaces that exist."},
	{"selector", CRD_STRING, "Label selector of the Workspaces, for the scale subresource."},
	{0},
};
static const struct crd_shape SHAPE_STATUS = {STATUS_FIELDS};
static const struct crd_field SET_FIELDS[] = {
	{"spec", CRD_OBJECT, "What is wanted.", &SHAPE_SPEC, .required = true},
	{"status", CRD_OBJECT, "Written by the controller.", &SHAPE_STATUS},
	{0},
};
const struct crd_shape SHAPE_INFERENCE_SET = {SET_FIELDS, RULES_NAME};
