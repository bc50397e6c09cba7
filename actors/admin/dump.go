package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/troupe-mesh/troupe/actors/logs"
	"github.com/troupe-mesh/troupe/messages"
)

// dumper answers /config_dump (spec/ops.md §5.4, spec/control.md §7): one object, keys sorted at every level.
type dumper struct {
	sources Sources
	log     *logs.Logger
}

func (d *dumper) serve(w http.ResponseWriter, r *http.Request) {
	sections, err := d.collect(r.Context())
	if err != nil {
		writeText(w, http.StatusInternalServerError, err.Error())
		return
	}
	var body bytes.Buffer
	e := json.NewEncoder(&body)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(sections); err != nil {
		writeText(w, http.StatusInternalServerError, fmt.Sprintf("encode the dump: %v", err))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(bytes.TrimSuffix(body.Bytes(), []byte("\n"))) // the client is gone, or will see that it is short
}

// collect asks everyone. What can't answer fails the whole dump: half of it would look like a state that never was.
func (d *dumper) collect(ctx context.Context) (map[string]any, error) {
	s := &d.sources
	sections := map[string]any{"staticConfig": d.static()}
	for name, value := range map[string]any{"config": s.Config, "version": s.Version} {
		sorted, err := sortKeys(value)
		if err != nil {
			return nil, fmt.Errorf("dump %s: %w", name, err)
		}
		sections[name] = sorted
	}
	workloads, err := call(ctx, s.Workloads)
	if err != nil {
		return nil, fmt.Errorf("dump workloads: %w", err)
	}
	sections["workloads"] = dumpWorkloads(workloads)
	services, err := call(ctx, s.Services)
	if err != nil {
		return nil, fmt.Errorf("dump services: %w", err)
	}
	if services == nil {
		services = &messages.ServicesDumped{}
	}
	sections["services"] = dumpServices(services.Services)
	sections["stagedServices"] = dumpStaged(services.Staged)
	policies, err := call(ctx, s.Policies)
	if err != nil {
		return nil, fmt.Errorf("dump policies: %w", err)
	}
	sections["policies"] = dumpPolicies(policies)
	if unknown := dumpUnknownPolicies(workloads, policies); len(unknown) > 0 {
		sections["unknownPolicies"] = unknown
	}
	certificates, err := call(ctx, s.Certificates)
	if err != nil {
		return nil, fmt.Errorf("dump certificates: %w", err)
	}
	sections["certificates"] = dumpCertificates(certificates)
	for name, section := range s.Sections {
		value, err := section(ctx)
		if err == nil {
			value, err = sortKeys(value)
		}
		if err != nil {
			return nil, fmt.Errorf("dump %s: %w", name, err)
		}
		sections[name] = value
	}
	return sections, nil
}

// static reads the local state again; it may be wrong by now, which is no reason to show nothing else.
func (d *dumper) static() map[string]any {
	state := &Static{}
	if d.sources.Static != nil {
		read, err := d.sources.Static()
		if err != nil {
			d.log.Error("failed to load static workloads from local XDS").Err(err).Send()
		} else if read != nil {
			state = read
		}
	}
	return map[string]any{
		"workloads": dumpStaticWorkloads(state.Workloads),
		"services":  dumpStaticServices(state.Services),
		"policies":  dumpPolicies(state.Policies),
	}
}

func call[T any](ctx context.Context, source func(context.Context) (T, error)) (T, error) {
	if source == nil {
		var none T
		return none, nil
	}
	return source(ctx)
}

// sortKeys turns a value into maps, whose keys come out sorted.
func sortKeys(value any) (any, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var sorted any
	err = decoder.Decode(&sorted)
	return sorted, err
}

// object is a JSON object under construction.
type object map[string]any

// opt sets a key unless the value is the type's default.
func (o object) opt(key string, value any, isDefault bool) {
	if !isDefault {
		o[key] = value
	}
}

func (o object) text(key, value string) { o.opt(key, value, value == "") }

// list is never null.
func list[T, U any](values []T, dump func(T) U) []U {
	all := make([]U, len(values))
	for i, v := range values {
		all[i] = dump(v)
	}
	return all
}
