{{/* One entry of a projected volume: (dict "secret" NAME "items" (dict PATH KEY)); two files may be of one key. */}}
{{- define "rollback-controller.projectedSecret" -}}
- secret:
    name: {{ .secret | quote }}
    items:
      {{- range $path, $key := .items }}
      - {key: {{ $key | quote }}, path: {{ $path | quote }}}
      {{- end }}
{{- end -}}

{{/* The Redis password and its TLS files: server and workers need them. */}}
{{- define "rollback-controller.redisSources" -}}
{{- if .Values.valkey.enabled }}
{{ include "rollback-controller.projectedSecret" (dict "secret" (include "rollback-controller.valkeySecret" .) "items" (dict "redis/password" .Values.valkey.passwordKey)) }}
{{- else }}
{{- with .Values.redis }}
{{- $items := dict }}
{{- if .existingSecret }}
{{- $_ := set $items "redis/password" .passwordKey }}
{{- with .sentinelPasswordKey }}
{{- $_ := set $items "redis/sentinel-password" . }}
{{- end }}
{{ include "rollback-controller.projectedSecret" (dict "secret" .existingSecret "items" $items) }}
{{- end }}
{{- if .tls.existingSecret }}
{{- $items := dict }}
{{- with .tls.caKey }}{{ $_ := set $items "redis/ca.crt" . }}{{ end }}
{{- with .tls.certKey }}{{ $_ := set $items "redis/tls.crt" . }}{{ end }}
{{- with .tls.keyKey }}{{ $_ := set $items "redis/tls.key" . }}{{ end }}
{{ include "rollback-controller.projectedSecret" (dict "secret" .tls.existingSecret "items" $items) }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Tokens and logins: the server alone needs them. */}}
{{- define "rollback-controller.receiverSources" -}}
{{- include "rollback-controller.redisSources" . }}
{{- range .Values.credentials.tokens }}
{{ include "rollback-controller.projectedSecret" (dict "secret" (.existingSecret | default $.Values.credentials.existingSecret) "items" (dict (printf "tokens/%s" .name) .key)) }}
{{- end }}
{{- range .Values.credentials.basic }}
{{ include "rollback-controller.projectedSecret" (dict "secret" (.existingSecret | default $.Values.credentials.existingSecret) "items" (dict (printf "logins/%s" .name) .key)) }}
{{- end }}
{{- end -}}

{{/* Monitoring, channels, the sealing key: the workers alone need them. */}}
{{- define "rollback-controller.workerSources" -}}
{{- include "rollback-controller.redisSources" . }}
{{- range $name := list "prometheus" "alertmanager" }}
{{- with index $.Values $name }}
{{- if and .url .existingSecret }}
{{- $items := dict }}
{{- with .tokenKey }}{{ $_ := set $items (printf "%s/token" $name) . }}{{ end }}
{{- with .passwordKey }}{{ $_ := set $items (printf "%s/password" $name) . }}{{ end }}
{{- with .caKey }}{{ $_ := set $items (printf "%s/ca.crt" $name) . }}{{ end }}
{{ include "rollback-controller.projectedSecret" (dict "secret" .existingSecret "items" $items) }}
{{- end }}
{{- end }}
{{- end }}
{{- range $name, $said := .Values.notify }}
{{ include "rollback-controller.projectedSecret" (dict "secret" $said.existingSecret "items" (dict (printf "notify/%s" $name) ($said.key | default "urls"))) }}
{{- end }}
{{- with .Values.audit }}
{{- if .existingSecret }}
{{ include "rollback-controller.projectedSecret" (dict "secret" .existingSecret "items" (dict "audit/key" .key)) }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The volumes of server or worker: (dict "root" $ "role" "receiver"). 288 is 0440 and 256 is 0400. */}}
{{- define "rollback-controller.volumes" -}}
{{- $full := include "rollback-controller.fullname" .root -}}
{{- $values := .root.Values -}}
- name: settings
  configMap: {name: {{ $full }}-settings}
