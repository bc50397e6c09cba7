package identity

import (
	"time"

	"github.com/troupe-mesh/troupe/messages"
)

// report logs a finished attempt as the reference does. A certificate that is overdue in spite of it is said louder: it has
// ends left to live.
func (c *certificates) report(m *signed, kept bool, next time.Time, overdue bool, ends time.Duration) {
	switch {
	case m.err == nil:
		for _, skipped := range m.certificate.Skipped {
			c.config.Log.Warn("a root from the CA can't be a trust anchor").
				Str(messages.FieldIdentity, m.id.String()).Str(messages.FieldError, skipped.Error()).Send()
		}
		if overdue {
			c.config.Log.Warn("certificates from the CA live no longer than the one they replace, which nears its end: does the CA's own end?").
				Str(messages.FieldIdentity, m.id.String()).Str(messages.FieldExpiresIn, rounded(ends)).Send()
			return
		}
		c.config.Log.Debug("certificate fetch succeeded").Str(messages.FieldIdentity, m.id.String()).Send()
	case kept && overdue:
		c.config.Log.Warn("certificate renewal keeps failing; the existing certificate nears its end").
			Str(messages.FieldIdentity, m.id.String()).Str(messages.FieldExpiresIn, rounded(ends)).Str(messages.FieldError, m.err.Error()).
			Str(messages.FieldRetryAt, next.Format(time.RFC3339)).Send()
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

// rounded is d as a log line says it.
func rounded(d time.Duration) string { return max(d, 0).Round(time.Second).String() }
