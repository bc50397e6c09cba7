package admin

import (
	"errors"
	"net/http"

	"github.com/troupe-mesh/troupe/actors/logs"
)

const loggingHelp = `
usage: POST /logging						(to list the current level)
usage: POST /logging?level=<level>				(to change the global level)
usage: POST /logging?level={mod1}:{level1},{mod2}:{level2}	(to change the levels of some modules)
usage: POST /logging?reset[&level=<level>]			(to go back to the level at start)

hint: loglevel:	error|warn|info|debug|trace|off
hint: mod_name:	the module name, i.e. ztunnel::proxy
`

// logging lists or changes the log's filter (spec/ops.md §5.2).
func logging(log *logs.Logs) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			writeText(w, http.StatusMethodNotAllowed, "Invalid HTTP method\n "+loggingHelp)
			return
		}
		level, _ := parameter(r, "level")
		_, reset := parameter(r, "reset")
		if level != "" || reset {
			if err := log.Change(reset, level); err != nil {
				writeText(w, http.StatusBadRequest, refusal(level, err)+"\n"+loggingHelp)
				return
			}
		}
		writeText(w, http.StatusOK, "current log level is "+log.Filter()+"\n")
	}
}

func refusal(level string, err error) string {
	if _, ok := errors.AsType[*logs.LevelError](err); ok {
		return "Invalid level provided: " + level
	}
	return "Failed to set new level: " + err.Error()
}
