package gateway_test

import (
	"errors"
	"io"
	"iter"
)

// pull reads what a loop would, one by one.
func pull[T any](loop iter.Seq2[T, error]) (next func() (T, error), stop func()) {
	each, stop := iter.Pull2(loop)
	return func() (T, error) {
		v, err, ok := each()
		if !ok {
			return v, io.EOF
		}
		return v, err
	}, stop
}

// last is the error with which a loop ends.
func last[T any](loop iter.Seq2[T, error]) error {
	err := errors.New("nothing came")
	for _, err = range loop {
	}
	return err
}
