package grpcdial

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
)

// Header is an entry that goes with each call. Key is lower case.
type Header struct{ Key, Value string }

// The headers of istiod's authentication (spec/control.md §2.3).
const (
	headerAuthorization = "authorization"
	headerCluster       = "clusterid"
)

// perCall adds the headers to a call.
type perCall struct {
	token   Token
	cluster string
	headers []Header
}

var _ credentials.PerRPCCredentials = (*perCall)(nil)

// GetRequestMetadata reads the token anew. Those of authentication win over extra headers of the same name.
func (c *perCall) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	all := make(map[string]string, len(c.headers)+2)
	for _, h := range c.headers {
		all[h.Key] = h.Value
	}
	if c.token.IsZero() {
		return all, nil
	}
	token, err := c.token.Read()
	if err != nil {
		return nil, status.Error(codes.Unauthenticated, err.Error())
	}
	all[headerAuthorization], all[headerCluster] = "Bearer "+token, c.cluster
	return all, nil
}

// RequireTransportSecurity keeps the token from going out in clear.
func (c *perCall) RequireTransportSecurity() bool { return true }
