package dns

import (
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/troupe-mesh/troupe/transport/dnswire"
)

// cache keeps replies as long as they hold, within the bounds of the pod and of the node. What has not been asked for
// longest goes first.
type cache struct {
	limits *Limits
	lru    *simplelru.LRU[dnswire.Key, cached]
	bytes  int64
}

type cached struct {
	reply *dnswire.Reply
	from  time.Time
}

func newCache(l *Limits) *cache {
	c := &cache{limits: l}
	lru, err := simplelru.NewLRU(maxCached, func(_ dnswire.Key, e cached) { c.forget(e) })
	if err != nil {
		panic(err) // the size is not positive
	}
	c.lru = lru
	return c
}

func (c *cache) forget(e cached) {
	size := int64(e.reply.Size())
	c.bytes -= size
	c.limits.bytes.Add(-size)
	c.limits.entries.Add(-1)
}

// get returns a reply that still holds, and how old it is.
func (c *cache) get(k dnswire.Key, now time.Time) (*dnswire.Reply, time.Duration) {
	e, ok := c.lru.Get(k)
	if !ok {
		return nil, 0
	}
	age := now.Sub(e.from)
	if age >= e.reply.TTL {
		c.lru.Remove(k)
		return nil, 0
	}
	return e.reply, age
}

// put keeps a reply, if it may be kept.
func (c *cache) put(k dnswire.Key, r *dnswire.Reply, now time.Time) {
	if r.TTL <= 0 {
		return
	}
	c.lru.Remove(k) // counts the old one out
	size := int64(r.Size())
	c.bytes += size
	c.limits.bytes.Add(size)
	c.limits.entries.Add(1)
	if c.lru.Add(k, cached{r, now}) {
		c.limits.Evicted.Add(1)
	}
	for c.bytes > maxCachedBytes || c.limits.bytes.Load() > c.limits.MaxBytes {
		if _, _, ok := c.lru.RemoveOldest(); !ok {
			return
		}
		c.limits.Evicted.Add(1)
	}
}

// clear forgets everything.
func (c *cache) clear() { c.lru.Purge() }
