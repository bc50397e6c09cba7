// Package config turns the environment, the mesh configuration file and the command line into one typed value,
// [Config], by the rules of spec/ops.md §1, and says how that value looks in the admin dump.
//
// [Load] reads everything through a [Host], so that tests decide what the machine has. It either returns a whole
// configuration or a [Problems] error that lists every variable that is wrong, each with its name, its value and what
// would be right: a node must not start on half-understood settings. Nothing here opens a socket or starts anything.
// [Explain] says of every setting what is in force and where it comes from.
//
// The reference's variables keep their names, defaults and syntax. Troupe adds TROUPE_BIND_IP, FAKE_CA_DIR, HANDOVER_SOCKET,
// ENFORCE_WAYPOINT, LOCAL_FASTPATH and UNKNOWN_POLICY; their doc comments in [Config] say what they do. The OTEL_*
// variables are OpenTelemetry's own and are not read here.
package config
