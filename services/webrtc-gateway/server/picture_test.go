package server

import "testing"

func FuzzPictureWord(f *testing.F) {
	for _, text := range []string{`{"got":7}`, `{"keyFrame":true}`, `{"got":-1}`, `{"got":1e99}`, `{}`, `[]`, ``,
		`{"got":"7"}`, `{"new":1}`} {
		f.Add(true, []byte(text))
	}
	f.Fuzz(func(t *testing.T, text bool, data []byte) {
		if word, err := readPictureWord(text, data); err != nil && word != (pictureWord{}) {
			t.Fatalf("refused, and understood as %+v", word)
		}
	})
}
