// Package image has the tests of the container image as a node runs it: read-only, with three capabilities, by runc.
// They take the archive that task image leaves, named by TROUPE_E2E_IMAGE, and are skipped without it.
package image
