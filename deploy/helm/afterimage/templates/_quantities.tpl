{{/* A quantity of memory, as Kubernetes or Redis writes it, in bytes. */}}
{{- define "afterimage.bytes" -}}
{{- $text := ternary . (. | int64 | toString) (kindIs "string" .) }}
{{- $units := dict "" 1 "k" 1000 "Ki" 1024 "M" 1000000 "Mi" 1048576 "G" 1000000000 "Gi" 1073741824 "T" 1000000000000 "Ti" 1099511627776 "mb" 1048576 "gb" 1073741824 }}
{{- mulf (regexFind "^[0-9.]+" $text) (get $units (regexFind "[A-Za-z]*$" $text)) | int64 }}
{{- end }}

{{/* A span of time, as Prometheus writes it, in seconds. */}}
{{- define "afterimage.seconds" -}}
{{- mul (regexFind "^[0-9]+" .) (ternary 60 1 (hasSuffix "m" .)) }}
{{- end }}
