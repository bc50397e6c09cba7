package logs

import (
	"context"
	"log/slog"
)

// slogHandler sends what a library logs through slog to a scope.
type slogHandler struct {
	logger *Logger
	prefix string
	attrs  []slog.Attr // names complete
}

var _ slog.Handler = (*slogHandler)(nil)

// Slog is a handler that makes lines of this logger, for libraries that log through slog. Groups become dotted names.
func (g *Logger) Slog() slog.Handler { return &slogHandler{logger: g} }

// Enabled reports whether the filter may let a record of that level pass.
func (h *slogHandler) Enabled(_ context.Context, level slog.Level) bool {
	return h.logger.Enabled(fromSlog(level))
}

// Handle makes a line of a record.
func (h *slogHandler) Handle(_ context.Context, r slog.Record) error {
	line := h.logger.At(fromSlog(r.Level), r.Message)
	if line == nil {
		return nil
	}
	for _, a := range h.attrs {
		line.Str(a.Key, a.Value.String())
	}
	r.Attrs(func(a slog.Attr) bool {
		line.Str(h.prefix+a.Key, a.Value.Resolve().String())
		return true
	})
	line.Send()
	return nil
}

// WithAttrs is the handler whose lines have these fields too.
func (h *slogHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	all := make([]slog.Attr, len(h.attrs), len(h.attrs)+len(attrs))
	copy(all, h.attrs)
	for _, a := range attrs {
		all = append(all, slog.Attr{Key: h.prefix + a.Key, Value: a.Value.Resolve()})
	}
	return &slogHandler{logger: h.logger, prefix: h.prefix, attrs: all}
}

// WithGroup is the handler whose later fields have a prefix.
func (h *slogHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return &slogHandler{logger: h.logger, prefix: h.prefix + name + ".", attrs: h.attrs}
}

func fromSlog(level slog.Level) Level {
	switch {
	case level >= slog.LevelError:
		return Error
	case level >= slog.LevelWarn:
		return Warn
	case level >= slog.LevelInfo:
		return Info
	case level >= slog.LevelDebug:
		return Debug
	}
	return Trace
}
