{{- define "rollback-controller.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{/* 50 at most: `-receiver` and the like still fit into 63. */}}
{{- define "rollback-controller.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "rollback-controller.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What never changes: selectors are made of it. */}}
{{- define "rollback-controller.selector" -}}
app.kubernetes.io/name: {{ include "rollback-controller.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{/*
Labels of an object or, without the chart's version, which alone is no reason to start them anew, of a pod; each
once, and ours as they are: (dict "root" $ "component" C "labels" {} "pod" true)
*/}}
{{- define "rollback-controller.labels" -}}
{{- $chart := .root.Chart -}}
{{- $ours := include "rollback-controller.selector" .root | fromYaml -}}
{{- $_ := set $ours "app.kubernetes.io/version" (.root.Values.image.tag | default $chart.AppVersion | trunc 63 | trimSuffix "-") -}}
{{- if not .pod -}}
{{- $_ := set $ours "app.kubernetes.io/managed-by" .root.Release.Service -}}
{{- $_ := set $ours "helm.sh/chart" (printf "%s-%s" $chart.Name $chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-") -}}
{{- end -}}
{{- with .component }}{{ $_ := set $ours "app.kubernetes.io/component" . }}{{ end -}}
{{- merge $ours (.labels | default dict) (.root.Values.commonLabels | default dict) | toYaml -}}
{{- end -}}

{{/* metadata of one object: (dict "root" $ "name" NAME "component" C "namespace" NS "labels" {} "annotations" {}) */}}
{{- define "rollback-controller.metadata" -}}
name: {{ .name }}
{{- if ne (default "" .namespace) "-" }}
namespace: {{ .namespace | default .root.Release.Namespace | quote }}
{{- end }}
labels:
  {{- include "rollback-controller.labels" (dict "root" .root "component" .component "labels" .labels) | nindent 2 }}
{{- with merge (dict) (.annotations | default dict) (.root.Values.commonAnnotations | default dict) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The matchers of this installation's series. */}}
{{- define "rollback-controller.series" -}}
namespace={{ .Release.Namespace | quote }}{{ with .Values.metrics.matchers }}, {{ . }}{{ end }}
{{- end -}}

{{- define "rollback-controller.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* (dict "root" $ "role" "receiver") */}}
{{- define "rollback-controller.serviceAccount" -}}
{{- $account := (index .root.Values .role).serviceAccount -}}
{{- if $account.create -}}
{{- $account.name | default (printf "%s-%s" (include "rollback-controller.fullname" .root) .role) -}}
{{- else -}}
{{- $account.name | default "default" -}}
{{- end -}}
{{- end -}}

{{- define "rollback-controller.valkeySecret" -}}
{{- .Values.valkey.existingSecret | default .Values.credentials.existingSecret -}}
{{- end -}}

{{- define "rollback-controller.url" -}}
{{- printf "http://%s.%s.svc:%d" (include "rollback-controller.fullname" .) .Release.Namespace (int .Values.receiver.service.port) -}}
{{- end -}}

{{- define "rollback-controller.hasInventory" -}}
{{- if or .Values.inventory.content .Values.inventory.existingConfigMap -}}yes{{- end -}}
{{- end -}}

{{- define "rollback-controller.hasOwnRedis" -}}
{{- if or .Values.redis.url .Values.redis.sentinels -}}yes{{- end -}}
{{- end -}}
