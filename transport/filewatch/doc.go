// Package filewatch tells when something in a directory has changed, by the kernel's inotify. It is for files that
// Kubernetes mounts: such a file is a link to a link, and what changes is the directory around it (spec/control.md §5.4,
// §5.10). So the whole directory is watched, and a change of any file in it counts.
package filewatch
