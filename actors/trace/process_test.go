package trace

import (
	"os"
	"runtime"
	"strings"
	"testing"
)

func TestOpenFilesAreCounted(t *testing.T) {
	before, err := openFDs()
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
	}
	after, err := openFDs()
	if err != nil || after != before+3 {
		t.Errorf("%d open files, then %d with three more (%v)", before, after, err)
	}
}

func TestProcessMetricsComeFirstAndWithoutPeriod(t *testing.T) {
	n := newNode(t, nodeOptions{off: true})
	var b strings.Builder
	if err := n.WriteMetrics(&b); err != nil {
		t.Fatal(err)
	}
	want := "# HELP process_open_fds Number of open file descriptors\n# TYPE process_open_fds gauge\nprocess_open_fds "
	if got := b.String(); runtime.GOOS == "linux" && !strings.HasPrefix(got, want) {
		t.Errorf("got\n%s", got)
	}
	for _, want := range []string{
		"# HELP process_max_fds Maximum number of file descriptors\n", "# HELP tokio_num_workers the number of worker threads used by the runtime\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}
