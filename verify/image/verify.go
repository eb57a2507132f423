package image

import (
	"context"
	"errors"
	"fmt"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/immure-dev/immure/attest"
	"github.com/immure-dev/immure/attest/evidence"
	"github.com/immure-dev/immure/attest/keys"
	"github.com/immure-dev/immure/attest/tree"
	"github.com/immure-dev/immure/internal/oci/content"
	"github.com/immure-dev/immure/verify"
)

// Options say whom to trust. The zero value trusts nobody and is refused.
type Options struct {
	// Trusted are the keys of which one must have signed.
	Trusted []keys.PublicKey
	// Files asks for the tree digest of the image's files even where the
	// manifest's digest was signed.
	Files bool
}

// An Input is an image and what stands beside it.
type Input struct {
	Image v1.Image
	// Beside answers for evidence; nil where nothing can stand beside an
	// image, as in an archive of one.
	Beside content.Source

	looking *looking // nil until somebody looks
}

// A looking is a search for statements that was begun.
type looking struct {
	stop  context.CancelFunc
	done  chan struct{} // closed when there is an answer
	found evidence.Listing
	err   error
}

// Open reads the image of a digest for one [Verify], and begins at once to look
// for what stands beside it: a registry takes several questions for either. The
// context holds until the verdict.
func Open(ctx context.Context, from content.Source, digest v1.Hash) (Input, error) {
	l := look(ctx, from, digest)
	img, err := content.Image(ctx, from, digest)
	if err != nil {
		l.stop()
		<-l.done // so that nothing of it is left
		return Input{}, err
	}
	return Input{Image: img, Beside: from, looking: l}, nil
}

// look begins to list the statements about a digest.
func look(ctx context.Context, from content.Source, digest v1.Hash) *looking {
	ctx, stop := context.WithCancel(ctx)
	l := &looking{stop: stop, done: make(chan struct{})}
	go func() {
		defer stop()
		defer close(l.done)
		l.found, l.err = evidence.List(ctx, from, digest, attest.PredicateType)
	}()
	return l
}

// A Verdict says what was verified. There is one only when everything held.
type Verdict struct {
	Manifest  v1.Hash
	Predicate attest.Predicate
	// TreeDigest is what the image's seal was signed for, in hexadecimal; empty
	// when the image bears no seal by a trusted key.
	TreeDigest string
	// Statement reports that the manifest's digest was signed, Files that the
	// tree digest was computed from the image's files.
	Statement, Files bool
}

