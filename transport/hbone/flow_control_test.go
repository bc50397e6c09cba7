package hbone

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"golang.org/x/net/http2"
)

// Streams that nobody reads stop themselves; when too much waits, the connection's window is withheld until it is
// consumed.
func TestConnectionWindowIsWithheld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := attack(t, Settings{StreamWindow: 1 << 20, ConnWindow: 1 << 20, MaxBuffered: 512 << 10}, nil)
		c.connect(1)
		s, err := (<-c.requests).Accept(nil)
		if err != nil {
			t.Fatal(err)
		}
		block := make([]byte, 16<<10)
		for range 32 { // 512 KiB: given back on receipt
			_ = c.f.WriteData(1, false, block)
		}
		synctest.Wait()
		updates := func() (n int) {
			for len(c.told) > 0 {
				if strings.HasPrefix(<-c.told, "WINDOW_UPDATE ") {
					n++
				}
			}
			return n
		}
		if n := updates(); n != 2 {
			t.Errorf("%d updates, want 2: a quarter of the window each", n)
		}
		for range 32 {
			_ = c.f.WriteData(1, false, block)
		}
		synctest.Wait()
		if n, withheld := updates(), c.stats.WindowsWithheld.Load(); n != 0 || withheld == 0 {
			t.Errorf("%d updates, withheld %d times", n, withheld)
		}
		if _, err := io.ReadFull(s, make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := updates(); n < 2 { // the connection's and the stream's
			t.Errorf("%d updates after everything was read", n)
		}
		if n := c.server.c.buffered.Load(); n != 0 {
			t.Errorf("%d bytes are still counted", n)
		}
	})
}

func TestPaddingIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := attack(t, Settings{StreamWindow: 1000, ConnWindow: 1 << 16}, nil)
		c.connect(1)
		s, err := (<-c.requests).Accept(nil)
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			_ = c.f.WriteDataPadded(1, false, []byte("0123456789"), make([]byte, 200))
			if _, err := io.ReadFull(s, make([]byte, 10)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		_ = c.f.WriteRawFrame(http2.FrameData, http2.FlagDataPadded|http2.FlagDataEndStream, 1, append([]byte{3, 'x'}, 0, 0, 0))
		if got, err := io.ReadAll(s); string(got) != "x" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	})
}

func TestWindowsLimitTheSender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sv := trap(t, Settings{StreamSendBuffer: 8 << 10})
		done := sv.open(t, true, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 10})
		sv.headers(1, false, ":status", "200")
		s := (<-done).s
		wrote := make(chan error, 1)
		go func() {
			_, err := s.Write(bytes.Repeat([]byte("a"), 100<<10))
			wrote <- err
		}()
		sv.await(t, "DATA 1 10")
		_ = sv.f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 15})
		sv.await(t, "DATA 1 5")
		_ = sv.f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 5}) // 10 below nothing
		_ = sv.f.WriteWindowUpdate(1, 17)
		sv.await(t, "DATA 1 7")
		_ = sv.f.WriteWindowUpdate(1, 1<<20)
		total := 0
		for total < initialWindow-22 { // what the connection allows
			var n int
			if line := <-sv.told; strings.HasPrefix(line, "DATA") {
				if _, err := fmt.Sscanf(line, "DATA 1 %d", &n); err != nil {
					t.Fatal(line)
				}
			}
			total += n
		}
		synctest.Wait()
		if len(sv.told) > 0 || total != initialWindow-22 {
			t.Errorf("%d bytes and %d frames more", total, len(sv.told))
		}
		_ = sv.f.WriteWindowUpdate(0, 1<<20)
		if err := <-wrote; err != nil {
			t.Error(err)
		}
	})
}

func TestResetWakesAWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sv := trap(t, Settings{})
		done := sv.open(t, true, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
		sv.headers(1, false, ":status", "200")
		s := (<-done).s
		wrote := make(chan error, 1)
		go func() {
			_, err := s.Write([]byte("a"))
			wrote <- err
		}()
		synctest.Wait()
		s.Reset(http2.ErrCodeCancel)
		if err := <-wrote; err == nil {
			t.Error("the write succeeded")
		}
		sv.await(t, "RST_STREAM 1 CANCEL")
	})
}
