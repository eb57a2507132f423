package main

import "slices"

// median is the middle value, or the mean of the two in the middle. There must
// be at least one value.
func median(values []float64) float64 { return quantile(values, 0.5) }

// quantile interpolates between the two nearest values (type 7 of Hyndman and
// Fan, Sample Quantiles in Statistical Packages, 1996). There must be at least
// one value.
func quantile(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}
