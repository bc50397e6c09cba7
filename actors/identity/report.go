package identity

import (
	"time"

	"github.com/troupe-mesh/troupe/messages"
)

// report logs a failed attempt as the reference does and tells the observer.
func (c *certificates) report(m *signed, kept bool, next time.Time) {
	c.config.Observe(Attempt{
		Identity: m.id, Priority: m.priority, Began: m.began, Took: m.took, Queued: m.queued, Err: m.err, Retained: kept, Retry: next,
	})
	switch {
	case m.err == nil:
		for _, skipped := range m.certificate.Skipped {
			c.config.Log.Warn("a root from the CA can't be a trust anchor").
				Str(messages.FieldIdentity, m.id.String()).Str(messages.FieldError, skipped.Error()).Send()
		}
		c.config.Log.Debug("certificate fetch succeeded").Str(messages.FieldIdentity, m.id.String()).Send()
	case kept:
		c.config.Log.Info("certificate renewal failed; the existing certificate is still valid and stays").
			Str(messages.FieldIdentity, m.id.String()).Str(messages.FieldError, m.err.Error()).
			Str(messages.FieldRetryAt, next.Format(time.RFC3339)).Send()
	case !next.IsZero():
		c.config.Log.Warn("certificate fetch failed and there is no valid certificate").
			Str(messages.FieldIdentity, m.id.String()).Str(messages.FieldError, m.err.Error()).
			Str(messages.FieldRetryAt, next.Format(time.RFC3339)).Send()
	}
}