- name: rules
  configMap: {name: {{ $values.rules.existingConfigMap | default (printf "%s-rules" $full) | quote }}}
{{- if include "rollback-controller.hasInventory" .root }}
- name: inventory
  configMap: {name: {{ $values.inventory.existingConfigMap | default (printf "%s-inventory" $full) | quote }}}
{{- end }}
{{- with include (printf "rollback-controller.%sSources" .role) .root | trim }}
- name: secrets
  projected:
    defaultMode: 288
    sources:
      {{- . | nindent 6 }}
{{- end }}
{{- if eq .role "worker" }}
{{- if include "rollback-controller.hasInventory" .root }}
- name: ssh
  secret:
    secretName: {{ $values.ssh.existingSecret | quote }}
    defaultMode: 288
    items:
      - {key: {{ $values.ssh.privateKeyKey | quote }}, path: id_ed25519}
- name: known-hosts
  configMap: {name: {{ $values.ssh.existingConfigMap | default (printf "%s-known-hosts" $full) | quote }}}
{{- end }}
{{- range $at, $name := keys $values.clusters | sortAlpha }}
- name: cluster-{{ $at }}
  secret: {secretName: {{ (index $values.clusters $name).existingSecret | quote }}, defaultMode: 288}
{{- end }}
{{- end }}
- name: tmp
  emptyDir: {sizeLimit: {{ $values.tmpSizeLimit }}}
{{- end -}}

{{- define "rollback-controller.volumeMounts" -}}
{{- $home := include "rollback-controller.home" .root -}}
{{- $values := .root.Values -}}
- {name: settings, mountPath: {{ $home }}/config, readOnly: true}
- {name: rules, mountPath: {{ $home }}/rules, readOnly: true}
{{- if include "rollback-controller.hasInventory" .root }}
- {name: inventory, mountPath: {{ $home }}/inventory, readOnly: true}
{{- end }}
{{- if include (printf "rollback-controller.%sSources" .role) .root | trim }}
- {name: secrets, mountPath: {{ $home }}/secrets, readOnly: true}
{{- end }}
{{- if eq .role "worker" }}
{{- if include "rollback-controller.hasInventory" .root }}
- {name: ssh, mountPath: {{ $home }}/ssh, readOnly: true}
- {name: known-hosts, mountPath: {{ $home }}/known-hosts, readOnly: true}
{{- end }}
{{- range $at, $name := keys $values.clusters | sortAlpha }}
- {name: cluster-{{ $at }}, mountPath: {{ $home }}/clusters/{{ $name }}, readOnly: true}
{{- end }}
{{- end }}
- {name: tmp, mountPath: /tmp}
{{- end -}}

{{/* A security context; what is null is left to the platform. */}}
{{- define "rollback-controller.context" -}}
{{- $context := dict -}}
{{- range $key, $value := . -}}
{{- if not (kindIs "invalid" $value) }}{{ $_ := set $context $key $value }}{{ end -}}
{{- end -}}
{{- $context | toYaml -}}
{{- end -}}

{{/* What makes pods start anew: the files that this chart writes. */}}
{{- define "rollback-controller.checksums" -}}
checksum/settings: {{ include "rollback-controller.settings" . | sha256sum }}
checksum/rules: {{ .Values.rules.files | toJson | sha256sum }}
checksum/inventory: {{ printf "%s\n%s" .Values.inventory.content .Values.ssh.knownHosts | sha256sum }}
{{- end -}}

