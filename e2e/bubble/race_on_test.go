//go:build race

package bubble_test

const raceDetector = true
