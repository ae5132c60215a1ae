{{/*
What each role is. `metrics` and `http`: where it listens; `owns`: partitions, under leases; `sealed`: it has to do with
sources or targets, and has the key of them; `traced`: it tells spans; `outside`: it connects to cameras or receivers; `events`: how it mounts
their files; `module`: what the api's image runs instead of the api.
*/}}
{{- define "afterimage.roles" -}}
ingest: {metrics: 9100, owns: true, sealed: true, traced: true, media: true, outside: true}
inference: {metrics: 9101, owns: true, traced: true, models: true}
api: {metrics: 9102, http: 8000, sealed: true, media: true, models: true, events: read, outside: true}
{{- if .Values.recorder.enabled }}
recorder: {metrics: 9103, owns: true, events: write, module: services.api.media}
{{- end }}
{{- if .Values.delivery.enabled }}
delivery: {metrics: 9102, owns: true, sealed: true, traced: true, models: true, events: read, outside: true, module: services.api.delivery}
{{- end }}
{{- end }}

{{/* Whether somebody else says how many there are: {root, role}; empty: nobody. */}}
{{- define "afterimage.scaled" -}}
{{- if and (ne .root.Values.autoscaling.mode "none") (has .role (list "ingest" "inference")) }}yes{{ end }}
{{- end }}

{{/* Fails where workers would have no partition: {root, role, most, what}. */}}
{{- define "afterimage.bounded" -}}
{{- if gt (int .most) (int .root.Values.partitions) }}
{{- fail (printf "%s: %d is more than the %d partitions of the store (partitions): the rest would have nothing to do" .what (int .most) (int .root.Values.partitions)) }}
{{- end }}
{{- end }}

{{/* Names that the api is called by. */}}
{{- define "afterimage.hosts" -}}
{{- $name := printf "%s-api" (include "afterimage.fullname" .) }}
{{- $own := list $name (printf "%s.%s" $name .Release.Namespace) (printf "%s.%s.svc" $name .Release.Namespace) (printf "%s.%s.svc.cluster.local" $name .Release.Namespace) }}
{{- $ingress := ternary (list .Values.api.ingress.host) list .Values.api.ingress.enabled }}
{{- concat $own $ingress .Values.api.allowedHosts | compact | uniq | join "," }}
{{- end }}

{{/* Settings that are no secret, by name: {root, role, is}. What the values' `env` say goes before. */}}
{{- define "afterimage.settings" -}}
{{- $values := .root.Values }}
{{- $settings := dict "AFTERIMAGE_LOG_LEVEL" $values.logLevel "AFTERIMAGE_METRICS_PORT" (toString .is.metrics) "AFTERIMAGE_METRICS_HOST" $values.listen }}
{{- $_ := set $settings "AFTERIMAGE_PARTITIONS" (toString $values.partitions) }}
{{- if and .is.models $values.models.existingClaim }}
{{- $_ := set $settings "AFTERIMAGE_MODELS_DIR" "/models" }}
{{- end }}
{{- if .is.events }}
{{- $s3 := $values.events.s3 }}
{{- if eq $values.events.kind "s3" }}
{{- $_ := set $settings "AFTERIMAGE_EVENTS_DIR" (printf "s3://%s" (list $s3.bucket $s3.prefix | compact | join "/")) }}
{{- with $s3.region }}{{ $_ := set $settings "AWS_REGION" . }}{{ end }}
{{- with $s3.endpoint }}{{ $_ := set $settings "AWS_ENDPOINT_URL" . }}{{ end }}
{{- else }}
{{- $_ := set $settings "AFTERIMAGE_EVENTS_DIR" "/events" }}
{{- end }}
{{- end }}
{{- if or .is.http (eq .role "delivery") }}
{{- $_ := set $settings "AFTERIMAGE_DELIVER_PRIVATE" (toString $values.deliverPrivate) }}
{{- end }}
{{- if .is.http }}
{{- $_ := set $settings "AFTERIMAGE_API_ALLOWED_HOSTS" (include "afterimage.hosts" .root) }}
{{- $_ := set $settings "AFTERIMAGE_API_HOST" $values.listen }}
{{- $_ := set $settings "AFTERIMAGE_API_PORT" (toString .is.http) }}
{{- with $values.api.rootPath }}{{ $_ := set $settings "AFTERIMAGE_API_ROOT_PATH" . }}{{ end }}
{{- with $values.api.trustedProxies }}{{ $_ := set $settings "AFTERIMAGE_API_TRUSTED_PROXIES" (join "," .) }}{{ end }}
{{- end }}
{{- if eq .role "inference" }}
{{- $own := $values.inference }}
{{- $_ := set $settings "AFTERIMAGE_TORCH_THREADS" (toString $own.torchThreads) }}
{{- $_ := set $settings "AFTERIMAGE_DECODE_THREADS" (toString $own.decodeThreads) }}
{{- $_ := set $settings "AFTERIMAGE_DEVICE" (ternary "cuda" "cpu" $own.gpu.enabled) }}
{{- end }}
{{- mergeOverwrite $settings (deepCopy $values.env) (deepCopy (get $values .role).env) | toYaml }}
{{- end }}

{{/* A variable from a Secret: {root, part, name, optional}. */}}
{{- define "afterimage.fromSecret" -}}
- name: {{ .name }}
  valueFrom:
    secretKeyRef: {name: {{ include "afterimage.secret" . }}, key: {{ .name }}{{ if .optional }}, optional: true{{ end }}}
{{- end }}

{{/* Where Redis is: {root}. */}}
{{- define "afterimage.redisEnv" -}}
{{- if .root.Values.redis.enabled -}}
{{ include "afterimage.fromSecret" (dict "root" .root "part" "redis" "name" "AFTERIMAGE_REDIS_PASSWORD") }}
- name: AFTERIMAGE_REDIS_URL
  value: redis://:$(AFTERIMAGE_REDIS_PASSWORD)@{{ include "afterimage.fullname" .root }}-redis:6379/0
{{- else -}}
{{ include "afterimage.fromSecret" (dict "root" .root "part" "redis" "name" "AFTERIMAGE_REDIS_URL") }}
{{- end }}
{{- end }}

{{/* A container's variables: {root, role, is}. */}}
{{- define "afterimage.env" -}}
{{- $root := .root }}
{{ include "afterimage.redisEnv" . }}
{{- if .is.sealed }}
{{ include "afterimage.fromSecret" (dict "root" $root "part" "sealing" "name" "AFTERIMAGE_SECRET_KEY") }}
{{- end }}
{{- if .is.http }}
{{ include "afterimage.fromSecret" (dict "root" $root "part" "adminKey" "name" "AFTERIMAGE_ADMIN_KEY_HASH" "optional" true) }}
{{- end }}
{{- if .is.traced }}
{{ include "afterimage.fromSecret" (dict "root" $root "part" "tracing" "name" "OTEL_EXPORTER_OTLP_HEADERS" "optional" true) }}
{{- end }}
{{- if and .is.events (eq $root.Values.events.kind "s3") }}
{{- range list "AWS_ACCESS_KEY_ID" "AWS_SECRET_ACCESS_KEY" }}
{{ include "afterimage.fromSecret" (dict "root" $root "part" "s3" "name" . "optional" true) }}
{{- end }}
{{- end }}
{{- range $name, $value := include "afterimage.settings" . | fromYaml }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}
