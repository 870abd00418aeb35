{{- define "rc.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{/* 50 at most: `-receiver` and the like still fit into 63. */}}
{{- define "rc.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "rc.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What never changes: selectors are made of it. */}}
{{- define "rc.selector" -}}
app.kubernetes.io/name: {{ include "rc.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "rc.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{ include "rc.podLabels" . }}
{{- end -}}

{{/* Of pods: without the chart's version, which alone is no reason to start them anew. */}}
{{- define "rc.podLabels" -}}
{{ include "rc.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | trunc 63 | trimSuffix "-" | quote }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* metadata of one object: (dict "root" $ "name" NAME "component" C "namespace" NS "labels" {} "annotations" {}) */}}
{{- define "rc.metadata" -}}
name: {{ .name }}
{{- if ne (default "" .namespace) "-" }}
namespace: {{ .namespace | default .root.Release.Namespace }}
{{- end }}
labels:
  {{- include "rc.labels" .root | nindent 2 }}
  {{- with .component }}
  app.kubernetes.io/component: {{ . }}
  {{- end }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with merge (dict) (.annotations | default dict) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "rc.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* (dict "root" $ "role" "receiver") */}}
{{- define "rc.serviceAccount" -}}
{{- $account := (index .root.Values .role).serviceAccount -}}
{{- if $account.create -}}
{{- $account.name | default (printf "%s-%s" (include "rc.fullname" .root) .role) -}}
{{- else -}}
{{- $account.name | default "default" -}}
{{- end -}}
{{- end -}}

{{- define "rc.valkeySecret" -}}
{{- .Values.valkey.existingSecret | default .Values.credentials.existingSecret -}}
{{- end -}}

{{- define "rc.url" -}}
{{- printf "http://%s.%s.svc:%d" (include "rc.fullname" .) .Release.Namespace (int .Values.receiver.service.port) -}}
{{- end -}}

{{- define "rc.hasInventory" -}}
{{- if or .Values.inventory.content .Values.inventory.existingConfigMap -}}yes{{- end -}}
{{- end -}}

{{- define "rc.hasOwnRedis" -}}
{{- if or .Values.redis.url .Values.redis.sentinels -}}yes{{- end -}}
{{- end -}}
