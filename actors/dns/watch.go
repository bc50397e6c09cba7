package dns

import "strings"

// suspicious is how many questions for services of other cluster domains make a pod suspicious, while none is for its own.
const suspicious = 64

// domainWatch notices that the cluster domain is configured wrongly: a pod goes on asking for names such as
// a.b.svc.other.domain, and never for one below CLUSTER_DOMAIN. It tells so once.
type domainWatch struct {
	strangers int
	over      bool
}

// see looks at a name that is asked for. It returns the other domain when it is time to tell.
func (w *domainWatch) see(host, domain string) (seen string) {
	if w.over {
		return ""
	}
	_, below, ok := strings.Cut(host, ".svc.")
	if !ok || !strings.Contains(below, ".") {
		return ""
	}
	if below == domain || strings.HasSuffix(below, "."+domain) {
		w.over = true
		return ""
	}
	if w.strangers++; w.strangers < suspicious {
		return ""
	}
	w.over = true
	return below
}
