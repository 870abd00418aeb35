{{/* Values that cannot be meant together. Every sentence says what to set; all of them are shown at once. */}}
{{- define "rollback-controller.contradictions" -}}
{{- $v := .Values -}}
{{- $wrong := list -}}

{{- if not $v.credentials.existingSecret -}}
{{- $wrong = append $wrong (printf "No credentials: set credentials.existingSecret to the name of a Secret in namespace %s with the keys that credentials.tokens name. This makes one: kubectl -n %s create secret generic rollback-controller --from-literal=alertmanager=$(openssl rand -hex 24) --from-literal=operator=$(openssl rand -hex 24) --from-literal=redis-password=$(openssl rand -hex 24)" .Release.Namespace .Release.Namespace) -}}
{{- end -}}
{{- if not (or $v.credentials.tokens $v.credentials.basic) -}}
{{- $wrong = append $wrong "Nobody is let in: name at least Alertmanager's token in credentials.tokens, or its login in credentials.basic." -}}
{{- end -}}
{{- range $kind, $said := dict "credentials.tokens" $v.credentials.tokens "credentials.basic" $v.credentials.basic -}}
{{- $names := list -}}
{{- range $said -}}
{{- if has .name $names -}}
{{- $wrong = append $wrong (printf "Two of %s are called %s: give one another name; to rotate a token, write the new one as a second line into its key." $kind .name) -}}
{{- end -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- end -}}

{{- if and (not $v.valkey.enabled) (not (include "rollback-controller.hasOwnRedis" .)) -}}
{{- $wrong = append $wrong "No Redis at all: set redis.url (or redis.sentinels) to one that you have, or valkey.enabled=true for a small one of this chart." -}}
{{- end -}}
{{- if and $v.valkey.enabled (include "rollback-controller.hasOwnRedis" .) -}}
{{- $wrong = append $wrong "Two ledgers: keep either valkey.enabled=true or redis.url and redis.sentinels, and take the other away." -}}
{{- end -}}
{{- if and $v.valkey.enabled (ne (int $v.valkey.replicas) 1) -}}
{{- $wrong = append $wrong (printf "The built-in Valkey has one replica and valkey.replicas is %d: set it to 1, or give redis.sentinels of servers of your own, which do fail over." (int $v.valkey.replicas)) -}}
{{- end -}}
{{- $limit := dig "limits" "memory" "" $v.valkey.resources -}}
{{- if and $v.valkey.enabled $limit -}}
{{- $most := include "rollback-controller.bytes" $v.valkey.maxmemory | float64 -}}
{{- if or (eq $most 0.0) (gt (mulf $most 2.0) (include "rollback-controller.bytes" $limit | float64)) -}}
{{- $wrong = append $wrong (printf "Valkey would be killed before it is full, with a limit of %v for %s of data: it needs as much again while it writes its file anew. Set valkey.resources.limits.memory to twice valkey.maxmemory or more." $limit (eq $most 0.0 | ternary "any amount" $v.valkey.maxmemory)) -}}
{{- end -}}
{{- end -}}
{{- if and $v.valkey.enabled $v.redis.waitForReplicas -}}
{{- $wrong = append $wrong "redis.waitForReplicas waits for replicas that the built-in Valkey has not got: set it to 0, or give redis.url or redis.sentinels of your own." -}}
{{- end -}}
{{- if regexMatch "^[a-z]+://[^/?#]*@|[?&](username|password)=" $v.redis.url -}}
{{- $wrong = append $wrong "redis.url holds a login: take it out, set redis.username, and redis.existingSecret to a Secret with the password." -}}
{{- end -}}
{{- if and $v.redis.tls.existingSecret (not (hasPrefix "rediss://" $v.redis.url)) -}}
{{- $wrong = append $wrong "redis.tls.existingSecret is for TLS, and redis.url speaks none: begin it with rediss://, or leave redis.tls out." -}}
{{- end -}}
{{- if and $v.redis.tls.existingSecret (not (or $v.redis.tls.caKey $v.redis.tls.certKey)) -}}
{{- $wrong = append $wrong "redis.tls.existingSecret is set and no key of it: set redis.tls.caKey or redis.tls.certKey and keyKey, or leave the Secret out." -}}
{{- end -}}
{{- if ne (empty $v.redis.tls.certKey) (empty $v.redis.tls.keyKey) -}}
{{- $wrong = append $wrong "redis.tls.certKey and redis.tls.keyKey belong together: set both or neither." -}}
{{- end -}}
{{- if and $v.redis.sentinels (not $v.redis.master) -}}
{{- $wrong = append $wrong "redis.sentinels are set and redis.master is not: set it to the name in their line `sentinel monitor NAME …`." -}}
{{- end -}}
{{- if and $v.redis.master (not $v.redis.sentinels) -}}
{{- $wrong = append $wrong "redis.master is set and redis.sentinels are not: name those who know it, or leave redis.master out." -}}
{{- end -}}
{{- if and $v.redis.sentinels (regexMatch "^[a-z]+://[^/?#]" $v.redis.url) -}}
{{- $wrong = append $wrong "redis.url names a server and redis.sentinels say which one it is: with Sentinels set redis.url to redis:///0, or to rediss:///0 for TLS." -}}
{{- end -}}
{{- if and $v.redis.sentinelPasswordKey (not $v.redis.existingSecret) -}}
{{- $wrong = append $wrong "redis.sentinelPasswordKey is a key of redis.existingSecret, which is not set: set it to the Secret that holds the password." -}}
{{- end -}}

