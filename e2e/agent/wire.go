package agent

import (
	"encoding/json"
	"net/netip"
	"time"
)

// roleEnv marks a process as an agent.
const roleEnv = "TROUPE_E2E_ROLE"

// request and response are one line of JSON each. Requests may overtake each other.
type request struct {
	ID   uint64
	Op   string
	Args json.RawMessage
}

type response struct {
	ID     uint64
	Error  string `json:",omitempty"`
	Result json.RawMessage
}

// Mode is how a server treats the connections that it accepts.
type Mode string

// The modes.
const (
	Double  Mode = "double"  // answers with its input, twice
	Echo    Mode = "echo"    // answers with its input
	Banner  Mode = "banner"  // speaks first, then as Double
	Count   Mode = "count"   // reads to the end, then says how many bytes that was
	Goodbye Mode = "goodbye" // says goodbye and ends its side, then reads to the end
	Reset   Mode = "reset"   // reads once, then resets the connection
	Bulk    Mode = "bulk"    // sends and checks as much as the client asks for
)

// What the servers say.
const (
	BannerText  = "who is there?\n"
	GoodbyeText = "goodbye\n"
)

// End is how a connection's incoming side ended.
type End string

// The ends.
const (
	EndOpen    End = ""
	EndEOF     End = "eof"
	EndReset   End = "reset"
	EndTimeout End = "timeout"
	EndOther   End = "other"
)

// Record is one accepted connection as its server saw it.
type Record struct {
	Peer     netip.AddrPort
	Local    netip.AddrPort
	Received uint64
	Sent     uint64
	End      End
}

// Transfer says what [Agent.Transfer] sends and gets over one connection. Both directions run at once.
type Transfer struct {
	Via  Via
	Up   uint64 // bytes that the client sends
	Down uint64 // bytes that the server sends
	Seed uint64 // of the bytes
}

// Transferred is what came of a [Transfer]: every byte was compared.
type Transferred struct {
	Up, Down uint64
	Took     time.Duration
}

// Many says what [Agent.Many] and [Agent.Hold] hold open at once.
type Many struct {
	Via         Via
	Connections int
	Payload     string // sent over each, and expected twice
}

// Held is what came of a [Many], so far.
type Held struct {
	Opened   int            // answered rightly, all of them open at once
	Answered int            // answered rightly a second time, when all were open
	Failures map[string]int // reasons of the others
}

// Probe says what [Agent.Probe] measures.
type Probe struct {
	Via     Via
	Times   int
	Payload string // sent over each connection, and expected twice
}

// Via is how a client gets to its target.
type Via struct {
	Target string
	SOCKS  string // the SOCKS5 proxy's address; empty for a direct connection
	Source string // the local IP address; empty for the kernel's choice
}

// The operations' arguments and results that aren't exported types.
type (
	listenArgs struct {
		Address string
		Mode    Mode
	}
	recordsArgs struct {
		Address string
		Min     int  // waits for so many
		Ended   bool // counts only those that have ended
	}
	dialArgs struct {
		Conn uint64
		Via  Via
	}
	ioArgs struct {
		Conn uint64
		Data []byte
		N    int
	}
	readResult struct {
		Data []byte
		End  End
	}
)

// bounds of one operation.
const (
	stepLimit     = 15 * time.Second
	transferLimit = 5 * time.Minute
)
