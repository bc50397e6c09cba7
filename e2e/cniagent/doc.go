// Package cniagent plays the CNI agent of a node for the end-to-end tests: it listens where proxies dial, takes their
// hello, tells them of all pods it knows and then of each change, as spec/ops.md §3.9 has it: deadlines of 5 s, answers of
// up to 1024 bytes, one answer for each request, additions to the newest proxy only, deletions to all. What it holds against
// the proxy (an answer unasked, too long or too late) it reports to the test.
package cniagent
