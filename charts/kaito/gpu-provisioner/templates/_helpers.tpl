{{- define "gpu-provisioner.name" -}}{{ .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}{{- end -}}
{{- define "gpu-provisioner.fullname" -}}
{{- $name := include "gpu-provisioner.name" . -}}
{{- if .Values.fullnameOverride -}}{{ .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains $name .Release.Name -}}{{ .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else -}}{{ printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}{{- end -}}
{{- end -}}
{{- define "gpu-provisioner.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}{{ .Values.serviceAccount.name | default (include "gpu-provisioner.fullname" .) }}{{ else }}{{ .Values.serviceAccount.name | default "default" }}{{ end -}}
{{- end -}}

{{- define "gpu-provisioner.selectorLabels" -}}
app.kubernetes.io/name: {{ include "gpu-provisioner.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}
{{- define "gpu-provisioner.metadata" -}}
namespace: {{ .Release.Namespace }}
{{ include "gpu-provisioner.labels" . }}
{{- end -}}
{{/* Labels and annotations that every object has. */}}
{{- define "gpu-provisioner.labels" -}}
labels:
  helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
  {{- include "gpu-provisioner.selectorLabels" . | nindent 2 }}
  app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
  app.kubernetes.io/managed-by: {{ .Release.Service }}
  {{- with .Values.additionalLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .Values.additionalAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The image that holds this program. */}}
{{- define "gpu-provisioner.image" -}}
{{- $i := .Values.controller.image -}}
{{- $given := and (ne $i.repository "") (ne $i.repository "mcr.microsoft.com/aks/kaito/gpu-provisioner") -}}
{{- if and $given $i.digest -}}{{ $i.repository }}@{{ $i.digest }}
{{- else -}}{{ ternary $i.repository "kaito" $given }}:{{ ternary $i.tag "" $given | default .Chart.AppVersion }}{{- end -}}
{{- end -}}

{{- define "gpu-provisioner.leaderElection" -}}
{{- if kindIs "bool" .Values.leaderElection }}{{ .Values.leaderElection }}{{ else }}{{ gt (int .Values.replicas) 1 }}{{ end -}}
{{- end -}}
{{- define "gpu-provisioner.logLevel" -}}
{{- if eq .Values.controller.logLevel "debug" }}{{ .Values.logLevel }}{{ else }}{{ .Values.controller.logLevel | default .Values.logLevel }}{{ end -}}
{{- end -}}
{{- define "gpu-provisioner.featureGates" -}}
{{- $gates := list -}}
{{- range $name, $on := .Values.featureGates }}{{ $gates = append $gates (printf "%s=%t" $name $on) }}{{ end -}}
{{ join "," $gates }}
{{- end -}}

{{/* Variables that follow from values: [{name, value}], but for those that controller.env names itself. */}}
{{- define "gpu-provisioner.env" -}}
{{- $own := list -}}
{{- range .Values.controller.env }}{{ $own = append $own .name }}{{ end -}}
{{- $azure := .Values.settings.azure -}}
{{- $all := list
  (list "CLOUD_PROVIDER" .Values.cloud)
  (list "METRICS_PORT" (.Values.controller.metrics.port | toString))
  (list "HEALTH_PROBE_PORT" (.Values.controller.healthProbe.port | toString))
  (list "DISABLE_LEADER_ELECTION" (ternary "false" "true" (eq (include "gpu-provisioner.leaderElection" .) "true")))
  (list "LOG_LEVEL" (include "gpu-provisioner.logLevel" .))
  (list "LOG_ENCODING" (.Values.controller.logEncoding | default .Values.logEncoding))
  (list "FEATURE_GATES" (include "gpu-provisioner.featureGates" .))
  (list "DEPLOYMENT_MODE" .Values.deploymentMode)
  (list "AZURE_CLUSTER_NAME" $azure.clusterName)
  (list "ARM_SUBSCRIPTION_ID" $azure.subscriptionId)
  (list "ARM_RESOURCE_GROUP" $azure.resourceGroup)
  (list "LOCATION" $azure.location)
  (list "AZURE_TENANT_ID" .Values.workloadIdentity.tenantId)
  (list "AZURE_CLIENT_ID" .Values.workloadIdentity.clientId) -}}
{{- $env := list -}}
{{- range $all }}{{ if and (index . 1) (not (has (index . 0) $own)) }}{{ $env = append $env (dict "name" (index . 0) "value" (index . 1)) }}{{ end }}{{ end -}}
{{ toJson $env }}
{{- end -}}

{{/* What a container of this chart may at most do, with controller.securityContext over it. */}}
{{- define "gpu-provisioner.securityContext" -}}
{{- $base := dict "allowPrivilegeEscalation" false "privileged" false "readOnlyRootFilesystem" true "runAsNonRoot" true "runAsUser" 65532 "runAsGroup" 65532
  "capabilities" (dict "drop" (list "ALL")) "seccompProfile" (dict "type" "RuntimeDefault") -}}
{{ mergeOverwrite $base (deepCopy .Values.controller.securityContext) | toYaml }}
{{- end -}}