{{- if and $v.targets.inCluster (not $v.targets.namespaces) (not $v.targets.clusterWide) -}}
{{- $wrong = append $wrong "No namespace to roll anything back in: set targets.namespaces to those that hold your workloads, or targets.clusterWide=true for all of them; where only hosts or other clusters are meant, set targets.inCluster=false." -}}
{{- end -}}
{{- if and $v.targets.clusterWide $v.targets.namespaces -}}
{{- $wrong = append $wrong "targets.clusterWide gives rights in every namespace and targets.namespaces lists some: set targets.clusterWide=false, or leave the list empty." -}}
{{- end -}}
{{- if and $v.targets.gitops.pause (not $v.targets.clusterWide) (not $v.targets.gitops.namespaces) -}}
{{- $wrong = append $wrong "targets.gitops.pause gives rights where GitOps owners live, and no namespace is named: set targets.gitops.namespaces, as [argocd], or targets.clusterWide=true." -}}
{{- end -}}
{{- if and $v.targets.inCluster (hasKey $v.clusters $v.targets.clusterName) -}}
{{- $wrong = append $wrong (printf "Two clusters are called %s: give targets.clusterName or the entry under clusters another name." $v.targets.clusterName) -}}
{{- end -}}
{{- if not (or $v.targets.inCluster $v.clusters (include "rollback-controller.hasInventory" .)) -}}
{{- $wrong = append $wrong "Nothing to roll back: set targets.inCluster=true with targets.namespaces, or name clusters, or give an inventory of hosts." -}}
{{- end -}}
{{- if and $v.inventory.content $v.inventory.existingConfigMap -}}
{{- $wrong = append $wrong "Two inventories: keep either inventory.content or inventory.existingConfigMap." -}}
{{- end -}}
{{- if include "rollback-controller.hasInventory" . -}}
{{- if not $v.ssh.existingSecret -}}
{{- $wrong = append $wrong "There are hosts and no key to reach them: set ssh.existingSecret to a Secret with the private key. This makes one: kubectl create secret generic rollback-ssh --from-file=id_ed25519" -}}
{{- end -}}
{{- if not (or $v.ssh.knownHosts $v.ssh.existingConfigMap) -}}
{{- $wrong = append $wrong "There are hosts and no host key is trusted: set ssh.knownHosts (--set-file ssh.knownHosts=known_hosts), or ssh.existingConfigMap." -}}
{{- end -}}
{{- end -}}
{{- if and $v.ssh.knownHosts $v.ssh.existingConfigMap -}}
{{- $wrong = append $wrong "Two lists of host keys: keep either ssh.knownHosts or ssh.existingConfigMap." -}}
{{- end -}}

