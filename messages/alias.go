package messages

import "strings"

// HostQuestion is a host name as one client means it (spec/control.md §6.4).
type HostQuestion struct {
	// Name is what was asked for, in the form of CanonicalHost.
	Name string
	// Namespace is the client's.
	Namespace string
	// Domain is CLUSTER_DOMAIN, without a final dot.
	Domain string
	// Search are the client's search domains, without final dots.
	Search []string
}

// Alias is one of the names by which a client may mean a service.
type Alias struct {
	Name string
	// Stripped is the question without one of the search domains, where the alias came about so.
	Stripped string
}

// Aliases visits the names to try, in order, until visit returns false: the name itself, its Kubernetes expansions, and
// for each search domain that it ends with the same of the name without it. A name may come twice; the first time counts.
func (q *HostQuestion) Aliases(visit func(Alias) bool) {
	if !q.expand(q.Name, "", visit) {
		return
	}
	for _, domain := range q.Search {
		if stripped, ok := trimDomain(q.Name, domain); ok && !q.expand(stripped, stripped, visit) {
			return
		}
	}
}

// expand visits a name and its expansions into a service's full name.
func (q *HostQuestion) expand(name, stripped string, visit func(Alias) bool) bool {
	if !visit(Alias{name, stripped}) {
		return false
	}
	for _, full := range q.Expansions(name) {
		if full != "" && !visit(Alias{full, stripped}) {
			return false
		}
	}
	return true
}

// Expansions are the full names that a short one may stand for, in order; the empty string is none.
func (q *HostQuestion) Expansions(name string) [2]string {
	const svc = ".svc"
	switch labels := strings.Count(name, ".") + 1; {
	case labels == 1: // service
		return [2]string{name + "." + q.Namespace + svc + "." + q.Domain}
	case labels == 2: // service.namespace, or pod.subdomain
		return [2]string{name + svc + "." + q.Domain, name + "." + q.Namespace + svc + "." + q.Domain}
	case labels == 3 && strings.HasSuffix(name, svc): // service.namespace.svc, or pod.subdomain.namespace
		return [2]string{name + "." + q.Domain, name + svc + "." + q.Domain}
	case labels == 3:
		return [2]string{name + svc + "." + q.Domain}
	case labels == 4 && strings.HasSuffix(name, svc): // pod.subdomain.namespace.svc
		return [2]string{name + "." + q.Domain}
	}
	return [2]string{}
}

// ServiceSuffix is how the names of the cluster's own services end.
func (q *HostQuestion) ServiceSuffix() string { return ".svc." + q.Domain }

// trimDomain takes a domain off the end of a name that has more labels than it.
func trimDomain(name, domain string) (string, bool) {
	if domain == "" || domain == "*" || strings.HasPrefix(domain, "*.") {
		return "", false
	}
	rest, ok := strings.CutSuffix(name, domain)
	if !ok || len(rest) < 2 || rest[len(rest)-1] != '.' {
		return "", false
	}
	return rest[:len(rest)-1], true
}

// Wildcards visits a name and then the wildcards that cover it, the longest first, down to the one above its last label.
// What it shows is good until visit returns.
func Wildcards(name string, visit func(host []byte, wildcard bool) bool) {
	var room [260]byte
	host := append(room[:0], name...)
	if !visit(host, false) {
		return
	}
	for at := strings.IndexByte(name, '.'); at >= 0; {
		host = append(append(room[:0], '*'), name[at:]...)
		if !visit(host, true) {
			return
		}
		next := strings.IndexByte(name[at+1:], '.')
		if next < 0 {
			return
		}
		at += 1 + next
	}
}
