/* aws.h: claims fulfilled by EC2 instances of an EKS cluster, one instance per claim. */
#pragma once
#include "aws/aws_settings.h"
#include "cloud/cloud.h"
#include "kube/client.h"
#include <stdatomic.h>

struct aws_options {
	const struct aws_settings *settings;  /* borrowed, as all here */
	struct kube_client *kube;             /* EC2NodeClasses and the cluster's version are read through it; NULL: there are none */
	const char *user_agent;
	struct cloud_hooks hooks;
	bool offline;                         /* explain only: no credentials, no requests, no threads */
	int64_t list_ms;                      /* least time between lists of instances; 0: 1 s */
	int64_t settle_ms;                    /* how long EC2 may not show what it just made; 0: 15 s */
	const atomic_bool *cancel;
};
struct cloud *aws_new(const struct aws_options *o);