{{- if and (not $v.rules.files) (not $v.rules.existingConfigMap) -}}
{{- $wrong = append $wrong "No rule: set rules.files (--set-file 'rules.files.canary\\.yaml=canary.yaml'), or rules.existingConfigMap to a ConfigMap with rule files." -}}
{{- end -}}
{{- if and $v.rules.files $v.rules.existingConfigMap -}}
{{- $wrong = append $wrong "Two sets of rules: keep either rules.files or rules.existingConfigMap." -}}
{{- end -}}

{{- range $name := list "prometheus" "alertmanager" -}}
{{- $said := index $v $name -}}
{{- if and (or $said.tokenKey $said.passwordKey $said.caKey) (not $said.existingSecret) -}}
{{- $wrong = append $wrong (printf "%s names keys of a Secret and no Secret: set %s.existingSecret." $name $name) -}}
{{- end -}}
{{- if and $said.existingSecret (not (or $said.tokenKey $said.passwordKey $said.caKey)) -}}
{{- $wrong = append $wrong (printf "%s.existingSecret is set and no key of it: set %s.tokenKey, passwordKey or caKey, or leave the Secret out." $name $name) -}}
{{- end -}}
{{- if regexMatch "^[a-z]+://[^/?#]*@" $said.url -}}
{{- $wrong = append $wrong (printf "%s.url holds a login: take it out, set %s.username, existingSecret and passwordKey." $name $name) -}}
{{- end -}}
{{- if ne (empty $said.username) (empty $said.passwordKey) -}}
{{- $wrong = append $wrong (printf "%s.username and %s.passwordKey belong together: set both or neither." $name $name) -}}
{{- end -}}
{{- if and $said.tokenKey $said.username -}}
{{- $wrong = append $wrong (printf "%s has both a token and a login: keep the one that it asks for." $name) -}}
{{- end -}}
{{- end -}}

{{- range $role := list "receiver" "worker" -}}
{{- $pdb := (index $v $role).pdb -}}
{{- $least := include "rollback-controller.pdbBound" (dict "pdb" $pdb "bound" "minAvailable") -}}
{{- $away := include "rollback-controller.pdbBound" (dict "pdb" $pdb "bound" "maxUnavailable") -}}
{{- $pods := int (index $v $role).replicas -}}
{{- if eq $role "worker" -}}
{{- range $v.worker.autoscaling }}{{ if .enabled }}{{ $pods = int .minReplicas }}{{ end }}{{ end -}}
{{- end -}}
{{- if and $pdb.enabled $least $away -}}
{{- $wrong = append $wrong (printf "%s.pdb has both minAvailable and maxUnavailable: set one of them to \"\"." $role) -}}
{{- else if and $pdb.enabled (not $least) (not $away) -}}
{{- $wrong = append $wrong (printf "%s.pdb has neither minAvailable nor maxUnavailable: set one of them, or %s.pdb.enabled=false." $role $role) -}}
{{- else if and $pdb.enabled (or (regexMatch "^0+%?$" $away) (eq $least "100%") (and (regexMatch "^[0-9]+$" $least) (gt $pods 0) (ge (int $least) $pods))) -}}
{{- $wrong = append $wrong (printf "%s.pdb lets none of %d pods go, so no node with one of them could be drained: set minAvailable to less than that, or maxUnavailable to 1 or more." $role $pods) -}}
{{- end -}}
{{- end -}}

