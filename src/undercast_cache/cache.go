package main

import (
	"container/list"
	"context"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// Fetch reads one value from its service.
type Fetch func(ctx context.Context) ([]byte, error)

// Limits bound a cache; zero means no bound.
type Limits struct {
	Bytes int
	Items int
}

// Metrics count what a cache did.
type Metrics struct {
	Hits      uint64 `json:"hits"`
	Stale     uint64 `json:"stale"`
	Misses    uint64 `json:"misses"`
	Fetches   uint64 `json:"fetches"`
	Errors    uint64 `json:"errors"`
	Evictions uint64 `json:"evictions"`
	Items     int    `json:"items"`
	Bytes     int    `json:"bytes"`
}

// Cache keeps values in memory alone. Callers that miss the same key at once share one fetch; the value that was unused
// longest leaves first.
type Cache struct {
	now     func() time.Time
	limits  Limits
	flights singleflight.Group

	mutex   sync.Mutex
	entries map[string]*list.Element
	recent  *list.List
	bytes   int
	metrics Metrics
}

type entry struct {
	key     string
	value   []byte
	fetched time.Time
}

// Ages say how long a value is fresh, and how much longer a stale one may answer while it is fetched anew.
type Ages struct {
	TTL   time.Duration
	Stale time.Duration
}

// NewCache makes an empty cache; now is a monotonic clock.
func NewCache(limits Limits, now func() time.Time) *Cache {
	return &Cache{now: now, limits: limits, entries: map[string]*list.Element{}, recent: list.New()}
}

// Get gives a value from memory where it is fresh, else from its service.
func (cache *Cache) Get(ctx context.Context, key string, ages Ages, fetch Fetch) ([]byte, error) {
	value, age, found := cache.look(key)
	switch {
	case found && age < ages.TTL:
		cache.count(&cache.metrics.Hits)
		return value, nil
	case found && age < ages.TTL+ages.Stale:
		cache.count(&cache.metrics.Stale)
		go func() {
			_, _ = cache.refresh(ctx, key, ages, fetch) // a failure is counted; the next caller meets it
		}()
		return value, nil
	}
	cache.count(&cache.metrics.Misses)
	return cache.refresh(ctx, key, ages, fetch)
}

// Load fetches a value whatever is there.
func (cache *Cache) Load(ctx context.Context, key string, fetch Fetch) error {
	_, err := cache.refresh(ctx, key, Ages{}, fetch)
	return err
}

// Metrics are the counts so far.
func (cache *Cache) Metrics() Metrics {
	cache.mutex.Lock()
	defer cache.mutex.Unlock()
	metrics := cache.metrics
	metrics.Items, metrics.Bytes = cache.recent.Len(), cache.bytes
	return metrics
}

func (cache *Cache) refresh(ctx context.Context, key string, ages Ages, fetch Fetch) ([]byte, error) {
	value, err, _ := cache.flights.Do(key, func() (any, error) {
		// Who missed and came behind the end of another's flight finds what that has brought.
		if kept, age, found := cache.look(key); found && age < ages.TTL {
			return kept, nil
		}
		cache.count(&cache.metrics.Fetches)
		fetched, err := fetch(context.WithoutCancel(ctx)) // a caller that leaves must not fail those who wait with it
		if err != nil {
			cache.count(&cache.metrics.Errors)
			return nil, err
		}
		cache.store(key, fetched)
		return fetched, nil
	})
	if err != nil {
		return nil, err
	}
	return value.([]byte), nil
}

func (cache *Cache) look(key string) ([]byte, time.Duration, bool) {
	cache.mutex.Lock()
	defer cache.mutex.Unlock()
	element, found := cache.entries[key]
	if !found {
		return nil, 0, false
	}
	cache.recent.MoveToFront(element)
	kept := element.Value.(*entry)
	return kept.value, cache.now().Sub(kept.fetched), true
}

func (cache *Cache) store(key string, value []byte) {
	cache.mutex.Lock()
	defer cache.mutex.Unlock()
	if element, found := cache.entries[key]; found {
		cache.drop(element)
	}
	if cache.limits.Bytes > 0 && len(value) > cache.limits.Bytes {
		cache.metrics.Evictions++ // never fits: every read goes to the service
		return
	}
	cache.entries[key] = cache.recent.PushFront(&entry{key: key, value: value, fetched: cache.now()})
	cache.bytes += len(value)
	for cache.isOver() {
		cache.drop(cache.recent.Back())
		cache.metrics.Evictions++
	}
}

func (cache *Cache) isOver() bool {
	return (cache.limits.Bytes > 0 && cache.bytes > cache.limits.Bytes) ||
		(cache.limits.Items > 0 && cache.recent.Len() > cache.limits.Items)
}

func (cache *Cache) drop(element *list.Element) {
	kept := element.Value.(*entry)
	cache.recent.Remove(element)
	delete(cache.entries, kept.key)
	cache.bytes -= len(kept.value)
}

func (cache *Cache) count(counter *uint64) {
	cache.mutex.Lock()
	*counter++
	cache.mutex.Unlock()
}
