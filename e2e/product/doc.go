// Package product starts the troupe binary as a child process in dedicated mode and looks at it from outside, as a
// user or a cluster would: readiness, metrics, access log, signals and exit code. Tests never reach into it.
//
// A test package calls [Main] from its TestMain, which builds the binary. Every [Proxy] belongs to one test: it is
// asked to stop when the test ends, and must then exit with code 0.
package product
