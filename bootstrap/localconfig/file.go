package localconfig

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/troupe-mesh/troupe/messages"
	"go.yaml.in/yaml/v3"
)

// File is the static state in the form in which discovery delivers it to the stores.
type File struct {
	Workloads []messages.WorkloadUpdate
	Services  []messages.ServiceUpdate
	Policies  []*messages.Authorization
}

// Read parses the file at path.
func Read(path string) (*File, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read local state (LOCAL_XDS_PATH): %w", err)
	}
	f, err := Parse(content)
	if err != nil {
		return nil, fmt.Errorf("local state in %s is wrong:\n%w", path, err)
	}
	return f, nil
}

// Parse reads YAML text. The error is a [Problems], or the parser's own where the text is no YAML at all. An empty text
// is an empty state.
func Parse(text []byte) (*File, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var document yaml.Node
	err := decoder.Decode(&document)
	if errors.Is(err, io.EOF) {
		return &File{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("local state is not YAML: %w", err)
	}
	r := &reader{}
	f := r.file(&document)
	var second yaml.Node
	if err := decoder.Decode(&second); err == nil {
		r.reject(&second, "document", "there is a second document; put everything into one")
	} else if !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("local state is not YAML: %w", err)
	}
	if len(r.problems) > 0 {
		slices.SortStableFunc(r.problems, byLine)
		return nil, r.problems
	}
	return f, nil
}

func (r *reader) file(document *yaml.Node) *File {
	f := &File{}
	root := document
	if root.Kind == yaml.DocumentNode {
		root = root.Content[0]
	}
	if isNull(root) {
		return f
	}
	o := r.object(root, "")
	for _, item := range o.list("workloads", optional) {
		f.Workloads = append(f.Workloads, r.workload(item))
	}
	for _, item := range o.list("services", optional) {
		f.Services = append(f.Services, r.service(item))
	}
	for _, item := range o.list("policies", optional) {
		f.Policies = append(f.Policies, r.policy(item))
	}
	o.done()
	return f
}
