package main

import (
	"io"
	"net"

	"github.com/troupe-mesh/troupe/e2e/bench/entry"
)

// splice is the bare proxy that plain TCP is measured against: the kernel moves the bytes from the first one on.
func splice(listener net.Listener) error {
	for {
		accepted, err := listener.Accept()
		if err != nil {
			return err
		}
		go spliceOne(accepted.(*net.TCPConn))
	}
}

func spliceOne(down *net.TCPConn) {
	defer func() { _ = down.Close() }()
	target, err := entry.Accept(down)
	if err != nil {
		return
	}
	dialled, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	up := dialled.(*net.TCPConn)
	defer func() { _ = up.Close() }()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(up, down)
		_ = up.CloseWrite()
	}()
	_, _ = io.Copy(down, up)
	_ = down.CloseWrite()
	<-done
}
