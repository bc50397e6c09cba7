package messages

// SpanName is one of the closed list of span names (TRACING §10).
type SpanName uint8

// The span names.
const (
	SpanNone SpanName = iota
	SpanOutbound
	SpanInbound
	SpanConnect
	SpanAccept
	SpanClassify
	SpanAuthorize
	SpanTunnel
	SpanWorkloadWait
	SpanIdentityWait
	SpanPoolAcquire
	SpanDial
	SpanConnectionSetup
	SpanSocketConnect
	SpanTLSHandshake
	SpanH2Settings
	SpanTunnelSegment
	SpanTunnelClose
	SpanDNSQuery
	SpanDNSResolve
	SpanDNSForward
	SpanXDSApply
	SpanCSR
	SpanZDSAddPod
	SpanDrain
	SpanActorRestart
	spanCount
)

var spanNames = [spanCount]string{
	"", "outbound", "inbound", "CONNECT", "accept", "classify", "authorize", "tunnel", "workload.wait", "identity.wait",
	"pool.acquire", "dial", "hbone.connection_setup", "socket.connect", "tls.handshake", "h2.settings", "tunnel.segment",
	"tunnel.close", "dns.query", "dns.resolve", "dns.forward", "xds.apply", "csr", "zds.add_pod", "drain", "actor.restart",
}

// String is the span's name as exported.
func (n SpanName) String() string { return spanNames[n] }

// SpanNames lists the closed list.
func SpanNames() []SpanName {
	all := make([]SpanName, 0, spanCount-1)
	for n := SpanNone + 1; n < spanCount; n++ {
		all = append(all, n)
	}
	return all
}

// Attr is one attribute of a span or event: a field name of fields.go and a string, integer or boolean.
type Attr struct {
	Key  string
	Str  string
	Int  int64
	Kind AttrKind
}

// AttrKind says which value an Attr has.
type AttrKind uint8

// The kinds of attribute values.
const (
	AttrString AttrKind = iota
	AttrInt
	AttrBool
)

// StringAttr is a string attribute.
func StringAttr(key, v string) Attr { return Attr{Key: key, Str: v} }

// IntAttr is an integer attribute.
func IntAttr(key string, v int64) Attr { return Attr{Key: key, Int: v, Kind: AttrInt} }

// BoolAttr is a boolean attribute.
func BoolAttr(key string, v bool) Attr {
	a := Attr{Key: key, Kind: AttrBool}
	if v {
		a.Int = 1
	}
	return a
}
