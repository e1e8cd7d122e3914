/* names.h: labels, annotations, finalizers, ports and paths that manifests and dashboards rely on. */
#pragma once
#define LABEL_WORKSPACE "kaito.sh/workspace"
#define LABEL_WORKSPACE_NAMESPACE "kaito.sh/workspacenamespace"
#define LABEL_CREATED_BY_SET "inferenceset.kaito.sh/created-by"
#define LABEL_CREATED_BY_ROLES "multiroleinference.kaito.sh/created-by"
#define LABEL_ROLE "kaito.sh/inference-role"
#define LABEL_REVISION_OWNER "workspace.kaito.io/name"
#define LABEL_UPGRADE_TO "kaito.sh/upgrade-to-version"
#define ANNOTATION_HASH "workspace.kaito.io/hash"
#define ANNOTATION_REVISION "workspace.kaito.io/revision"
#define ANNOTATION_UPGRADE_START "kaito.sh/upgrade-start-time"
#define ANNOTATION_ENABLE_LB "kaito.sh/enablelb"
#define ANNOTATION_RUNTIME "kaito.sh/runtime"
#define ANNOTATION_BYPASS_CHECKS "kaito.sh/bypass-resource-checks"
#define ANNOTATION_IMAGE_FAMILY "kaito.sh/node-image-family"
#define ANNOTATION_NODE_CLASS "kaito.sh/node-class-name"
#define ANNOTATION_NO_BENCHMARK "kaito.sh/disable-benchmark"
#define ANNOTATION_PERFORMANCE "kaito.sh/performance-mode"
#define ANNOTATION_LOCAL_WEIGHTS "kaito.sh/use-local-weights"
#define ANNOTATION_STREAMING "kaito.sh/model-streaming"
#define ANNOTATION_NODE_COUNT "kaito.sh/node-count" /* ours: so many nodes, whatever the estimate says */
#define ANNOTATION_CONFIG_HASH "kaito.sh/config-hash" /* ours: on workload pods, so that a changed ConfigMap rolls them */
#define FINALIZER_WORKSPACE "workspace.finalizer.kaito.sh"
#define FINALIZER_SET "inferenceset.finalizer.kaito.sh"
#define FINALIZER_ROLES "multiroleinference.kaito.sh/finalizer"
#define FINALIZER_MIRROR "kaito.sh/model-mirror-cleanup"
#define PORT_SERVE 5000
#define PORT_DECODE 5001
#define PORT_KV_EVENTS 5557
#define PORT_RAY 6379
#define PORT_RAY_DASHBOARD 8265
#define STORAGE_CLASS_NVME "kaito-local-nvme-disk"
