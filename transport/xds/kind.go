package xds

// Kind is a type of resource.
type Kind uint8

// The kinds, in the order in which they are asked for.
const (
	Addresses      Kind = iota // workloads and services
	Authorizations             // policies
	unknownKind
)

// Kinds is how many there are.
const Kinds = int(unknownKind)

const typePrefix = "type.googleapis.com/"

// TypeURL is the kind's name on the wire.
func (k Kind) TypeURL() string {
	return [...]string{typePrefix + "istio.workload.Address", typePrefix + "istio.security.Authorization", ""}[k]
}

// String is the kind's name in logs.
func (k Kind) String() string { return [...]string{"addresses", "authorizations", "unknown"}[k] }

func kindOf(typeURL string) Kind {
	for k := range unknownKind {
		if k.TypeURL() == typeURL {
			return k
		}
	}
	return unknownKind
}