{{/* Where a pod may run, and which of those it prefers: (dict "root" $ "said" .Values.receiver "component" "receiver") */}}
{{- define "rollback-controller.scheduling" -}}
{{- with .said.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .said.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .said.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .said.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .said.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- range . }}
  - {{ toYaml (omit . "labelSelector") | nindent 4 | trim }}
    labelSelector:
    {{- if .labelSelector }}
      {{- toYaml .labelSelector | nindent 6 }}
    {{- else }}
      matchLabels:
        {{- include "rollback-controller.selector" $.root | nindent 8 }}
        app.kubernetes.io/component: {{ $.component }}
    {{- end }}
  {{- end }}
{{- end }}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* receiver or worker, as a Deployment: (dict "root" $ "role" "receiver" "command" "serve") */}}
{{- define "rollback-controller.deployment" -}}
{{- $role := .role -}}
{{- $ := .root -}}
{{- $said := index $.Values .role -}}
{{- $autoscaled := and (eq .role "worker") (or $.Values.worker.autoscaling.hpa.enabled $.Values.worker.autoscaling.keda.enabled) -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "rollback-controller.metadata" (dict "root" $ "name" (printf "%s-%s" (include "rollback-controller.fullname" $) .role) "component" .role) | nindent 2 }}
spec:
  {{- if not $autoscaled }}
  replicas: {{ int $said.replicas }}
  {{- end }}
  revisionHistoryLimit: {{ int $said.revisionHistoryLimit }}
  strategy:
    {{- (eq $said.strategy.type "Recreate" | ternary (omit $said.strategy "rollingUpdate") $said.strategy) | toYaml | nindent 4 }}
  selector:
    matchLabels:
      {{- include "rollback-controller.selector" $ | nindent 6 }}
      app.kubernetes.io/component: {{ .role }}
  template:
    metadata:
      labels:
        {{- include "rollback-controller.labels" (dict "root" $ "component" .role "labels" $said.podLabels "pod" true) | nindent 8 }}
      annotations:
        {{- merge (include "rollback-controller.checksums" $ | fromYaml) ($said.podAnnotations | default dict) | toYaml | nindent 8 }}
    spec:
      serviceAccountName: {{ include "rollback-controller.serviceAccount" (dict "root" $ "role" .role) | quote }}
      automountServiceAccountToken: {{ and (eq .role "worker") $.Values.targets.inCluster }}
      enableServiceLinks: false  # their variables could be taken for settings
      terminationGracePeriodSeconds: {{ int $said.terminationGracePeriodSeconds }}
      securityContext:
        {{- include "rollback-controller.context" $.Values.podSecurityContext | nindent 8 }}
      {{- with include "rollback-controller.scheduling" (dict "root" $ "said" $said "component" .role) | trim }}
      {{- . | nindent 6 }}
      {{- end }}
      {{- with $said.hostAliases }}
      hostAliases:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $said.extraPodSpec }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
      {{- with $said.extraInitContainers }}
      initContainers:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      containers:
        - name: {{ .role }}
          image: {{ include "rollback-controller.image" $ | quote }}
          imagePullPolicy: {{ $.Values.image.pullPolicy }}
          args: [{{ .command }}]
          env:
            - {name: ROLLBACK_CONFIG, value: {{ include "rollback-controller.home" $ }}/config/rollback.yaml}
            {{- with $said.extraEnv }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
          ports:
            {{- if eq .role "receiver" }}
            - {name: http, containerPort: {{ int $said.containerPort }}, protocol: TCP}
            {{- else }}
            - {name: health, containerPort: {{ int $said.healthPort }}, protocol: TCP}
            {{- end }}
          {{- range $probe, $path := dict "startupProbe" "/livez" "livenessProbe" "/livez" "readinessProbe" "/readyz" }}
          {{- with index $said $probe }}
          {{ $probe }}:
            httpGet: {path: {{ $path }}, port: {{ ternary "http" "health" (eq $role "receiver") }}}
            {{- toYaml . | nindent 12 }}
          {{- end }}
          {{- end }}
          securityContext:
            {{- include "rollback-controller.context" $.Values.securityContext | nindent 12 }}
          resources:
            {{- toYaml $said.resources | nindent 12 }}
          volumeMounts:
            {{- include "rollback-controller.volumeMounts" (dict "root" $ "role" .role) | nindent 12 }}
            {{- with $said.extraVolumeMounts }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
        {{- with $said.extraContainers }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      volumes:
        {{- include "rollback-controller.volumes" (dict "root" $ "role" .role) | nindent 8 }}
        {{- with $said.extraVolumes }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
{{- end -}}
