// Package agent is the application of the end-to-end tests: a process of its own, in a network namespace that the
// test chooses, that serves, dials, sends, half-closes and resets as the test tells it, and reports what it saw.
// One process has at most 20,000 descriptors, so every role of a test gets its own.
//
// A test binary that starts agents calls [Main] first thing in TestMain: an agent is the same binary, started
// again. Agents are told by lines of JSON on their standard input and answer on their standard output; every
// operation has a deadline, and an agent ends when its input does.
package agent
