/* ways.h: the ways to get nodes, one row of PROVISIONERS each. */
#pragma once
#include "provision/provision.h"

extern const struct provisioner GPU_PROVISIONER;       /* gpu_provisioner.c */
extern const struct provisioner KARPENTER_PROVISIONER; /* karpenter.c */
extern const struct provisioner BYO_PROVISIONER;       /* byo.c */