// Verify judges an image. What was judged and refused is a
// [verify.RefusedError]; any other error means that it could not be judged.
func Verify(ctx context.Context, in Input, o Options) (*Verdict, error) {
	if len(o.Trusted) == 0 {
		return nil, errors.New("no trusted key: a verifier that trusts nobody must say so, and so must one that trusts everybody")
	}
	raw, err := in.Image.RawManifest()
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	digest, err := in.Image.Digest()
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	v := &Verdict{Manifest: digest}
	opener := attest.NewOpener(o.Trusted)
	// The image is read while its statement is looked for: neither needs the
	// other, and both are waited for.
	reading := make(chan holding, 1)
	go func() { reading <- hold(in.Image, opener, !o.Files) }()
	beside, err := v.statement(ctx, in, attest.Manifest(raw), opener)
	held := <-reading
	if err != nil {
		return nil, err
	}
	if held.err == nil && !held.complete && v.decides(held) {
		held = hold(in.Image, opener, false)
	}
	if held.err != nil {
		return nil, held.err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := v.seal(held, beside); err != nil {
		return nil, err
	}
	if !v.Statement && v.TreeDigest == "" {
		return nil, beside
	}
	if held.configErr != nil {
		return nil, held.configErr
	}
	if err := held.checkDiffIDs(held.config); err != nil {
		return nil, err
	}
	var built int64
	if v.Statement && v.TreeDigest != "" {
		built = held.sealed.predicate.Epoch
	}
	if refusals := declared(v.Predicate, held.files, held.config, built); len(refusals) > 0 {
		return nil, &verify.RefusedError{Refusals: refusals}
	}
	return v, nil
}

// decides reports whether the seal inside the image will have the last word:
// then every file must be read, for its word is about those.
func (v *Verdict) decides(h holding) bool {
	return !v.Statement || (h.sealed.err == nil && h.sealed.predicate.Epoch > v.Predicate.Epoch)
}

// A holding is what was read of an image, and why what was not.
type holding struct {
	*files
	err       error
	config    *v1.ConfigFile
	configErr error
	sealed    sealed
}

// A sealed is what the seal inside an image says, or why it says nothing.
type sealed struct {
	predicate attest.Predicate
	digest    string // of the tree
	err       error
}

func hold(img v1.Image, opener *attest.Opener, brief bool) (h holding) {
	var beside sync.WaitGroup
	beside.Go(func() { h.config, h.configErr = configuration(img) })
	if h.files, h.err = read(img, brief); h.err == nil {
		beside.Go(h.readFilters)
		if data, ok := h.immured[tree.SealPath]; ok {
			h.sealed.predicate, h.sealed.digest, h.sealed.err = opener.OpenSeal(data)
		}
	}
	beside.Wait()
	return h
}

// statement looks for the statement that counts beside the image. That there
// is none is not an error yet: the first result says why.
func (v *Verdict) statement(ctx context.Context, in Input, digests attest.Digests, opener *attest.Opener) (missing, err error) {
	if in.Beside == nil {
		return noSignature(errors.New("no statement can stand beside an archive's image, and it bears no seal")), nil
	}
	l := in.looking
	if l == nil {
		l = look(ctx, in.Beside, v.Manifest)
	}
	select {
	case <-l.done:
	case <-ctx.Done():
		l.stop()
		<-l.done
		return nil, ctx.Err()
	}
	if l.err != nil {
		return nil, l.err
	}
	s, err := opener.Verify(l.found.Bundles, digests)
	var none *attest.MissingError
	switch {
	case errors.As(err, &none):
		return noSignature(err), nil
	case err != nil:
		return nil, noSignature(err)
	}
	v.Statement, v.Predicate = true, s.Predicate
	return nil, nil
}

func noSignature(err error) error {
	mend := "verify with the key that signed it, or build and sign it again"
	var missing *attest.MissingError
	if errors.As(err, &missing) && *missing == (attest.MissingError{Subject: missing.Subject}) {
		mend = "it was not signed, or its signatures did not come along: immure seal signs what immure built"
	}
	return verify.Refuse("signature", err.Error(), "a boundary, by a trusted key", mend)
}

// seal compares the seal inside the image with the files and with the statement
// beside them. What missing says of a statement counts where there is no seal.
func (v *Verdict) seal(h holding, missing error) error {
	if _, ok := h.immured[tree.SealPath]; !ok {
		return missing
	}
	var untrusted *attest.UntrustedError
	switch {
	case errors.As(h.sealed.err, &untrusted) && v.Statement:
		// A seal by another key, as of before a resealing, speaks for nobody.
		return nil
	case h.sealed.err != nil:
		return noSignature(h.sealed.err)
	}
	if err := tree.CheckSeal(h.tree.Get(tree.SealPath)); err != nil {
		return verify.Refuse("files", tree.SealPath+": "+err.Error(), "a seal", "seal the image again")
	}
	digest := h.sealed.digest
	if h.complete {
		got, err := tree.Digest(h.tree, tree.SealPath)
		if err != nil {
			return verify.Refuse("files", err.Error(), tree.Algorithm+":"+digest, "build the image again")
		}
		if got != digest {
			return verify.Refuse("files", tree.Algorithm+":"+got, tree.Algorithm+":"+digest,
				"the files are not those that were sealed: build and seal again, or fetch the image again")
		}
		v.Files = true
	}
	v.TreeDigest = digest
	return v.agree(h.sealed.predicate)
}

// agree settles which of seal and statement counts: the higher epoch; two of
// one epoch must say the same.
func (v *Verdict) agree(sealed attest.Predicate) error {
	if !v.Statement || sealed.Epoch > v.Predicate.Epoch {
		v.Predicate = sealed
		return nil
	}
	if sealed.Epoch < v.Predicate.Epoch {
		return nil
	}
	same, err := sealed.Equal(v.Predicate)
	if err != nil {
		return fmt.Errorf("compare seal and statement: %w", err)
	}
	if !same {
		return verify.Refuse("signature", "a seal inside the image and a statement beside it that disagree", "one statement for each epoch",
			"sign the right one again with a higher epoch")
	}
	return nil
}
