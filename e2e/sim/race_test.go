//go:build race

package sim_test

// replays is how often each life is played again: the race detector makes each ten times as long.
const replays = 5
