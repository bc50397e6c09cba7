// Package discovery delivers what the sources of state say to the stores, in the order that keeps every intermediate state
// usable: workloads, then policies, then services, in bounded chunks, and removals the other way round. There are two: the
// local one (LOCAL_XDS_PATH, LOCAL_XDS), read once at start, and the control plane's (XDS_ADDRESS), whose resources add to
// it and replace it key by key.
//
// It keeps what it delivered in its [Memory], so that a store that crashed is delivered its state again, whether the control
// plane is there or not, and so that a control plane that is away changes nothing: what was said last holds. The node hears
// that its state is there when the stores have taken in the local source's, and one whole response for each type of
// resource (spec/control.md §2.10).
//
// With the control plane it is one stream at a time, of which one response at a time is in our hands: it is taken in by
// the stores, answered, and only then is the next one received. See transport/xds for the protocol, and [client] for the
// states. With XDS_ON_DEMAND addresses come only when they are asked for (messages.DemandResource).
package discovery
