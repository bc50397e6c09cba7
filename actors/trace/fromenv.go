package trace

import (
	"context"
	"io"
	"maps"
	"math"
	"os"
	"strconv"
	"strings"
	"time"
)

// consoleQuiet is how long a trace must be quiet before OTEL_TRACES_EXPORTER=console prints it.
const consoleQuiet = 2 * time.Second

// ProviderFromEnv makes a provider from OpenTelemetry's standard variables (environ as of os.Environ) on top of base,
// whose Service and Resource are defaults and whose Direct exporters are added to. It returns nil, which turns
// tracing off, when no variable asks for an exporter and base has none, or OTEL_SDK_DISABLED is true.
//
// Understood are OTEL_SDK_DISABLED, OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, OTEL_TRACES_EXPORTER (otlp, console,
// none), OTEL_TRACES_SAMPLER and _ARG, OTEL_BSP_*, and OTEL_EXPORTER_OTLP_* with its _TRACES_ forms: ENDPOINT,
// PROTOCOL, HEADERS, TIMEOUT, COMPRESSION, INSECURE, CERTIFICATE, CLIENT_CERTIFICATE, CLIENT_KEY. A value that can't be
// used is an *EnvError.
//
// Two defaults differ from the specification's: the sampler is parentbased_traceidratio at 0.01, because a proxy sees
// every connection (TRACING §5.3); and without PROTOCOL an endpoint at port 4317 is spoken to by gRPC.
func ProviderFromEnv(environ []string, base ProviderOptions) (*Provider, error) {
	return providerFromEnv(environ, base, os.Stdout)
}

func providerFromEnv(list []string, o ProviderOptions, console io.Writer) (*Provider, error) {
	e := newEnviron(list)
	if e.bool("OTEL_SDK_DISABLED", e.values["OTEL_SDK_DISABLED"]) {
		return nil, nil
	}
	o.Service = orString(e.values["OTEL_SERVICE_NAME"], o.Service)
	o.Resource = maps.Clone(o.Resource)
	for k, v := range e.pairs("OTEL_RESOURCE_ATTRIBUTES", e.values["OTEL_RESOURCE_ATTRIBUTES"]) {
		if o.Resource == nil {
			o.Resource = make(map[string]string)
		}
		if k == "service.name" && e.values["OTEL_SERVICE_NAME"] == "" {
			o.Service = v
		}
		o.Resource[k] = v
	}
	o.readSampler(e)
	o.readBatch(e)
	otlp, toConsole := e.exporters()
	dest := e.destination()
	if e.err != nil {
		return nil, e.err
	}
	if !otlp && !toConsole && len(o.Direct)+len(o.Exporters) == 0 {
		return nil, nil
	}
	o.Direct, o.Exporters = append([]Exporter(nil), o.Direct...), append([]Exporter(nil), o.Exporters...)
	if otlp {
		exporter, err := dest.open(context.Background())
		if err != nil {
			return nil, err
		}
		o.Exporters = append(o.Exporters, exporter)
	}
	if toConsole {
		o.Direct = append(o.Direct, NewLiveTree(console, consoleQuiet))
	}
	return NewProvider(o)
}

// exporters says which exporters are asked for; an endpoint asks for otlp.
func (e *environ) exporters() (otlp, console bool) {
	const name = "OTEL_TRACES_EXPORTER"
	list := e.values[name]
	if list == "" {
		_, endpoint := e.traces("ENDPOINT")
		return endpoint != "", false
	}
	for kind := range strings.SplitSeq(list, ",") {
		switch strings.TrimSpace(kind) {
		case "otlp":
			otlp = true
		case "console":
			console = true
		case "none":
			if strings.Contains(list, ",") {
				e.refuse(name, "none alone, or a list of otlp and console")
			}
		default:
			e.refuse(name, "otlp, console or none (zipkin and jaeger collectors take otlp)")
		}
	}
	return otlp, console
}

func (o *ProviderOptions) readSampler(e *environ) {
	const name, argName = "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"
	if o.Ratio == 0 {
		o.Ratio = DefaultRatio
	}
	kind, parentBased := strings.CutPrefix(e.values[name], "parentbased_")
	arg := e.values[argName]
	if e.values[name] == "" {
		kind, parentBased = "traceidratio", true
		if arg == "" {
			arg = strconv.FormatFloat(o.Ratio, 'g', -1, 64)
		}
	}
	o.IgnoreParents = !parentBased
	switch kind {
	case "always_on":
		o.Ratio = 1
	case "always_off":
		o.Ratio = 0
	case "traceidratio":
		ratio := 1.0
		if arg != "" {
			var err error
			if ratio, err = strconv.ParseFloat(arg, 64); err != nil || ratio < 0 || ratio > 1 || math.IsNaN(ratio) {
				e.refuse(argName, "a number from 0 to 1")
				return
			}
		}
		o.Ratio = ratio
	default:
		e.refuse(name, "always_on, always_off, traceidratio, parentbased_always_on, parentbased_always_off or parentbased_traceidratio")
	}
}

// maxSpanQueue bounds what OTEL_BSP_MAX_QUEUE_SIZE may ask for: about 1 GiB of spans.
const maxSpanQueue = 1_000_000

func (o *ProviderOptions) readBatch(e *environ) {
	o.BatchDelay = orInt(e.millis("OTEL_BSP_SCHEDULE_DELAY"), o.BatchDelay)
	o.ExportTimeout = orInt(e.millis("OTEL_BSP_EXPORT_TIMEOUT"), o.ExportTimeout)
	o.SpanQueue = orInt(e.count("OTEL_BSP_MAX_QUEUE_SIZE", maxSpanQueue), o.SpanQueue)
	o.Batch = orInt(e.count("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", maxSpanQueue), o.Batch)
	if queue := orInt(o.SpanQueue, DefaultSpanQueue); o.Batch > queue {
		e.refuse("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "at most OTEL_BSP_MAX_QUEUE_SIZE, which is "+strconv.Itoa(queue))
	}
}
