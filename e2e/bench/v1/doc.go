// Package v1 is the stock data path that Troupe's is measured against: two proxies on golang.org/x/net/http2, as one
// would write them without an HTTP/2 of one's own. It is frozen: what is measured against it must not change with it,
// so it shares nothing with the product and is never improved.
//
// The client's side accepts connections, asks the entry where each wants to go, and carries it as the stream of a
// CONNECT over a pooled connection with mutual TLS. The server's side answers CONNECTs by dialling their authority.
// Sizes: 1 MiB frames, windows of 4 MiB per stream and 16 MiB per connection, 64 KiB copies with a flush after each
// write, 100 streams per connection.
package v1

import "io"

const (
	frameSize        = 1 << 20
	streamWindow     = 4 << 20
	connectionWindow = 16 << 20
	copySize         = 64 << 10
	streamsPerConn   = 100
)

// plainWriter and plainReader hide what else their streams can do, so that io.CopyBuffer uses its buffer.
type (
	plainWriter struct{ io.Writer }
	plainReader struct{ io.Reader }
)
