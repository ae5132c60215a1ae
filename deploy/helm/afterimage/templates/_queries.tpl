{{/*
What KEDA asks Prometheus. A query answers nothing while nothing is known (Prometheus has no series of ours, or Redis is
away), so that KEDA falls back instead of taking it for an idle system; without a stream it answers 0.
*/}}

{{/* 0 while an api tells what lies in Redis. */}}
{{- define "afterimage.query.known" -}}
0 * max(afterimage_api_store_up{ {{- include "afterimage.series" . -}} } == 1)
{{- end }}

{{/* Frames that wait for inference. Every api tells the same, so of each stream the maximum. */}}
{{- define "afterimage.query.lag" -}}
sum(max by (stream_id) (avg_over_time(afterimage_stream_lag_frames{ {{- include "afterimage.series" . -}} }[{{ .Values.autoscaling.window }}]))) or {{ include "afterimage.query.known" . }}
{{- end }}

{{/* Streams that ingest watches, or tries to. */}}
{{- define "afterimage.query.streams" -}}
sum(max by (stream_id, state) (avg_over_time(afterimage_stream_state{ {{- include "afterimage.series" . -}} ,state!~"paused|ended"}[{{ .Values.autoscaling.window }}]))) or {{ include "afterimage.query.known" . }}
{{- end }}

{{/* Models at work, in workers' worth: two that are busy half of the time are one. */}}
{{- define "afterimage.query.busy" -}}
sum(rate(afterimage_stage_seconds_sum{ {{- include "afterimage.series" . -}} ,stage=~"decode|model"}[{{ .Values.autoscaling.window }}]))
{{- end }}
