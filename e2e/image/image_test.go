package image

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/troupe-mesh/troupe/transport/socket"
)

const endLimit = 60 * time.Second

// image is the archive to test.
func image(t *testing.T) string {
	t.Helper()
	file := os.Getenv("TROUPE_E2E_IMAGE")
	if file == "" {
		t.Skip("TROUPE_E2E_IMAGE names no image: task image makes one")
	}
	if os.Getuid() != 0 {
		t.Fatal("runc needs root for what the image is allowed")
	}
	if _, err := exec.LookPath("runc"); err != nil {
		t.Fatalf("%v: it is in Debian's package runc", err)
	}
	return file
}

// newNamespace is a network namespace with nothing but loopback; it is gone when the test ends.
func newNamespace(t *testing.T) *os.File {
	t.Helper()
	made := make(chan error, 1)
	var fd int
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		made <- func() error {
			if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
				return fmt.Errorf("make a network namespace: %w", err)
			}
			lo, err := netlink.LinkByName("lo")
			if err != nil {
				return err
			}
			if err := netlink.LinkSetUp(lo); err != nil {
				return err
			}
			fd, err = unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
			return err
		}()
	}()
	if err := <-made; err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "netns")
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// container is a container under runc.
type container struct {
	command *exec.Cmd
	id      string
	out     strings.Builder
	done    chan struct{}
}

func run(t *testing.T, dir string) *container {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*endLimit)
	t.Cleanup(cancel)
	c := &container{id: fmt.Sprintf("troupe-test-%d", os.Getpid()), done: make(chan struct{})}
	state := filepath.Join(dir, "state")
	// Without pivot_root, since the test may itself run in a container whose root is a ramdisk.
	c.command = exec.CommandContext(ctx, "runc", "--root", state, "run", "--no-pivot", "--bundle", dir, c.id)
	c.command.Stdout, c.command.Stderr = &c.out, &c.out
	if err := c.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(c.done)
		_ = c.command.Wait() // the exit code is read from ProcessState
	}()
	t.Cleanup(func() {
		_ = exec.Command("runc", "--root", state, "kill", c.id, "KILL").Run()
		<-c.done
		_ = exec.Command("runc", "--root", state, "delete", "--force", c.id).Run()
	})
	return c
}

func (c *container) code(t *testing.T) int {
	t.Helper()
	select {
	case <-c.done:
	case <-time.After(endLimit):
		t.Fatal("the container does not end")
	}
	return c.command.ProcessState.ExitCode()
}

// get asks a page of the container.
func get(t *testing.T, netns *os.File, url string) (string, error) {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, address string) (conn net.Conn, err error) {
		ferr := socket.InNamespace(int(netns.Fd()), func() error {
			conn, err = (&net.Dialer{Timeout: time.Second}).DialContext(ctx, network, address)
			return nil
		})
		if ferr != nil {
			return nil, ferr
		}
		return conn, err
	}}
	client := &http.Client{Transport: transport, Timeout: 5 * time.Second}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	return string(body), err
}

// The image starts read-only with three capabilities and none besides, has its listeners with the mark and IP_TRANSPARENT
// that it needs the capabilities for, gets ready, and ends well.
func TestImageRunsReadOnlyWithThreeCapabilities(t *testing.T) {
	file, netns := image(t), newNamespace(t)
	environ := []string{
		"PROXY_MODE=dedicated", "PROXY_WORKLOAD_INFO=default/client/default", "XDS_ADDRESS=", "FAKE_CA=true",
		"ISTIO_META_DNS_CAPTURE=false", "ENABLE_ORIG_SRC=true", "PACKET_MARK=1337", "RUST_LOG=info",
		`LOCAL_XDS={workloads: [{uid: c, name: client, namespace: default, workloadIps: ["127.0.0.1"], services: {}}]}`,
		"TERMINATION_GRACE_PERIOD_SECONDS=30",
	}
	c := run(t, bundle(t, file, fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), netns.Fd()), environ, "proxy", "ztunnel"))
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(endLimit); ; <-tick.C {
		body, err := get(t, netns, "http://127.0.0.1:15021/healthz/ready")
		if err == nil && body == "ready\n" {
			break
		}
		select {
		case <-c.done:
			t.Fatalf("it ended:\n%s", &c.out)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("it does not get ready: %q, %v", body, err)
		}
	}
	if dump, err := get(t, netns, "http://127.0.0.1:15000/config_dump"); err != nil || !strings.Contains(dump, `"proxyArgs": "proxy ztunnel"`) {
		t.Errorf("the dump: %v %.200s", err, dump)
	}
	if metrics, err := get(t, netns, "http://127.0.0.1:15020/metrics"); err != nil || !strings.Contains(metrics, "istio_build{") {
		t.Errorf("the metrics: %v %.200s", err, metrics)
	}
	if err := exec.Command("runc", "--root", filepath.Join(c.command.Args[6], "state"), "kill", c.id, "TERM").Run(); err != nil {
		t.Errorf("runc kill: %v", err)
	}
	if code := c.code(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	for _, want := range []string{"transparent=true", "shutdown complete"} {
		if !strings.Contains(c.out.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, &c.out)
		}
	}
	for _, bad := range []string{"\twarn\t", "\terror\t"} {
		for line := range strings.Lines(c.out.String()) {
			if strings.Contains(line, bad) && !strings.Contains(line, "resolver") {
				t.Errorf("it complains: %s", line)
			}
		}
	}
}

// The same image says its version, its help, and what it is set to.
func TestImageCommands(t *testing.T) {
	file, netns := image(t), newNamespace(t)
	at := fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), netns.Fd())
	for command, want := range map[string]string{
		"version": "IstioVersion:\"1.", "help": "Commands:", "config": "\nISTIO_META_ISTIO_VERSION=1.",
	} {
		t.Run(command, func(t *testing.T) {
			c := run(t, bundle(t, file, at, []string{"FAKE_CA=true"}, command))
			if code := c.code(t); command != "config" && code != 0 {
				t.Errorf("exit code %d", code)
			}
			if !strings.Contains(c.out.String(), want) {
				t.Errorf("it does not say %q:\n%s", want, &c.out)
			}
		})
	}
}

// Nothing but the binary and the roots is in the image, and the binary can't ask for a loader.
func TestImageContent(t *testing.T) {
	_, layers := readArchive(t, image(t)).parts(t)
	dir := t.TempDir()
	for _, layer := range layers {
		unpack(t, layer, dir)
	}
	var files []string
	err := filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, strings.TrimPrefix(name, dir))
		}
		return err
	})
	if want := "/etc/ssl/certs/ca-certificates.crt /usr/local/bin/troupe /usr/local/bin/ztunnel"; err != nil || strings.Join(files, " ") != want {
		t.Errorf("the image has %q, %v", files, err)
	}
	info, err := os.Stat(filepath.Join(dir, "usr/local/bin/ztunnel"))
	if err != nil || info.Mode()&0o111 == 0 || info.Sys().(*syscall.Stat_t).Size > 64<<20 {
		t.Errorf("the binary: %v %v", info, err)
	}
}
