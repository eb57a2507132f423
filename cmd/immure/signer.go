package main

import (
	"context"

	"github.com/immure-dev/immure/attest/keys"
)

func loadSigner(path string) (*keys.PrivateKey, error) {
	if path == "" {
		return nil, nil
	}
	k, err := keys.LoadPrivate(path, password)
	if err != nil {
		return nil, err
	}
	return &k, nil
}

// An openingKey is a private key on its way out of its file. That takes a
// quarter of a second, by intention (scrypt), in which a compiler can do its
// work.
type openingKey struct {
	cancel context.CancelFunc
	done   chan struct{}
	key    *keys.PrivateKey
	err    error
}

// openSigner begins to open the key and returns once its password is known: a
// prompt has the terminal to itself. The context that it returns ends when the
// key cannot be opened, for a wrong password is better known at once, and with
// close.
func openSigner(ctx context.Context, path string) (*openingKey, context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	o := &openingKey{cancel: cancel, done: make(chan struct{})}
	if path == "" {
		close(o.done)
		return o, ctx
	}
	asked := make(chan struct{})
	go func() {
		defer close(o.done)
		k, err := keys.LoadPrivate(path, func() ([]byte, error) {
			defer close(asked)
			return password()
		})
		if o.err = err; err != nil {
			o.cancel()
			return
		}
		o.key = &k
	}()
	select {
	case <-asked:
	case <-o.done:
	}
	return o, ctx
}

// wait returns the key; nil where none was named.
func (o *openingKey) wait() (*keys.PrivateKey, error) {
	<-o.done
	return o.key, o.err
}

// close waits and ends the context.
func (o *openingKey) close() {
	<-o.done
	o.cancel()
}
