//go:build !race

package sim_test

// replays is how often each life is played.
const replays = 50
