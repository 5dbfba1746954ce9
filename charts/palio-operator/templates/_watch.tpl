{{- /*
Namespaces that are looked after, as JSON; none means all. The release's own is always among them: resources that are
made over REST are there, and so are prize Jobs, whose end wakes their tournament.
*/}}
{{- define "operator.namespaces" -}}
{{- with .Values.watch.namespaces }}{{ prepend . $.Release.Namespace | uniq | toJson }}{{ else }}[]{{ end }}
{{- end }}
