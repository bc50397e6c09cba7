// Package sandbox puts a whole test binary into user, process, mount and network namespaces of its own, as root
// too, so that what the tests build (interfaces, routes, redirection) never touches the host's network and is gone
// when they end, however they end.
//
// A test package calls [Main] from its TestMain. Main runs the binary a second time inside fresh namespaces and
// returns that run's exit code. Where the kernel refuses, the tests run outside, and [Require] skips each of them
// with the kernel's reason; with TROUPE_E2E=required it fails them instead.
package sandbox

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// insideEnv marks the run inside the namespaces.
const insideEnv = "TROUPE_E2E_INSIDE"

// errRefused is why this process isn't inside. Nil inside.
var errRefused = errors.New("TestMain doesn't call sandbox.Main")

// Required reports whether TROUPE_E2E=required asks that nothing be skipped.
func Required() bool { return os.Getenv("TROUPE_E2E") == "required" }

// Main runs the tests of m inside fresh namespaces and returns the exit code; goroutines that outlive tests which passed
// are a failure. prepare, which may be nil, runs once
// before that, outside, and returns variables for the inner run's environment.
func Main(m *testing.M, prepare func() ([]string, error)) int {
	code := run(m, prepare)
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	return code
}

func run(m *testing.M, prepare func() ([]string, error)) int {
	if os.Getenv(insideEnv) != "" {
		if errRefused = enter(); errRefused == nil {
			errRefused = probe()
		}
		return m.Run()
	}
	var extra []string
	if prepare != nil {
		var err error
		if extra, err = prepare(); err != nil {
			fmt.Fprintf(os.Stderr, "preparing the tests: %v\n", err)
			return 1
		}
	}
	code, err := reexecute(extra)
	if err != nil {
		errRefused = err
		return m.Run()
	}
	return code
}

// Require skips tb where the kernel refused the namespaces, or fails it with TROUPE_E2E=required.
func Require(tb testing.TB) {
	tb.Helper()
	switch {
	case errRefused == nil:
	case Required():
		tb.Fatalf("TROUPE_E2E=required, but there are no network namespaces to test in: %v", errRefused)
	default:
		tb.Skipf("no network namespaces to test in: %v (needs user namespaces, or root; nf_tables; veth)", errRefused)
	}
}

// reexecute runs this binary with its own arguments in fresh namespaces. An error means that it didn't start.
func reexecute(extra []string) (int, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, fmt.Errorf("finding the test binary: %w", err)
	}
	// The parent-death signal follows the thread that forks: it has to live as long as the process.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.Command(self, os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(append(os.Environ(), insideEnv+"=1"), extra...)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:                 syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID,
		UidMappings:                []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings:                []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		GidMappingsEnableSetgroups: false,
		Pdeathsig:                  syscall.SIGKILL,
	}
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("starting in fresh user, pid, mount and network namespaces: %w", err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); errors.As(err, &exit) {
		if exit.ExitCode() < 0 {
			return 2, nil
		}
		return exit.ExitCode(), nil
	} else if err != nil {
		fmt.Fprintf(os.Stderr, "waiting for the tests inside: %v\n", err)
		return 2, nil
	}
	return 0, nil
}

// enter makes the mounts private and gives the process its own view of /proc.
func enter() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making the mounts private: %w", err)
	}
	// Without a fresh /proc (a container that masks parts of it forbids the mount) the old one still shows what the
	// tests need; only process ids in it are the outer ones.
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil && !errors.Is(err, unix.EPERM) {
		return fmt.Errorf("mounting /proc: %w", err)
	}
	return nil
}
