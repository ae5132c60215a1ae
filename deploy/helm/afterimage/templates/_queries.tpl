{{/*
What KEDA asks Prometheus. A query answers nothing while nothing is known (Prometheus has no series of ours, or Redis is
away), so that KEDA falls back instead of taking it for an idle system; without a stream it answers 0. Every api tells
the same of all streams, whichever have series of their own: so the maximum of what they say.
*/}}

{{/* Frames that wait for inference. */}}
{{- define "afterimage.query.lag" -}}
sum(max by (pace) (avg_over_time(afterimage_lag_frames{ {{- include "afterimage.series" . -}} }[{{ .Values.autoscaling.window }}])))
{{- end }}

{{/* Streams that ingest watches, or tries to. */}}
{{- define "afterimage.query.streams" -}}
sum(max by (state) (avg_over_time(afterimage_streams{ {{- include "afterimage.series" . -}} ,state!~"paused|ended"}[{{ .Values.autoscaling.window }}])))
{{- end }}

{{/* Models at work, in workers' worth: two that are busy half of the time are one. */}}
{{- define "afterimage.query.busy" -}}
sum(rate(afterimage_stage_seconds_sum{ {{- include "afterimage.series" . -}} ,stage=~"decode|model"}[{{ .Values.autoscaling.window }}]))
{{- end }}
