package resolver

import (
	"bufio"
	"io"
	"net/netip"
	"os"
	"strings"
)

// HostsFile is where the system's hosts file is.
const HostsFile = "/etc/hosts"

func (r *Resolver) hosts(host string) []netip.Addr { return Hosts(r.config.HostsFile, host) }

// Hosts looks a name up in a hosts file; a file that can't be read has no entries.
func Hosts(path, host string) []netip.Addr {
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer func() { _ = file.Close() }()
	return readHosts(io.LimitReader(file, 1<<20), strings.TrimSuffix(host, "."))
}

func readHosts(from io.Reader, host string) []netip.Addr {
	var addrs []netip.Addr
	for lines := bufio.NewScanner(from); lines.Scan(); {
		line, _, _ := strings.Cut(lines.Text(), "#")
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		addr, err := netip.ParseAddr(words[0])
		if err != nil {
			continue
		}
		for _, name := range words[1:] {
			if strings.EqualFold(name, host) {
				addrs = append(addrs, addr.Unmap())
			}
		}
	}
	return addrs
}
