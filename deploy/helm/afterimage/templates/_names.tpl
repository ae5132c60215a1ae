{{/* Names are short enough for `-inference` and a pod's own suffix to fit behind them. */}}
{{- define "afterimage.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* What pods are found by: {root, role}. */}}
{{- define "afterimage.selector" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride | trunc 63 }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .role }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end }}

{{/* {root, role} */}}
{{- define "afterimage.labels" -}}
{{ include "afterimage.selector" . }}
app.kubernetes.io/part-of: afterimage
app.kubernetes.io/version: {{ .root.Values.image.tag | default .root.Chart.AppVersion | replace "+" "_" | trunc 63 | trimAll "-_." | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{/* What a pod carries: the values' labels, and what it is found by: {root, role, own}. */}}
{{- define "afterimage.podLabels" -}}
{{- merge (include "afterimage.selector" . | fromYaml) .own.podLabels | toYaml }}
{{- end }}

{{- define "afterimage.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (ternary (include "afterimage.fullname" .) "default" .Values.serviceAccount.create) }}
{{- end }}

{{/* {root, role} */}}
{{- define "afterimage.image" -}}
{{- $own := (get .root.Values .role).image }}
{{- $tag := .root.Values.image.tag | default .root.Chart.AppVersion }}
{{- if and (eq .role "inference") .root.Values.inference.gpu.enabled }}
{{- $tag = printf "%s-cuda" $tag }}
{{- end }}
{{- with .root.Values.image.registry }}{{ trimSuffix "/" . }}/{{ end }}{{ $own.repository }}:{{ $own.tag | default $tag }}
{{- end }}

{{/* The Secret that holds a part: {root, part}. */}}
{{- define "afterimage.secret" -}}
{{- get .root.Values.secrets .part | default .root.Values.existingSecret }}
{{- end }}

{{/* Of the series of this release, in Prometheus. */}}
{{- define "afterimage.series" -}}
{{- .Values.autoscaling.prometheus.selector | default (printf "namespace=%q" .Release.Namespace) }}
{{- end }}
