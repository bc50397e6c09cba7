package messages

// DNSReason is why a question failed that a name server answered with a response code.
func DNSReason(rcode int) Reason {
	const formErr, servFail, notImp, refused = 1, 2, 4, 5
	switch rcode {
	case formErr:
		return ReasonDNSFormErr
	case servFail:
		return ReasonDNSServFail
	case notImp:
		return ReasonDNSNotImp
	case refused:
		return ReasonDNSRefused
	}
	return ReasonNameResolution
}
