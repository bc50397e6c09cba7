// Package oracle says what the decision trees must decide, in the most naive way there is: plain slices, linear scans,
// every possible draw enumerated. It is written from the specification alone and shares nothing with the stores or with
// actors/flow/route but the values that they exchange, so that its tests can hold the one against the other on generated
// worlds (spec/dataplane.md §2.4–§2.6 outbound, §4.6–§4.9 and §5 inbound).
//
// Nothing here is fast, and nothing but tests may use it.
package oracle
