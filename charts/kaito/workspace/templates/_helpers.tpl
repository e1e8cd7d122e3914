{{/* Names: a value where one is given, else from the release. */}}
{{- define "workspace.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}{{ .Release.Name | trunc 63 | trimSuffix "-" }}{{- else -}}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" }}{{- end -}}
{{- end -}}
{{- define "workspace.deploymentName" -}}{{ .Values.deploymentName | default (include "workspace.fullname" .) }}{{- end -}}
{{- define "workspace.serviceName" -}}{{ .Values.serviceName | default (include "workspace.fullname" .) }}{{- end -}}
{{- define "workspace.serviceAccountName" -}}{{ .Values.serviceAccountName | default (printf "%s-sa" (include "workspace.fullname" .)) }}{{- end -}}
{{- define "workspace.clusterRoleName" -}}{{ .Values.clusterRoleName | default (printf "%s-clusterrole" (include "workspace.fullname" .)) }}{{- end -}}
{{- define "workspace.clusterRoleBindingName" -}}{{ .Values.clusterRoleBindingName | default (printf "%s-rolebinding" (include "workspace.clusterRoleName" .)) }}{{- end -}}
{{- define "workspace.roleName" -}}{{ .Values.roleName | default (printf "%s-role" (include "workspace.fullname" .)) }}{{- end -}}
{{- define "workspace.roleBindingName" -}}{{ .Values.roleBindingName | default (printf "%s-rolebinding" (include "workspace.roleName" .)) }}{{- end -}}

{{- define "workspace.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- with .Values.selectorLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}
{{- define "workspace.labels" -}}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{ include "workspace.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/created-by: {{ include "workspace.fullname" . }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The image that holds this program. */}}
{{- define "workspace.image" -}}
{{- $given := and (ne .Values.image.repository "") (ne .Values.image.repository "mcr.microsoft.com/aks/kaito/workspace") -}}
{{- $tag := ternary .Values.image.tag "" $given | default .Chart.AppVersion -}}
{{ ternary .Values.image.repository "kaito" $given }}:{{ $tag }}
{{- end -}}

{{- define "workspace.leaderElection" -}}
{{- if kindIs "bool" .Values.leaderElection }}{{ .Values.leaderElection }}{{ else }}{{ gt (int .Values.replicaCount) 1 }}{{ end -}}
{{- end -}}

{{/* byo, also by the feature gate of older values files. */}}
{{- define "workspace.nodeProvisioner" -}}
{{- if .Values.featureGates.disableNodeAutoProvisioning }}byo{{ else }}{{ .Values.nodeProvisioner }}{{ end -}}
{{- end -}}
{{- define "workspace.karpenterProvider" -}}
{{ get .Values.karpenterProviders .Values.karpenterProvider | required (printf "karpenterProviders has no %s" .Values.karpenterProvider) | toJson }}
{{- end -}}

{{- define "workspace.featureGates" -}}
{{- $gates := list -}}
{{- range $name, $on := .Values.featureGates }}{{ $gates = append $gates (printf "%s=%t" $name $on) }}{{ end -}}
{{ join "," $gates }}
{{- end -}}

{{/* One validating webhook: dict "root" . "resource" "workspaces" "name" "workspace" "versions" (list …) */}}
{{- define "workspace.webhook" -}}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata:
  name: validation.{{ .name }}.kaito.sh
  labels:
    {{- include "workspace.labels" .root | nindent 4 }}
webhooks:
  - name: validation.{{ .name }}.kaito.sh
    # The controller adds the CA of its certificate.
    clientConfig:
      service:
        name: {{ include "workspace.serviceName" .root }}
        namespace: {{ .root.Release.Namespace }}
        path: /validate/{{ .name }}.kaito.sh
        port: {{ .root.Values.webhook.port }}
    failurePolicy: Fail
    sideEffects: None
    admissionReviewVersions: ["v1"]
    timeoutSeconds: 10
    namespaceSelector:
      matchExpressions:
        - key: webhooks.knative.dev/exclude
          operator: DoesNotExist
    rules:
      {{- range .versions }}
      - apiGroups: ["kaito.sh"]
        apiVersions: [{{ . }}]
        operations: ["CREATE", "UPDATE"]
        resources: [{{ $.resource }}, {{ $.resource }}/status]
        scope: "*"
      {{- end }}
{{- end -}}
