// Package localconfig reads the static state of a node that runs without a control plane: a YAML file, or text in an
// environment variable, with workloads, services and policies (spec/control.md §4).
//
//	workloads:
//	- {uid: a, name: cart-0, namespace: shop, workloadIps: [127.0.0.12], protocol: HBONE, services: {}}
//	services:
//	- {name: cart, namespace: shop, hostname: cart.shop, vips: [/127.20.0.1], ports: {80: 8080}}
//	policies:
//	- {name: p, namespace: shop, scope: Namespace, action: Allow, dryRun: false,
//	   rules: [[[{principals: [!Exact cluster.local/ns/shop/sa/buyer]}]]]}
//
// [Parse] gives the whole file or a [Problems] error that lists everything that is wrong, each with its line, the field,
// what it says and what would be right. Unknown keys are refused, in policies too: an ignored key would widen a rule.
// Beyond the reference's format, an empty trustDomain, serviceAccount or clusterId means what it means in xDS, string
// matches may be written as maps ({Exact: foo}), ports as text, and a workload knows the services it is an endpoint of.
package localconfig
