package trace

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"google.golang.org/grpc/credentials"
)

// The OTLP protocols.
const (
	protocolGRPC = "grpc"
	protocolHTTP = "http/protobuf"
	protocolJSON = "http/json"
)

const defaultOTLPTimeout = 10 * time.Second

// destination is where OTLP goes, with everything settled, so that the exporters have nothing to read themselves.
type destination struct {
	protocol string
	endpoint *url.URL
	headers  map[string]string
	timeout  time.Duration
	gzip     bool
	tls      *tls.Config
}

// destination reads OTEL_EXPORTER_OTLP_* and its _TRACES_ forms.
func (e *environ) destination() *destination {
	d := &destination{timeout: defaultOTLPTimeout}
	endpointName, endpoint := e.traces("ENDPOINT")
	name, protocol := e.traces("PROTOCOL")
	d.protocol = e.oneOf(name, protocol, guessProtocol(endpoint), protocolGRPC, protocolHTTP, protocolJSON)
	name, compression := e.traces("COMPRESSION")
	d.gzip = e.oneOf(name, compression, "none", "gzip", "none") == "gzip"
	name, headers := e.traces("HEADERS")
	d.headers = e.pairs(name, headers)
	if name, _ = e.traces("TIMEOUT"); name != "" {
		d.timeout = e.millis(name)
	}
	d.endpoint = e.endpoint(endpointName, endpoint, d.protocol)
	d.tls = e.tls()
	return d
}

func guessProtocol(endpoint string) string {
	if strings.HasSuffix(strings.TrimRight(endpoint, "/"), ":4317") {
		return protocolGRPC
	}
	return protocolHTTP
}

// endpoint is the URL that spans are sent to. Over HTTP the general variable names the base of all signals, the one for
// traces the whole URL. gRPC takes a bare host:port too; INSECURE says how.
func (e *environ) endpoint(name, value, protocol string) *url.URL {
	insecureName, insecureValue := e.traces("INSECURE")
	insecure := e.bool(insecureName, insecureValue)
	if value == "" {
		value = "http://localhost:4318"
		if protocol == protocolGRPC {
			value = "http://localhost:4317"
		}
	}
	if protocol == protocolGRPC && !strings.Contains(value, "://") {
		value = map[bool]string{true: "http://", false: "https://"}[insecure] + value
	}
	u, err := url.Parse(value)
	if err != nil || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https") {
		want := "a URL such as http://collector:4318"
		if protocol == protocolGRPC {
			want = "a URL such as http://collector:4317"
		}
		e.refuse(name, want)
		return nil
	}
	if protocol != protocolGRPC && name != "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" {
		u = u.JoinPath("v1", "traces")
	}
	return u
}

// tls is nil where no certificate is configured: then the system's roots are used.
func (e *environ) tls() *tls.Config {
	caName, ca := e.traces("CERTIFICATE")
	certName, cert := e.traces("CLIENT_CERTIFICATE")
	keyName, key := e.traces("CLIENT_KEY")
	if ca == "" && cert == "" && key == "" {
		return nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		pem, err := os.ReadFile(ca)
		c.RootCAs = x509.NewCertPool()
		if err != nil || !c.RootCAs.AppendCertsFromPEM(pem) {
			e.refuse(caName, "a readable file with PEM certificates")
		}
	}
	switch {
	case cert == "" && key == "":
	case cert == "":
		e.refuse(keyName, "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE beside it")
	case key == "":
		e.refuse(certName, "OTEL_EXPORTER_OTLP_CLIENT_KEY beside it")
	default:
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			e.refuse(certName, "a PEM certificate that fits the key: "+err.Error())
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c
}

// open makes the exporter. It does not connect yet.
func (d *destination) open(ctx context.Context) (Exporter, error) {
	var exporter Exporter
	var err error
	if d.protocol == protocolGRPC {
		exporter, err = otlptracegrpc.New(ctx, d.grpc()...)
	} else {
		exporter, err = otlptracehttp.New(ctx, d.http()...)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open OTLP exporter to %s by %s", d.endpoint, d.protocol), err)
	}
	return exporter, nil
}

func (d *destination) grpc() []otlptracegrpc.Option {
	o := []otlptracegrpc.Option{
		otlptracegrpc.WithEndpointURL(d.endpoint.String()),
		otlptracegrpc.WithHeaders(d.headers),
		otlptracegrpc.WithTimeout(d.timeout),
	}
	if d.gzip {
		o = append(o, otlptracegrpc.WithCompressor("gzip"))
	}
	if d.endpoint.Scheme == "https" && d.tls != nil {
		o = append(o, otlptracegrpc.WithTLSCredentials(credentials.NewTLS(d.tls)))
	}
	return o
}

func (d *destination) http() []otlptracehttp.Option {
	o := []otlptracehttp.Option{
		otlptracehttp.WithEndpointURL(d.endpoint.String()),
		otlptracehttp.WithHeaders(d.headers),
		otlptracehttp.WithTimeout(d.timeout),
		otlptracehttp.WithCompression(otlptracehttp.NoCompression),
		otlptracehttp.WithEncoding(otlptracehttp.EncodingProtobuf),
	}
	if d.gzip {
		o = append(o, otlptracehttp.WithCompression(otlptracehttp.GzipCompression))
	}
	if d.protocol == protocolJSON {
		o = append(o, otlptracehttp.WithEncoding(otlptracehttp.EncodingJSON))
	}
	if d.tls != nil {
		o = append(o, otlptracehttp.WithTLSClientConfig(d.tls))
	}
	return o
}
