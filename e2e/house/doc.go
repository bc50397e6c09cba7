// Package house holds no code: its tests keep the house in order. Every package says what it is for, no file grows
// beyond reading length, and imports point one way.
package house
