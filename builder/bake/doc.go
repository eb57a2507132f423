// Package bake turns files and boundaries into an OCI image: what stands under
// /.immure, the layers, the configuration and its labels.
//
// The same input gives the same bytes. The package takes files as they are and
// decides nothing about them or about the boundary.
package bake
