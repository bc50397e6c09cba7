package socket

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// Connections that borrow a client's address need ports that the client itself does not use for the same destination: the
// redirection has seen the client's connection, and would take ours for that one. A client's kernel gives even ports to
// connect as long as it has some (where the range begins with an even one, as Linux's does), so we take odd ones of the
// same range, by chance. As many connections as there are destinations can have the same one. Where chance finds none that
// is free the kernel chooses, from all that are.
const (
	firstBorrowed = 32769
	lastBorrowed  = 60999
	// borrowTries is how often a dial takes another odd port before it leaves the choice to the kernel.
	borrowTries = 16
)

func oddPort() uint16 {
	return firstBorrowed + 2*uint16(rand.IntN((lastBorrowed-firstBorrowed)/2+1)) //nolint:gosec // it need not be secret
}

// borrow binds a socket that is about to dial to an address that need not be ours, at the given attempt, from 0 to
// borrowTries.
func (k *kernel) borrow(fd int, source netip.Addr, attempt int) error {
	if err := mayBorrow(fd, source); err != nil {
		return err
	}
	if attempt >= borrowTries {
		return bindAddress(fd, source)
	}
	// So that a port is free as long as it is for the destination.
	if err := setOption(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1, "SO_REUSEADDR"); err != nil {
		return err
	}
	pick := oddPort
	if k.ports != nil {
		pick = k.ports
	}
	for range borrowTries {
		err := bindPort(fd, netip.AddrPortFrom(source, pick()))
		if !errors.Is(err, unix.EADDRINUSE) { // a listening socket's
			return err
		}
	}
	return bindAddress(fd, source)
}

// again reports whether a dial that failed is to be tried with another port.
func again(source netip.Addr, attempt int, err error) bool {
	return source.IsValid() && attempt < borrowTries && errors.Is(err, syscall.EADDRNOTAVAIL)
}
