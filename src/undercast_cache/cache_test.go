package main

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// hands is a clock that a test moves.
type hands struct{ now time.Time }

func (hands *hands) read() time.Time { return hands.now }

func (hands *hands) advance(by time.Duration) { hands.now = hands.now.Add(by) }

func counted(calls *atomic.Int32, value string) Fetch {
	return func(context.Context) ([]byte, error) {
		calls.Add(1)
		return []byte(value), nil
	}
}

func get(t *testing.T, cache *Cache, key string, ages Ages, fetch Fetch) string {
	t.Helper()
	value, err := cache.Get(context.Background(), key, ages, fetch)
	if err != nil {
		t.Fatal(err)
	}
	return string(value)
}

func TestAFreshValueIsReadOnce(t *testing.T) {
	clock, calls := &hands{now: time.Unix(0, 0)}, &atomic.Int32{}
	cache := NewCache(Limits{}, clock.read)
	ages := Ages{TTL: 2 * time.Second}
	for range 100 {
		if got := get(t, cache, "k", ages, counted(calls, "old")); got != "old" {
			t.Fatalf("the value is %q", got)
		}
	}
	if calls.Load() != 1 {
		t.Errorf("it was read %d times", calls.Load())
	}
	clock.advance(1999 * time.Millisecond)
	if got := get(t, cache, "k", ages, counted(calls, "new")); got != "old" {
		t.Errorf("before its age ends the value is %q", got)
	}
	clock.advance(time.Millisecond)
	if got := get(t, cache, "k", ages, counted(calls, "new")); got != "new" {
		t.Errorf("after its age the value is %q", got)
	}
	if metrics := cache.Metrics(); metrics.Hits != 100 || metrics.Misses != 2 || metrics.Fetches != 2 {
		t.Errorf("metrics are %+v", metrics)
	}
}

func TestCallersThatMissAtOnceShareOneFetch(t *testing.T) {
	cache := NewCache(Limits{}, time.Now)
	calls, release := &atomic.Int32{}, make(chan struct{})
	fetch := func(context.Context) ([]byte, error) {
		calls.Add(1)
		<-release
		return []byte("v"), nil
	}
	var wait sync.WaitGroup
	for range 50 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			_, _ = cache.Get(context.Background(), "k", Ages{TTL: time.Hour}, fetch)
		}()
	}
	for cache.Metrics().Misses < 50 {
		time.Sleep(time.Millisecond)
	}
	close(release)
	wait.Wait()
	if calls.Load() != 1 {
		t.Errorf("it was fetched %d times", calls.Load())
	}
}

func TestACallerThatLeavesDoesNotFailThoseWhoWaitWithIt(t *testing.T) {
	cache := NewCache(Limits{}, time.Now)
	leaving, leave := context.WithCancel(context.Background())
	fetch := func(ctx context.Context) ([]byte, error) {
		leave()
		return []byte("v"), ctx.Err()
	}
	if value, err := cache.Get(leaving, "k", Ages{TTL: time.Hour}, fetch); err != nil || string(value) != "v" {
		t.Errorf("the answer is %q, %v", value, err)
	}
}

func TestAStaleValueAnswersWhileItIsFetched(t *testing.T) {
	clock := &hands{now: time.Unix(0, 0)}
	cache := NewCache(Limits{}, clock.read)
	ages := Ages{TTL: time.Second, Stale: time.Minute}
	get(t, cache, "k", ages, counted(&atomic.Int32{}, "old"))
	clock.advance(2 * time.Second)
	fetched := make(chan struct{})
	fetch := func(context.Context) ([]byte, error) {
		defer close(fetched)
		return []byte("new"), nil
	}
	if got := get(t, cache, "k", ages, fetch); got != "old" {
		t.Errorf("while it is fetched the value is %q", got)
	}
	<-fetched
	for cache.Metrics().Bytes != len("new") || get(t, cache, "k", ages, fetch) != "new" {
		time.Sleep(time.Millisecond)
	}
	clock.advance(2 * time.Minute)
	if got := get(t, cache, "k", ages, counted(&atomic.Int32{}, "newest")); got != "newest" {
		t.Errorf("beyond both ages the value is %q", got)
	}
}

func TestAFailureIsNotKept(t *testing.T) {
	cache := NewCache(Limits{}, time.Now)
	refuse := func(context.Context) ([]byte, error) { return nil, errors.New("refused") }
	if _, err := cache.Get(context.Background(), "k", Ages{TTL: time.Hour}, refuse); err == nil {
		t.Fatal("there is no error")
	}
	if got := get(t, cache, "k", Ages{TTL: time.Hour}, counted(&atomic.Int32{}, "v")); got != "v" {
		t.Errorf("the value is %q", got)
	}
	if metrics := cache.Metrics(); metrics.Errors != 1 {
		t.Errorf("metrics are %+v", metrics)
	}
}

func TestWhatWasUnusedLongestLeavesFirst(t *testing.T) {
	cache := NewCache(Limits{Bytes: 10}, time.Now)
	ages, calls := Ages{TTL: time.Hour}, &atomic.Int32{}
	get(t, cache, "a", ages, counted(calls, "aaaa"))
	get(t, cache, "b", ages, counted(calls, "bbbb"))
	get(t, cache, "a", ages, counted(calls, "aaaa"))
	get(t, cache, "c", ages, counted(calls, "cccc"))
	get(t, cache, "a", ages, counted(calls, "aaaa"))
	if calls.Load() != 3 {
		t.Errorf("after 3 reads there were %d", calls.Load())
	}
	get(t, cache, "b", ages, counted(calls, "bbbb"))
	if metrics := cache.Metrics(); calls.Load() != 4 || metrics.Evictions != 2 || metrics.Bytes != 8 {
		t.Errorf("after %d reads metrics are %+v", calls.Load(), metrics)
	}
	get(t, cache, "huge", ages, counted(calls, "hhhhhhhhhhh"))
	if metrics := cache.Metrics(); metrics.Bytes != 8 || metrics.Items != 2 {
		t.Errorf("a value beyond the limit changed the cache: %+v", metrics)
	}
}
