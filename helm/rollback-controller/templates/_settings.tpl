{{/* Where things are, inside a pod. */}}
{{- define "rollback-controller.home" -}}/etc/rollback-controller{{- end -}}

{{/* The URL of an external Redis, with the files that TLS needs. */}}
{{- define "rollback-controller.redisUrl" -}}
{{- $tls := .Values.redis.tls -}}
{{- $files := list -}}
{{- if $tls.existingSecret -}}
{{- $at := printf "%s/secrets/redis" (include "rollback-controller.home" .) -}}
{{- if $tls.caKey -}}{{- $files = append $files (printf "ssl_ca_certs=%s/ca.crt" $at) -}}{{- end -}}
{{- if $tls.certKey -}}
{{- $files = append $files (printf "ssl_certfile=%s/tls.crt" $at) -}}
{{- $files = append $files (printf "ssl_keyfile=%s/tls.key" $at) -}}
{{- end -}}
{{- end -}}
{{- $url := .Values.redis.url -}}
{{- if $files -}}
{{- printf "%s%s%s" $url (ternary "&" "?" (contains "?" $url)) (join "&" $files) -}}
{{- else -}}
{{- $url -}}
{{- end -}}
{{- end -}}

{{- define "rollback-controller.redisSettings" -}}
{{- $secrets := printf "%s/secrets/redis" (include "rollback-controller.home" .) -}}
{{- if .Values.valkey.enabled -}}
{{- dict "url" (printf "redis://%s-valkey:6379/0" (include "rollback-controller.fullname" .)) "password-file" (printf "%s/password" $secrets) | toYaml -}}
{{- else -}}
{{- $redis := dict -}}
{{- with include "rollback-controller.redisUrl" . }}{{ $_ := set $redis "url" . }}{{ end -}}
{{- with .Values.redis.username }}{{ $_ := set $redis "username" . }}{{ end -}}
{{- if .Values.redis.existingSecret }}{{ $_ := set $redis "password-file" (printf "%s/password" $secrets) }}{{ end -}}
{{- with .Values.redis.sentinels }}{{ $_ := set $redis "sentinels" . }}{{ end -}}
{{- with .Values.redis.master }}{{ $_ := set $redis "master" . }}{{ end -}}
{{- with .Values.redis.sentinelUsername }}{{ $_ := set $redis "sentinel-username" . }}{{ end -}}
{{- if .Values.redis.sentinelPasswordKey }}{{ $_ := set $redis "sentinel-password-file" (printf "%s/sentinel-password" $secrets) }}{{ end -}}
{{- with .Values.redis.waitForReplicas }}{{ $_ := set $redis "wait-for-replicas" (int .) }}{{ end -}}
{{- $redis | toYaml -}}
{{- end -}}
{{- end -}}

{{/* prometheus or alertmanager: (dict "root" $ "name" "prometheus") */}}
{{- define "rollback-controller.monitoringSettings" -}}
{{- $said := index .root.Values .name -}}
{{- $secrets := printf "%s/secrets/%s" (include "rollback-controller.home" .root) .name -}}
{{- $settings := dict "url" $said.url "timeout-s" $said.timeoutSeconds -}}
{{- with $said.receiver }}{{ $_ := set $settings "receiver" . }}{{ end -}}
{{- with $said.username }}{{ $_ := set $settings "username" . }}{{ end -}}
{{- if $said.existingSecret -}}
{{- if $said.tokenKey }}{{ $_ := set $settings "token-file" (printf "%s/token" $secrets) }}{{ end -}}
{{- if $said.passwordKey }}{{ $_ := set $settings "password-file" (printf "%s/password" $secrets) }}{{ end -}}
{{- if $said.caKey }}{{ $_ := set $settings "ca-file" (printf "%s/ca.crt" $secrets) }}{{ end -}}
{{- end -}}
{{- $settings | toYaml -}}
{{- end -}}

{{- define "rollback-controller.clustersSettings" -}}
{{- $clusters := dict -}}
{{- if .Values.targets.inCluster -}}
{{- $own := dict "in-cluster" true -}}
{{- with .Values.targets.namespaces }}{{ $_ := set $own "namespaces" . }}{{ end -}}
{{- $_ := set $clusters .Values.targets.clusterName $own -}}
{{- end -}}
{{- range $name, $said := .Values.clusters -}}
{{- $one := dict "kubeconfig" (printf "%s/clusters/%s/%s" (include "rollback-controller.home" $) $name ($said.key | default "kubeconfig")) -}}
{{- with $said.context }}{{ $_ := set $one "context" . }}{{ end -}}
{{- with $said.namespaces }}{{ $_ := set $one "namespaces" . }}{{ end -}}
{{- if $said.insecureSkipTLSVerify }}{{ $_ := set $one "insecure-skip-tls-verify" true }}{{ end -}}
{{- $_ := set $clusters $name $one -}}
{{- end -}}
{{- $clusters | toYaml -}}
{{- end -}}

{{/* rollback.yaml, as docs/reference/settings.md describes it */}}
{{- define "rollback-controller.settings" -}}
{{- $home := include "rollback-controller.home" . -}}
rules: [{{ $home }}/rules]
inventory: {{ $home }}/inventory/inventory.yaml
listen: {{ printf "%s:%d" .Values.receiver.listenAddress (int .Values.receiver.containerPort) | quote }}
worker-listen: {{ printf "%s:%d" .Values.receiver.listenAddress (int .Values.worker.healthPort) | quote }}
workers: {{ int .Values.worker.processes }}
body-max: {{ .Values.bodyMax | quote }}
log: {level: {{ .Values.log.level }}, format: {{ .Values.log.format }}}
redis:
  {{- include "rollback-controller.redisSettings" . | nindent 2 }}
auth:
  tokens:
    {{- range .Values.credentials.tokens }}
    - name: {{ .name | quote }}
      roles: {{ .roles | toJson }}
      file: {{ $home }}/secrets/tokens/{{ .name }}
    {{- else }}
    []
    {{- end }}
  {{- with .Values.credentials.basic }}
  basic:
    {{- range . }}
    - name: {{ .name | quote }}
      username: {{ .username | quote }}
      {{- with .roles }}
      roles: {{ . | toJson }}
      {{- end }}
      password-file: {{ $home }}/secrets/logins/{{ .name }}
    {{- end }}
  {{- end }}
{{- if or .Values.targets.inCluster .Values.clusters }}
clusters:
  {{- include "rollback-controller.clustersSettings" . | nindent 2 }}
{{- end }}
{{- range list "prometheus" "alertmanager" }}
{{- if (index $.Values .).url }}
{{ . }}:
  {{- include "rollback-controller.monitoringSettings" (dict "root" $ "name" .) | nindent 2 }}
{{- end }}
{{- end }}
{{- with .Values.notify }}
notify:
  {{- range $name, $said := . }}
  {{ $name | quote }}:
    urls-file: {{ $home }}/secrets/notify/{{ $name }}
    {{- with $said.kinds }}
    kinds: {{ . | toJson }}
    {{- end }}
    {{- if $said.default }}
    default: true
    {{- end }}
  {{- end }}
{{- end }}
{{- if .Values.audit.existingSecret }}
audit: {key-file: {{ $home }}/secrets/audit/key}
{{- end }}
{{- with .Values.policy }}
policy:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.numbers }}
numbers:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
