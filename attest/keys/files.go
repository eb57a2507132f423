package keys

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// MaxFileBytes bounds a key file; a P-256 key takes 653 bytes.
const MaxFileBytes = 16 << 10

// LoadPublic reads a public key from a file.
func LoadPublic(path string) (PublicKey, error) {
	data, err := readFile(path)
	if err != nil {
		return PublicKey{}, err
	}
	key, err := ParsePublic(data)
	if err != nil {
		return PublicKey{}, fmt.Errorf("%s: %w", path, err)
	}
	return key, nil
}

// LoadPrivate reads a private key from a file. The password is asked for only
// once the file has been seen to need one.
func LoadPrivate(path string, password func() ([]byte, error)) (PrivateKey, error) {
	data, err := readFile(path)
	if err != nil {
		return PrivateKey{}, err
	}
	if _, err := encryptedBox(data); err != nil {
		return PrivateKey{}, fmt.Errorf("%s: read private key: %w", path, err)
	}
	secret, err := password()
	if err != nil {
		return PrivateKey{}, fmt.Errorf("%s: ask for password: %w", path, err)
	}
	key, err := ParsePrivate(data, secret)
	if err != nil {
		return PrivateKey{}, fmt.Errorf("%s: %w", path, err)
	}
	return key, nil
}

// readFile reads a file of bounded size. It may be a pipe, as a shell's process
// substitution makes one.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	if len(data) > MaxFileBytes {
		return nil, fmt.Errorf("read key %s: more than %d bytes: this is no key file", path, MaxFileBytes)
	}
	return data, nil
}

// WriteFiles writes a key pair, the private key encrypted under password with
// mode 0600, the public key with mode 0644. Each is written aside, synced and
// then named. Without force an existing file is left alone and is an error
// that wraps [fs.ErrExist].
func WriteFiles(privatePath, publicPath string, key PrivateKey, password []byte, force bool) error {
	if !force {
		for _, path := range []string{privatePath, publicPath} {
			if _, err := os.Lstat(path); err == nil {
				return fmt.Errorf("write key %s: %w: remove it first, or replace it (--force)", path, fs.ErrExist)
			} else if !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("write key: %w", err)
			}
		}
	}
	data, err := key.Encrypt(password)
	if err != nil {
		return err
	}
	if err := writeFile(privatePath, data, 0o600, force); err != nil {
		return fmt.Errorf("write private key: %w", err)
	}
	if err := writeFile(publicPath, key.Public().PEM(), 0o644, force); err != nil {
		if !force {
			os.Remove(privatePath)
		}
		return fmt.Errorf("write public key: %w", err)
	}
	return nil
}

func writeFile(path string, data []byte, mode fs.FileMode, force bool) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".key-*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err := errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	if force {
		err = os.Rename(f.Name(), path)
	} else {
		err = os.Link(f.Name(), path) // unlike rename, never over another file
	}
	if err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) {
		return err
	}
	return nil
}
