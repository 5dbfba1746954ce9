{{- /* What palio's charts have in common; the same file in each of them (a test compares). */}}

{{- /* Labels of every object. Call with (dict "root" $ "component" NAME). */}}
{{- define "house.labels" -}}
{{ include "house.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: palio
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{- /* What selects the pods of a component, and nothing that an upgrade may change. */}}
{{- define "house.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- /* A pod by the rules of the "restricted" standard. Call with the user's number. */}}
{{- define "house.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "house.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- /* The reference of one of our images. Call with (dict "root" $ "name" NAME "override" REFERENCE). */}}
{{- define "house.image" -}}
{{- $image := .root.Values.image -}}
{{- if .override -}}
{{- .override -}}
{{- else -}}
{{- with $image.registry }}{{ . | trimSuffix "/" }}/{{ end -}}
palio-{{ .name }}:{{ $image.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- define "house.pull" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
- name: {{ . }}
{{- end }}
{{- end }}
{{- end }}

{{- /* Name resolution, which every pod needs: the cluster's DNS, wherever it runs. */}}
{{- define "house.dns" -}}
- ports:
  - {protocol: UDP, port: 53}
  - {protocol: TCP, port: 53}
{{- end }}

{{- /*
A hook Job that runs a command of the setup image with a plan. Call with
(dict "root" $ "name" N "component" C "command" C "hook" H "weight" W "plan" JSON "account" A "env" YAML "volumes" YAML "mounts" YAML).
The plan is a ConfigMap of the same hook: a hook runs before the chart's own objects are there.
*/}}
{{- define "house.setupPlan" -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "house.labels" . | nindent 4 }}
  annotations: {{- include "house.hook" (dict "hook" .hook "weight" .weight) | nindent 4 }}
data:
  plan.json: {{ .plan | quote }}
{{- end }}

{{- define "house.hook" -}}
helm.sh/hook: {{ .hook }}
helm.sh/hook-weight: {{ .weight | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}

{{- define "house.setupPod" -}}
{{- include "house.pull" .root }}
serviceAccountName: {{ .account }}
automountServiceAccountToken: {{ .apiAccess }}
enableServiceLinks: false
restartPolicy: Never
securityContext: {{- include "house.podSecurity" 10001 | nindent 2 }}
containers:
- name: setup
  image: {{ include "house.image" (dict "root" .root "name" "setup" "override" .root.Values.setup.image) }}
  imagePullPolicy: {{ .root.Values.image.pullPolicy }}
  command: [python, -m, palio_setup, {{ .command }}, /etc/palio/plan/plan.json]
  {{- with .env }}
  env: {{- . | nindent 2 }}
  {{- end }}
  securityContext: {{- include "house.containerSecurity" . | nindent 4 }}
  resources: {{- toYaml .root.Values.setup.resources | nindent 4 }}
  volumeMounts:
  - {name: plan, mountPath: /etc/palio/plan, readOnly: true}
  {{- with .mounts }}
  {{- . | nindent 2 }}
  {{- end }}
volumes:
- name: plan
  configMap: {name: {{ .name }}}
{{- with .volumes }}
{{ . }}
{{- end }}
{{- end }}

{{- define "house.setupJob" -}}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "house.labels" . | nindent 4 }}
  annotations: {{- include "house.hook" (dict "hook" .hook "weight" (add .weight 1)) | nindent 4 }}
spec:
  backoffLimit: 4
  activeDeadlineSeconds: {{ .root.Values.setup.deadlineSeconds }}
  ttlSecondsAfterFinished: 3600
  template:
    metadata:
      labels: {{- include "house.labels" . | nindent 8 }}
    spec: {{- include "house.setupPod" . | nindent 6 }}
{{- end }}