{{- with $v.worker.autoscaling -}}
{{- if and .hpa.enabled .keda.enabled -}}
{{- $wrong = append $wrong "Two autoscalers would set the number of workers: keep either worker.autoscaling.hpa.enabled or worker.autoscaling.keda.enabled." -}}
{{- end -}}
{{- range $kind := list "hpa" "keda" -}}
{{- $auto := index $v.worker.autoscaling $kind -}}
{{- if and $auto.enabled (gt (int $auto.minReplicas) (int $auto.maxReplicas)) -}}
{{- $wrong = append $wrong (printf "worker.autoscaling.%s has more minReplicas than maxReplicas: set minReplicas to %d or less." $kind (int $auto.maxReplicas)) -}}
{{- end -}}
{{- end -}}
{{- if and .keda.enabled (or $v.prometheus.tokenKey $v.prometheus.passwordKey) (not .keda.authenticationRef) -}}
{{- $wrong = append $wrong "worker.autoscaling.keda asks Prometheus without the login of prometheus.existingSecret, which KEDA does not read: set worker.autoscaling.keda.authenticationRef to a TriggerAuthentication with it." -}}
{{- end -}}
{{- if and .keda.enabled .keda.authenticationRef (not (include "rollback-controller.kedaModes" $)) -}}
{{- $wrong = append $wrong "KEDA logs in only in a way that it is told: set worker.autoscaling.keda.authModes to bearer, basic, tls or custom, as its authenticationRef has it." -}}
{{- end -}}
{{- if and .keda.enabled (not $v.prometheus.url) -}}
{{- $wrong = append $wrong "worker.autoscaling.keda asks Prometheus for the length of the queue: set prometheus.url." -}}
{{- end -}}
{{- end -}}
{{- range $role, $number := dict "worker" (dict "key" "termination-grace-s" "is" 90 "why" "Workers would be killed before they give up") "receiver" (dict "key" "unready-s" "is" 3 "why" "Receivers would be killed while they still send senders elsewhere") -}}
{{- $key := hasKey $v.numbers ($number.key | replace "-" "_") | ternary ($number.key | replace "-" "_") $number.key -}}
{{- $is := hasKey $v.numbers $key | ternary (index $v.numbers $key) $number.is | float64 -}}
{{- if le (float64 (index $v $role).terminationGracePeriodSeconds) $is -}}
{{- $wrong = append $wrong (printf "%s: set %s.terminationGracePeriodSeconds to more than numbers.%s, to %d or so." $number.why $role $key (int (add (int $is) 10))) -}}
{{- end -}}
{{- end -}}

{{- if regexMatch ":[^/]*$" $v.image.repository -}}
{{- $wrong = append $wrong "image.repository holds a tag or a digest: set image.tag or image.digest to it." -}}
{{- end -}}
{{- if and $v.worker.autoscaling.hpa.enabled (not (dig "requests" "cpu" "" $v.worker.resources)) -}}
{{- $wrong = append $wrong "worker.autoscaling.hpa goes by a share of the requested CPU, and none is requested: set worker.resources.requests.cpu." -}}
{{- end -}}

{{- with $v.receiver.service -}}
{{- if and .headless (ne .type "ClusterIP") -}}
{{- $wrong = append $wrong (printf "A Service without an address of its own cannot be a %s: set receiver.service.headless=false, or type=ClusterIP." .type) -}}
{{- end -}}
{{- if and .headless (ne (int .port) (int $v.receiver.containerPort)) -}}
{{- $wrong = append $wrong (printf "Without an address of its own the Service cannot lead from one port to another: set receiver.service.port to receiver.containerPort, which is %d." (int $v.receiver.containerPort)) -}}
{{- end -}}
{{- if and .nodePort (eq .type "ClusterIP") -}}
{{- $wrong = append $wrong "receiver.service.nodePort is of no use to a ClusterIP: set receiver.service.type=NodePort, or leave nodePort out." -}}
{{- end -}}
{{- if and .loadBalancerSourceRanges (ne .type "LoadBalancer") -}}
{{- $wrong = append $wrong "receiver.service.loadBalancerSourceRanges keeps nobody out without a load balancer: set receiver.service.type=LoadBalancer, or say it in networkPolicy.from." -}}
{{- end -}}
{{- if and (hasSuffix "DualStack" .ipFamilyPolicy) (not (contains ":" $v.receiver.listenAddress)) -}}
{{- $wrong = append $wrong (printf "receiver.service.ipFamilyPolicy may give the Service an address that nobody listens on: set receiver.listenAddress to [::], which takes both families; %s is IPv4 alone." $v.receiver.listenAddress) -}}
{{- end -}}
{{- end -}}

