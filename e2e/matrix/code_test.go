package matrix

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/troupe-mesh/troupe/messages"
)

var (
	faultNames = [...]string{"PanicOnce", "CrashLoop", "Drop", "Delay", "Duplicate", "LoseReply"}
	callNames  = map[string]string{
		Mesh: "Mesh", PlainOut: "PlainOut", PlainIn: "PlainIn", SOCKS: "SOCKS", Denied: "Denied", DeniedPlain: "DeniedPlain",
		Ready: "Ready", NextMesh: "NextMesh",
		LastingMesh: "LastingMesh", LastingPlainOut: "LastingPlainOut", LastingPlainIn: "LastingPlainIn", Doomed: "Doomed",
		Revoked: "Revoked",
	}
)

// code is what is seen as a row's code has it, for whoever adds or changes one.
func code(s Seen) string {
	var parts []string
	for _, o := range sortedValues(s.Calls) {
		parts = append(parts, outcomeCode(o, namesOf(Names(), s.Calls, o)))
	}
	for _, r := range sortedValues(s.Cut) {
		parts = append(parts, fmt.Sprintf("ends(%s, %s)", reasonCode(r), namesOf(lastingNames(), s.Cut, r)))
	}
	switch {
	case s.Heals == Never:
		parts = append(parts, "heals(Never)")
	case s.Heals > 0:
		parts = append(parts, "heals("+durationCode(s.Heals)+")")
	}
	if len(parts) == 0 {
		return "quiet,"
	}
	return "sees(" + strings.Join(parts, ", ") + "),"
}

func sortedValues[V comparable](of map[string]V) []V {
	all := slices.Collect(maps.Values(of))
	slices.SortFunc(all, func(a, b V) int { return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return slices.Compact(all)
}

// namesOf are the identifiers of those for whom v holds.
func namesOf[V comparable](order []string, of map[string]V, v V) string {
	var names []string
	for _, name := range order {
		if is, ok := of[name]; ok && is == v {
			names = append(names, callNames[name])
		}
	}
	return strings.Join(names, ", ")
}

func outcomeCode(o Outcome, names string) string {
	switch {
	case o.Answered && o.Reason == messages.ReasonNone:
		return "late(" + durationCode(o.After) + ", " + names + ")"
	case names == callNames[Ready]:
		return "unready(" + durationCode(o.After) + ")"
	case o.Unknown && o.After == 0:
		return "lost(" + names + ")"
	case !o.Answered && o.After == 0:
		return "failed(" + reasonCode(o.Reason) + ", " + names + ")"
	case !o.Answered && !o.Unknown:
		return "failedAfter(" + durationCode(o.After) + ", " + reasonCode(o.Reason) + ", " + names + ")"
	default:
		return fmt.Sprintf("went(%#v, []string{%s})", o, names)
	}
}

func durationCode(d time.Duration) string {
	switch {
	case d == 0:
		return "0"
	case d%time.Second == 0:
		return fmt.Sprintf("%d*time.Second", d/time.Second)
	default:
		return fmt.Sprintf("%d*time.Millisecond", d/time.Millisecond)
	}
}

// reasonCode is the constant's name, as nearly as it can be told from the reason's text.
func reasonCode(r messages.Reason) string {
	if r == messages.ReasonTLSHandshake {
		return "messages.ReasonTLSHandshake"
	}
	name := "messages.Reason"
	for word := range strings.SplitSeq(strings.TrimSuffix(r.String(), "_error"), "_") {
		name += strings.ToUpper(word[:1]) + word[1:]
	}
	return name
}
