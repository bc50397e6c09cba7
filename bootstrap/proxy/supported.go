package proxy

import "github.com/troupe-mesh/troupe/bootstrap/config"

// Supported says what of a configuration this version does not do; nil means that [Start] takes it.
func Supported(c *config.Config) error { return supported(c) }
