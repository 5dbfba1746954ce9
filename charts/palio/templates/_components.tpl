{{- /*
The eight services as data. `calls` are the services it shows its identity to; `reaches` those it calls without one.
Everybody reaches `user` besides, for the key set that verifies access tokens.
*/}}
{{- define "palio.components" -}}
user:        {port: 23451, calls: [leaderboard], database: true, redis: true}
game:        {port: 23452, calls: [], database: true, redis: true}
leaderboard: {port: 23453, calls: [score], database: true, redis: true}
score:       {port: 23454, calls: [], database: true, redis: true}
gateway:     {port: 23455, calls: [user, game, leaderboard, score, tournament, generator], reaches: [websocket], public: true}
websocket:   {port: 23456, calls: [leaderboard, score, tournament], redis: true, public: true}
tournament:  {port: 23457, calls: [], database: true, redis: true}
generator:   {port: 23458, calls: [user], reaches: [gateway], database: true, redis: true, single: true, demoOnly: true}
{{- end }}

{{- /* The order in which packages migrate: who publishes a view comes before who reads it. */}}
{{- define "palio.migrationOrder" -}}
[user, game, tournament, score, generator]
{{- end }}

{{- define "palio.uiPort" -}}3000{{- end }}

{{- /*
How long a pod goes on answering after SIGTERM, asking clients to connect anew: longer than proxies take to hear that it
leaves, and than palio's clients keep an idle connection (palio_kit.http.IDLE_S), with room for a busy node.
*/}}
{{- define "palio.leaveSeconds" -}}8{{- end }}

{{- /* Components of this profile: palio.components without what is for demos only. */}}
{{- define "palio.enabled" -}}
{{- $enabled := dict }}
{{- range $name, $component := include "palio.components" . | fromYaml }}
{{- if or (not $component.demoOnly) (eq $.Values.profile "demo") }}
{{- $_ := set $enabled $name $component }}
{{- end }}
{{- end }}
{{- toYaml $enabled }}
{{- end }}

{{- /* How many pods there are at least. */}}
{{- define "palio.replicasMin" -}}
{{- $scaling := .autoscaling | default dict -}}
{{- if $scaling.enabled }}{{ $scaling.min }}{{ else }}{{ .replicas }}{{ end -}}
{{- end }}

{{- /* The Secret and key with a role's URL, as JSON: the user's own, or the one that is made. Call with (dict "root" $ "name" N). */}}
{{- define "palio.databaseSecret" -}}
{{- get .root.Values.database.roles .name | default (dict "secret" (printf "palio-%s-database" .name) "key" "url") | toJson -}}
{{- end }}

{{- define "palio.signingKeysSecret" -}}
{{- .Values.signingKeys.existingSecret | default "palio-signing-keys" -}}
{{- end }}

{{- /* Whether a service speaks with the API server: those that make resources, where an operator is there for them. */}}
{{- define "palio.apiAccess" -}}
{{- and (has .name (list "tournament" "generator")) (eq .root.Values.tournaments.runBy "operator") -}}
{{- end }}

{{- /* Origins whose pages may call, as a JSON list; empty if the service's own default is to hold. */}}
{{- define "palio.origins" -}}
{{- $origins := .Values.origins }}
{{- if .Values.ingress.enabled }}
{{- $scheme := ternary "https" "http" (ne .Values.ingress.tlsSecret "") }}
{{- range .Values.ingress.hosts }}{{ $origins = append $origins (printf "%s://%s" $scheme .) }}{{ end }}
{{- end }}
{{- if .Values.httpRoute.enabled }}
{{- range .Values.httpRoute.hostnames }}{{ $origins = append $origins (printf "https://%s" .) }}{{ end }}
{{- end }}
{{- if $origins }}{{ $origins | uniq | toJson }}{{ end }}
{{- end }}

{{- /* What a service is told; libs/local tells the same on one machine. Call with (dict "root" $ "name" N "component" C). */}}
{{- define "palio.environment" -}}
{{- $values := .root.Values }}
{{- $env := dict "PALIO_PROFILE" $values.profile "PALIO_HOST" "0.0.0.0" "PALIO_PORT" (toString .component.port)
  "PALIO_LEAVE_S" (include "palio.leaveSeconds" .root)
  "PALIO_LOG_FORMAT" "json" "PALIO_LOG_LEVEL" $values.logLevel
  "PALIO_IDENTITY_DIR" "/var/run/palio/identity" "PALIO_IDENTITY_NAMESPACE" .root.Release.Namespace }}
{{- range $peer, $its := include "palio.components" .root | fromYaml }}
{{- $_ := set $env (printf "PALIO_%s_URL" (upper $peer)) (printf "http://palio-%s:%v" $peer $its.port) }}
{{- end }}
{{- if $values.identity.jwksUrl }}
{{- $_ := set $env "PALIO_IDENTITY_JWKS" $values.identity.jwksUrl }}
{{- $_ := set $env "PALIO_IDENTITY_ISSUER" (required "identity.issuer goes with identity.jwksUrl" $values.identity.issuer) }}
{{- else }}
{{- $_ := set $env "PALIO_IDENTITY_JWKS" "/etc/palio/identity/jwks.json" }}
{{- end }}
{{- $origins := include "palio.origins" .root }}
{{- if eq .name "user" }}
{{- $_ := set $env "PALIO_SIGNING_KEYS" "/etc/palio/signing/signing-keys.json" }}
{{- else if eq .name "gateway" }}
{{- $_ := set $env "PALIO_UI_PORT" (include "palio.uiPort" .root) }}
{{- $_ := set $env "PALIO_LIMITS" $values.limits }}
{{- with $values.trustedProxies }}{{ $_ := set $env "PALIO_TRUSTED_PROXIES" (toJson .) }}{{ end }}
{{- with $origins }}{{ $_ := set $env "PALIO_CORS_ORIGINS" . }}{{ end }}
{{- else if eq .name "websocket" }}
{{- with $origins }}{{ $_ := set $env "PALIO_ORIGINS" . }}{{ end }}
{{- else if eq .name "tournament" }}
{{- $operated := eq $values.tournaments.runBy "operator" }}
{{- $_ := set $env "PALIO_SWEEPER" (toString (not $operated)) }}
{{- $_ := set $env "PALIO_KUBERNETES" (toString $operated) }}
{{- $_ := set $env "PALIO_KUBERNETES_NAMESPACE" .root.Release.Namespace }}
{{- else if eq .name "generator" }}
{{- $_ := set $env "PALIO_KUBERNETES" (toString (eq $values.tournaments.runBy "operator")) }}
{{- $_ := set $env "PALIO_KUBERNETES_NAMESPACE" .root.Release.Namespace }}
{{- end }}
{{- range $key, $value := merge (deepCopy (get $values.services .name).env) $env }}
- {name: {{ $key }}, value: {{ $value | quote }}}
{{- end }}
{{- if not $values.identity.jwksUrl }}
- name: PALIO_IDENTITY_ISSUER
  valueFrom: {configMapKeyRef: {name: palio-identity, key: issuer}}
{{- end }}
{{- if .component.database }}
{{- $secret := include "palio.databaseSecret" . | fromJson }}
- name: PALIO_DATABASE_URL
  valueFrom: {secretKeyRef: {name: {{ $secret.secret }}, key: {{ $secret.key }}}}
{{- end }}
{{- if .component.redis }}
- name: PALIO_REDIS_URL
  valueFrom: {secretKeyRef: {name: {{ $values.redis.secret }}, key: {{ $values.redis.key }}}}
{{- end }}
{{- end }}
