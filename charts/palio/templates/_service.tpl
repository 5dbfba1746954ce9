{{- /* Everything of one service. Call with (dict "root" $ "name" NAME "component" DATA). */}}
{{- define "palio.service" -}}
{{- $values := get .root.Values.services .name }}
{{- $scaling := $values.autoscaling | default dict }}
{{- $least := include "palio.replicasMin" $values | int }}
{{- $labels := dict "root" .root "component" .name }}
{{- if and .component.single (gt $least 1) }}
{{- fail (printf "services.%s.replicas: it keeps state in its process, so there can be one of it at most" .name) }}
{{- end }}
{{- if and $scaling.enabled (lt (int $scaling.max) (int $scaling.min)) }}
{{- fail (printf "services.%s.autoscaling: max is below min" .name) }}
{{- end }}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: palio-{{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "house.labels" $labels | nindent 4 }}
automountServiceAccountToken: false
---
apiVersion: v1
kind: Service
metadata:
  name: palio-{{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "house.labels" $labels | nindent 4 }}
spec:
  selector: {{- include "house.selector" $labels | nindent 4 }}
  ports:
  - {name: http, port: {{ .component.port }}, targetPort: http, appProtocol: http}
  {{- if eq .name "gateway" }}
  - {name: ui, port: {{ include "palio.uiPort" .root }}, targetPort: ui, appProtocol: http}
  {{- end }}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: palio-{{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "house.labels" $labels | nindent 4 }}
spec:
  {{- if not $scaling.enabled }}
  replicas: {{ $values.replicas }}
  {{- end }}
  revisionHistoryLimit: 5
  {{- if .component.single }}
  strategy: {type: Recreate}
  {{- else }}
  strategy:
    rollingUpdate: {maxUnavailable: 0, maxSurge: 1}
  {{- end }}
  selector:
    matchLabels: {{- include "house.selector" $labels | nindent 6 }}
  template:
    metadata:
      labels: {{- include "house.labels" $labels | nindent 8 }}
    spec: {{- include "palio.pod" . | nindent 6 }}
{{- if gt $least 1 }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: palio-{{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "house.labels" $labels | nindent 4 }}
spec:
  maxUnavailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels: {{- include "house.selector" $labels | nindent 6 }}
{{- end }}
{{- if $scaling.enabled }}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: palio-{{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "house.labels" $labels | nindent 4 }}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: palio-{{ .name }}}
  minReplicas: {{ $scaling.min }}
  maxReplicas: {{ $scaling.max }}
  metrics:
  - type: Resource
    resource:
      name: cpu
      target: {type: Utilization, averageUtilization: {{ $scaling.cpuPercent }}}
  behavior:
    # Sockets and caches are worth keeping: pods go slowly.
    scaleDown: {stabilizationWindowSeconds: 300}
{{- end }}
{{- end }}

{{- define "palio.pod" -}}
{{- $values := get .root.Values.services .name }}
{{- $labels := dict "root" .root "component" .name }}
{{- include "house.pull" .root }}
serviceAccountName: palio-{{ .name }}
automountServiceAccountToken: {{ include "palio.apiAccess" . }}
{{- /* Kubernetes would add PALIO_GATEWAY_PORT=tcp://... for every Service, and settings are read from PALIO_*. */}}
enableServiceLinks: false
{{- /* preStop (20 s at most), PALIO_LEAVE_S, then uvicorn's 20 s for open requests, and a little. */}}
terminationGracePeriodSeconds: {{ ternary 55 35 (eq .name "websocket") }}
securityContext: {{- include "house.podSecurity" 10001 | nindent 2 }}
{{- if gt (include "palio.replicasMin" $values | int) 1 }}
topologySpreadConstraints:
- maxSkew: 1
  topologyKey: kubernetes.io/hostname
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels: {{- include "house.selector" $labels | nindent 6 }}
  matchLabelKeys: [pod-template-hash]
{{- end }}
containers:
- name: {{ .name }}
  image: {{ include "house.image" (dict "root" .root "name" .name "override" $values.image) }}
  imagePullPolicy: {{ .root.Values.image.pullPolicy }}
  env: {{- include "palio.environment" . | nindent 2 }}
  ports:
  - {name: http, containerPort: {{ .component.port }}}
  {{- if eq .name "gateway" }}
  - {name: ui, containerPort: {{ include "palio.uiPort" .root }}}
  {{- end }}
  securityContext: {{- include "house.containerSecurity" . | nindent 4 }}
  resources: {{- toYaml $values.resources | nindent 4 }}
  startupProbe:
    httpGet: {path: /livez, port: http}
    periodSeconds: 1
    timeoutSeconds: 2
    failureThreshold: 90
  readinessProbe:
    httpGet: {path: /readyz, port: http}
    periodSeconds: 5
    timeoutSeconds: 3
    failureThreshold: 2
  {{- /* It asks nobody else: a store that is away must not have every service started again. */}}
  livenessProbe:
    httpGet: {path: /livez, port: http}
    periodSeconds: 10
    timeoutSeconds: 5
    failureThreshold: 6
  {{- if eq .name "websocket" }}
  lifecycle: {{- include "palio.drain" . | nindent 4 }}
  {{- end }}
  volumeMounts:
  - {name: identity, mountPath: /var/run/palio/identity, readOnly: true}
  - {name: scratch, mountPath: /tmp}
  {{- if not .root.Values.identity.jwksUrl }}
  - {name: key-set, mountPath: /etc/palio/identity, readOnly: true}
  {{- end }}
  {{- if eq .name "user" }}
  - {name: signing-keys, mountPath: /etc/palio/signing, readOnly: true}
  {{- end }}
volumes: {{- include "palio.volumes" . | nindent 0 }}
{{- end }}

{{- /* Sockets are told to move before SIGTERM: uvicorn closes them all at once otherwise. Only the pod itself may ask. */}}
{{- define "palio.drain" -}}
preStop:
  exec:
    command:
    - python
    - -c
    - |
      from urllib.request import Request, urlopen
      urlopen(Request("http://127.0.0.1:{{ .component.port }}/internal/v1/drain", method="POST"), timeout=20)
{{- end }}

{{- define "palio.volumes" -}}
{{- /* One token for each callee, good for that callee only. A service without callees still has the directory. */}}
- name: identity
  {{- if .component.calls }}
  projected:
    sources:
    {{- range .component.calls }}
    - serviceAccountToken: {audience: palio-{{ . }}, expirationSeconds: {{ $.root.Values.identity.tokenSeconds }}, path: {{ . }}}
    {{- end }}
  {{- else }}
  emptyDir: {sizeLimit: 1Mi}
  {{- end }}
- name: scratch
  emptyDir: {sizeLimit: 64Mi}
{{- if not .root.Values.identity.jwksUrl }}
- name: key-set
  configMap: {name: palio-identity}
{{- end }}
{{- if eq .name "user" }}
- name: signing-keys
  secret:
    secretName: {{ include "palio.signingKeysSecret" .root }}
    items: [{key: signing-keys.json, path: signing-keys.json}]
{{- end }}
{{- end }}
