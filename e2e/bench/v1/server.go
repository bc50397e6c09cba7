package v1

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"

	"golang.org/x/net/http2"
)

// Server is the server's side.
type Server struct {
	// TLS is the server's configuration of mutual TLS.
	TLS *tls.Config
}

// Serve accepts tunnels until the listener is closed.
func (s *Server) Serve(listener net.Listener) error {
	server := &http2.Server{ //nolint:staticcheck // the stock HTTP/2 is the point
		MaxReadFrameSize: frameSize, MaxConcurrentStreams: 2 * streamsPerConn, //nolint:staticcheck // the stock HTTP/2 is the point
		MaxUploadBufferPerStream: streamWindow, MaxUploadBufferPerConnection: connectionWindow, //nolint:staticcheck // the stock HTTP/2 is the point
	}
	for {
		raw, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer func() { _ = raw.Close() }()
			secure := tls.Server(raw, s.TLS)
			if secure.Handshake() == nil {
				server.ServeConn(secure, &http2.ServeConnOpts{Handler: http.HandlerFunc(carryTunnel)}) //nolint:staticcheck // the stock HTTP/2 is the point
			}
		}()
	}
}

// carryTunnel carries one CONNECT to its end.
func carryTunnel(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	conn, err := (&net.Dialer{}).DialContext(r.Context(), "tcp", r.Host)
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	app := conn.(*net.TCPConn)
	defer func() { _ = app.Close() }()
	w.WriteHeader(http.StatusOK)
	control := http.NewResponseController(w)
	if control.Flush() != nil {
		return
	}
	up := make(chan struct{})
	go func() {
		defer close(up)
		_, err := io.CopyBuffer(plainWriter{app}, plainReader{r.Body}, make([]byte, copySize))
		if err == nil {
			_ = app.CloseWrite()
		} else {
			_ = app.Close()
		}
	}()
	buffer := make([]byte, copySize)
	for {
		n, err := app.Read(buffer)
		if n > 0 {
			if _, err := w.Write(buffer[:n]); err != nil || control.Flush() != nil {
				break
			}
		}
		if err != nil {
			break
		}
	}
	<-up
}
