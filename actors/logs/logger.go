package logs

// Logger starts lines of one scope. It is immutable and safe for concurrent use.
type Logger struct {
	logs  *Logs
	scope *scope
	spans []span
}

// Enabled reports whether a line of that level may pass the filter. It costs an atomic load.
func (g *Logger) Enabled(level Level) bool { return level <= g.scope.state.Load().level }

// Error starts a line at level error; nil when the filter refuses it, as with the others.
func (g *Logger) Error(message string) *Line { return g.At(Error, message) }

// Warn starts a line at level warn.
func (g *Logger) Warn(message string) *Line { return g.At(Warn, message) }

// Info starts a line at level info.
func (g *Logger) Info(message string) *Line { return g.At(Info, message) }

// Debug starts a line at level debug.
func (g *Logger) Debug(message string) *Line { return g.At(Debug, message) }

// Trace starts a line at level trace.
func (g *Logger) Trace(message string) *Line { return g.At(Trace, message) }

// At starts a line at a level. The empty message means that the line has none.
func (g *Logger) At(level Level, message string) *Line {
	state := g.scope.state.Load()
	if level > state.level || level == Off {
		return nil
	}
	line := g.logs.lines.Get().(*Line)
	line.start(g, level, state, message)
	return line
}

// With is a logger whose lines stand in a span: it shows after the scope in text and at the end in JSON. The span is of
// level info and belongs to the logger's own scope; where the filter refuses that, it does not show.
func (g *Logger) With(name string, fields ...Field) *Logger {
	spans := make([]span, len(g.spans), len(g.spans)+1)
	copy(spans, g.spans)
	return &Logger{logs: g.logs, scope: g.scope, spans: append(spans, newSpan(g.scope, name, fields))}
}

// In is the logger of another scope that stands in the same spans.
func (g *Logger) In(target string) *Logger {
	return &Logger{logs: g.logs, scope: g.logs.scopeOf(target), spans: g.spans}
}
