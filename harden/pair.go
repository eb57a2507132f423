package harden

import (
	"fmt"

	"github.com/immure-dev/immure/harden/canon"
)

// A Pair is the two boundaries that are signed together: the service's own,
// and the widest request from which it can still be reached.
type Pair struct {
	Envelope Boundary `json:"envelope"`
	Service  Boundary `json:"service"`
}

// Check reports a boundary that is incomplete, and a service that is not
// within its envelope.
func (p Pair) Check() error {
	if err := p.Envelope.Check(); err != nil {
		return fmt.Errorf("envelope: %w", err)
	}
	if err := p.Service.Check(); err != nil {
		return fmt.Errorf("service: %w", err)
	}
	if over := p.Service.Over(p.Envelope); len(over) > 0 {
		return fmt.Errorf("service is not within envelope: %w", &ExcessError{over})
	}
	return nil
}

// Encode returns the canonical form of a checked pair.
func (p Pair) Encode() ([]byte, error) {
	if err := p.Check(); err != nil {
		return nil, fmt.Errorf("encode boundaries: %w", err)
	}
	return canon.Encode(p)
}

// DecodePair reads what [Pair.Encode] writes, as strictly as [Decode].
func DecodePair(data []byte) (Pair, error) {
	var p Pair
	if len(data) > MaxEncodedBytes {
		return p, fmt.Errorf("decode boundaries: more than %d bytes", MaxEncodedBytes)
	}
	if err := canon.Decode(data, &p); err != nil {
		return Pair{}, fmt.Errorf("decode boundaries: %w", err)
	}
	return p, nil
}

// An ExcessError reports that a boundary is not within its limit.
type ExcessError struct {
	Excesses []Excess // never empty, in facet order
}

func (e *ExcessError) Error() string {
	msg := e.Excesses[0].String()
	if more := len(e.Excesses) - 1; more > 0 {
		msg += fmt.Sprintf(" (and %d more)", more)
	}
	return msg
}
