//go:build !race

package sim_test

// raceDetector makes each life ten times as long.
const raceDetector = false
