{{/* Everything of the release carries its name, so that two releases cannot meet in one namespace. */}}
{{- define "igra-operator.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{ .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-operator" .Release.Name | trunc 52 | trimSuffix "-" }}
{{- end -}}
{{- end -}}

{{- define "igra-operator.selector" -}}
app.kubernetes.io/name: igra-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "igra-operator.labels" -}}
{{ include "igra-operator.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}
