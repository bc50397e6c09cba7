package proxy

import (
	"errors"
	"fmt"

	"github.com/troupe-mesh/troupe/bootstrap/config"
)

// Supported says what of a configuration this version does not do; nil means that [Start] takes it. Nothing is touched.
func Supported(c *config.Config) error {
	var problems []error
	refuse := func(name, value, remedy string) {
		problems = append(problems, fmt.Errorf("%s=%s is not supported by this version: %s", name, value, remedy))
	}
	if c.LocalFastpath && c.ProxyMode == config.Dedicated {
		refuse("LOCAL_FASTPATH", "true", "leave LOCAL_FASTPATH unset: a dedicated proxy serves one workload only")
	}
	return errors.Join(problems...)
}
