/* user_data.h: what a machine is told when it starts, so that its kubelet joins the cluster: nodeadm's NodeConfig for Amazon Linux 2023,
 * TOML for Bottlerocket, or whatever the node class says for others. */
#pragma once
#include "aws/aws_settings.h"
#include "base/buf.h"
#include "cloud/claim_view.h"

enum image_family { IMAGE_AL2023, IMAGE_BOTTLEROCKET, IMAGE_CUSTOM, IMAGE_FAMILIES };
extern const char *const USER_DATA_FAMILIES[IMAGE_FAMILIES]; /* as EC2NodeClass spells them */
/* *out: base64 text, the caller frees; "" none. custom: the class's userData, or NULL. ERR_INVALID when it cannot be put together, or is longer
 * than EC2 takes. */
WARN_UNUSED int user_data_make(enum image_family family, const struct aws_settings *s, const struct claim_view *claim, const char *custom, char **out, struct err *err);
/* The plain text of it, for explain and tests. */
WARN_UNUSED int user_data_text(enum image_family family, const struct aws_settings *s, const struct claim_view *claim, const char *custom, struct buf *out, struct err *err);
