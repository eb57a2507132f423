module github.com/immure-dev/immure/examples/hello

go 1.26
