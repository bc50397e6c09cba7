// Package zds has the messages between the CNI agent of a node and its proxy (spec/ops.md §3.1): one message per packet of
// a Unix socket of type SOCK_SEQPACKET. transport/zds speaks them.
package zds
