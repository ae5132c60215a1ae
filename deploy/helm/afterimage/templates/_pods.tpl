{{/* Of every container. */}}
{{- define "afterimage.confined" -}}
allowPrivilegeEscalation: false
capabilities: {drop: [ALL]}
readOnlyRootFilesystem: true
{{- end }}

{{/* Of every pod: {root, user}, where the image's user is another. What the values leave to the cluster is left to it. */}}
{{- define "afterimage.unprivileged" -}}
{{- $context := deepCopy .root.Values.podSecurityContext }}
{{- range list "runAsUser" "runAsGroup" "fsGroup" }}
{{- if and $.user (hasKey $context .) }}{{ $_ := set $context . $.user }}{{ end }}
{{- end }}
{{- with $context }}{{ toYaml . }}{{ end }}
runAsNonRoot: true
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* Whose every pod is, and where it may run: {root, own}. */}}
{{- define "afterimage.placed" -}}
serviceAccountName: {{ include "afterimage.serviceAccount" .root }}
automountServiceAccountToken: false
enableServiceLinks: false # a Service `afterimage-api` would set AFTERIMAGE_API_PORT, which is a setting
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets: {{ toJson . }}
{{- end }}
{{- range $key := list "runtimeClassName" "priorityClassName" "nodeSelector" "tolerations" "affinity" }}
{{- with get $.own $key }}
{{ $key }}: {{ toJson . }}
{{- end }}
{{- end }}
{{- end }}

{{/*
Liveness never depends on Redis: while that is away, everybody waits, and a restart would only lose what is under way.
A worker is ready while Redis hears of it, so a rollout goes on only where the new pods work.
*/}}
{{- define "afterimage.probes" -}}
{{- $alive := ternary "{path: /healthz, port: http}" "{path: /livez, port: metrics}" (hasKey .is "http") }}
startupProbe:
  httpGet: {{ $alive }}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 60
livenessProbe:
  httpGet: {{ $alive }}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {{ ternary (printf "{path: %s, port: http}" .root.Values.api.readinessPath) "{path: /healthz, port: metrics}" (hasKey .is "http") }}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 2
{{- end }}

{{/* {root, role, is} */}}
{{- define "afterimage.mounts" -}}
- {name: tmp, mountPath: /tmp}
{{- if .is.media }}
- {name: media, mountPath: /media, readOnly: true}
{{- end }}
{{- if and .is.models .root.Values.models.existingClaim }}
- {name: models, mountPath: /models, readOnly: true}
{{- end }}
{{- if and .is.events (eq .root.Values.events.kind "claim") }}
- {name: events, mountPath: /events{{ if eq .is.events "read" }}, readOnly: true{{ end }}}
{{- end }}
{{- with .root.Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* {root, role, is}. What is written to /tmp counts as memory, and ends at its limit, as with compose. */}}
{{- define "afterimage.volumes" -}}
- name: tmp
  emptyDir: {medium: Memory, sizeLimit: 64Mi}
{{- if .is.media }}
- name: media
  {{- if .root.Values.media.existingClaim }}
  persistentVolumeClaim: {claimName: {{ .root.Values.media.existingClaim }}, readOnly: true}
  {{- else }}
  emptyDir: {sizeLimit: 1Mi}
  {{- end }}
{{- end }}
{{- if and .is.models .root.Values.models.existingClaim }}
- name: models
  persistentVolumeClaim: {claimName: {{ .root.Values.models.existingClaim }}, readOnly: true}
{{- end }}
{{- if and .is.events (eq .root.Values.events.kind "claim") }}
- name: events
  persistentVolumeClaim: {claimName: {{ .root.Values.events.claim.existingClaim | default (printf "%s-events" (include "afterimage.fullname" .root)) }}}
{{- end }}
{{- with .root.Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* What a container asks for: {root, role}. */}}
{{- define "afterimage.resources" -}}
{{- $resources := deepCopy (get .root.Values .role).resources }}
{{- $gpu := .root.Values.inference.gpu }}
{{- if and (eq .role "inference") (not $resources.limits.memory) }}
{{- $_ := set $resources.limits "memory" (ternary "8Gi" "2Gi" $gpu.enabled) }}
{{- end }}
{{- if and (eq .role "inference") $gpu.enabled }}
{{- $_ := set $resources.limits $gpu.resource 1 }}
{{- end }}
{{- toYaml $resources }}
{{- end }}

{{/* {root, role, is} */}}
{{- define "afterimage.pod" -}}
{{- $values := .root.Values }}
{{- $own := get $values .role }}
{{ include "afterimage.placed" (dict "root" .root "own" $own) }}
terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds }}
securityContext:
  {{- include "afterimage.unprivileged" (dict "root" .root) | trim | nindent 2 }}
topologySpreadConstraints:
  {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "afterimage.selector" $ | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
  {{- end }}
containers:
  - name: {{ .role }}
    image: {{ include "afterimage.image" . | quote }}
    imagePullPolicy: {{ $values.image.pullPolicy }}
    {{- with .is.module }}
    args: [python, -m, {{ . }}]
    {{- end }}
    ports:
      {{- with .is.http }}
      - {name: http, containerPort: {{ . }}}
      {{- end }}
      - {name: metrics, containerPort: {{ .is.metrics }}}
    env:
      {{- include "afterimage.env" . | trim | nindent 6 }}
    {{- with $values.envFrom }}
    envFrom: {{ toJson . }}
    {{- end }}
    {{- if .is.http }}
    lifecycle: # until nobody sends it requests any more
      preStop: {sleep: {seconds: 5}}
    {{- end }}
    {{- include "afterimage.probes" . | nindent 4 }}
    resources:
      {{- include "afterimage.resources" . | nindent 6 }}
    securityContext:
      {{- include "afterimage.confined" . | nindent 6 }}
    volumeMounts:
      {{- include "afterimage.mounts" . | nindent 6 }}
volumes:
  {{- include "afterimage.volumes" . | nindent 2 }}
{{- end }}