{{- if and $v.targets.inCluster (not $v.worker.serviceAccount.create) (not $v.worker.serviceAccount.name) -}}
{{- $wrong = append $wrong "The rights would go to every pod of the namespace that names no service account: set worker.serviceAccount.name to one that is there, or worker.serviceAccount.create=true." -}}
{{- end -}}
{{- if and $v.targets.inCluster (eq (include "rollback-controller.serviceAccount" (dict "root" . "role" "receiver")) (include "rollback-controller.serviceAccount" (dict "root" . "role" "worker"))) $v.worker.serviceAccount.name -}}
{{- $wrong = append $wrong "The receiver would have the workers' rights: give receiver.serviceAccount.name and worker.serviceAccount.name different names." -}}
{{- end -}}

{{- with $v.networkPolicy -}}
{{- if and .enabled .egress.enabled -}}
{{- if and (include "rollback-controller.hasOwnRedis" $) (not .egress.redis) -}}
{{- $wrong = append $wrong "networkPolicy.egress.enabled lets nobody reach your Redis: set networkPolicy.egress.redis to where it is, as `egress` of a NetworkPolicy." -}}
{{- end -}}
{{- if and (or (include "rollback-controller.hasInventory" $) $v.prometheus.url $v.alertmanager.url $v.notify) (not .egress.workers) -}}
{{- $wrong = append $wrong "networkPolicy.egress.enabled lets workers reach no host, monitoring or channel: set networkPolicy.egress.workers to where they are, as `egress` of a NetworkPolicy." -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and $v.metrics.serviceMonitor.enabled $v.metrics.podMonitor.enabled -}}
{{- $wrong = append $wrong "Each server would be scraped twice: keep either metrics.serviceMonitor.enabled or metrics.podMonitor.enabled." -}}
{{- end -}}
{{- if and $v.ingress.enabled (not $v.ingress.hosts) -}}
{{- $wrong = append $wrong "The Ingress has no host: set ingress.hosts, or ingress.enabled=false." -}}
{{- end -}}
{{- if and $v.httpRoute.enabled (not $v.httpRoute.parentRefs) -}}
{{- $wrong = append $wrong "The HTTPRoute has no Gateway: set httpRoute.parentRefs, or httpRoute.enabled=false." -}}
{{- end -}}

{{- if $wrong -}}
{{- fail (printf "these values cannot be used:\n  - %s" (join "\n  - " $wrong)) -}}
{{- end -}}
{{- end -}}

{{/* An amount of memory as bytes, in Kubernetes' units or in Valkey's, where kb is 1024 and k is 1000. */}}
{{- define "rollback-controller.bytes" -}}
{{- $said := toString . | lower -}}
{{- $units := dict "" 1 "b" 1 "k" 1000 "kb" 1024 "ki" 1024 "m" 1000000 "mb" 1048576 "mi" 1048576 "g" 1000000000 "gb" 1073741824 "gi" 1073741824 "t" 1000000000000 "ti" 1099511627776 -}}
{{- mulf (regexFind "^[0-9.]+" $said | float64) (index $units (regexFind "[a-z]*$" $said) | default 1 | float64) | printf "%.0f" -}}
{{- end -}}
